import type { NameReference } from '../../toolchain/assembler/analysis.js';
import type { SyntaxToken } from '../../toolchain/assembler/syntax.js';
import type { Cursor } from './cursor.js';

/** What a name in a source means. */
export type Subject =
  | {
      readonly kind: 'symbol' | 'macro' | 'preprocessorMacro';
      readonly name: string;
      readonly token: SyntaxToken;
    }
  | { readonly kind: 'localLabel' | 'macroArgument'; readonly name: string; readonly token: SyntaxToken };

/** The name of a token: symbols may stand in quotes. */
export const nameOf = ({ text }: SyntaxToken): string => text.replace(/^"(.*)"$/, '$1');

/** The name that the user points at; undefined for instructions, registers, numbers and the like. */
export function subjectAt({ analysis, token }: Cursor): Subject | undefined {
  if (!token) return undefined;
  const name = nameOf(token);
  switch (token.kind) {
    case 'localLabel':
    case 'localLabelReference':
      return { kind: 'localLabel', name, token };
    case 'macroArgument':
    case 'macroParameter':
      return { kind: 'macroArgument', name, token };
    case 'macroName':
      return { kind: 'macro', name, token };
    case 'preprocessorName':
      return { kind: 'preprocessorMacro', name, token };
    case 'label':
    case 'symbol':
    case 'mnemonic':
      if (analysis.preprocessorMacros.has(name)) return { kind: 'preprocessorMacro', name, token };
      if (analysis.macros.has(name) && token.kind === 'mnemonic') return { kind: 'macro', name, token };
      if (token.kind === 'mnemonic') return undefined;
      return { kind: 'symbol', name, token };
    default:
      return undefined;
  }
}

/** Every place of a name, its definitions marked. */
export function placesOf({ analysis, file, line }: Cursor, subject: Subject): readonly NameReference[] {
  const { column } = subject.token;
  if (subject.kind === 'localLabel') return analysis.localLabel(file, line, column);
  if (subject.kind === 'macroArgument') return analysis.macroArgument(file, line, column);
  return analysis.references(subject.name);
}
