import { SymbolKind } from 'vscode-languageserver';
import type { DocumentSymbol } from 'vscode-languageserver';

const DEFINITIONS: readonly (readonly [pattern: RegExp, kind: SymbolKind])[] = [
  [/^\s*%(?:i?x?define|i?assign)\s+([\w?.$@]+)/i, SymbolKind.Constant],
  [/^\s*%i?macro\s+([\w?.$@]+)/i, SymbolKind.Module],
  [/^\s*([A-Za-z_?][\w.$?@]*)\s+equ\b/i, SymbolKind.Constant],
  [/^\s*([A-Za-z_?][\w.$?@]*):?\s+(?:d[bwdqtoyz]|res[bwdqtoyz])\b/i, SymbolKind.Variable],
  [/^\s*(\.?[A-Za-z_?][\w.$?@]*):(?!:)/, SymbolKind.Function],
];

/** The names that a NASM source defines, as its lines show them: NASM itself assembles only whole files. */
export function nasmSymbols(text: string): DocumentSymbol[] {
  return text.split(/\r?\n/).flatMap((line, number) => {
    for (const [pattern, kind] of DEFINITIONS) {
      const name = pattern.exec(line)?.[1];
      if (name === undefined) continue;
      const character = line.indexOf(name);
      const range = {
        start: { line: number, character },
        end: { line: number, character: character + name.length },
      };
      return [{ name, kind, range, selectionRange: range }];
    }
    return [];
  });
}
