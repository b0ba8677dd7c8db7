import { DocumentHighlightKind } from 'vscode-languageserver';
import type { DocumentHighlight } from 'vscode-languageserver';
import { registerName } from '../../toolchain/assembler/syntax.js';
import type { StatementSyntax } from '../../toolchain/assembler/syntax.js';
import { wholeRegister } from '../knowledge/registers.js';
import type { Cursor } from '../workspace/cursor.js';
import { rangeOf } from '../workspace/positions.js';

const wholeOf = (text: string): string => {
  const name = registerName(text);
  return wholeRegister(name) ?? name;
};

/** The uses of a register, whatever part of it, between the labels around the cursor. */
export function registerPlaces({ analysis, file, line, token }: Cursor): DocumentHighlight[] {
  const whole = wholeOf(token!.text);
  const hasLabel = (at: number): boolean =>
    analysis
      .lineSyntax(file, at)
      ?.statements.some(({ labels }) => labels.some(({ kind }) => kind === 'label')) ?? false;
  let first = line;
  while (first > 1 && !hasLabel(first)) first--;
  const places: DocumentHighlight[] = [];
  for (let at = first; at === first || !hasLabel(at); at++) {
    const syntax = analysis.lineSyntax(file, at);
    if (!syntax) break;
    for (const statement of syntax.statements) places.push(...inStatement(statement, whole, at));
  }
  return places;
}

function inStatement({ operands }: StatementSyntax, whole: string, line: number): DocumentHighlight[] {
  return operands.flatMap(({ tokens }) =>
    tokens
      .filter(({ kind, text }) => kind === 'register' && wholeOf(text) === whole)
      .map((token) => ({ range: rangeOf({ line, ...token }), kind: DocumentHighlightKind.Text })),
  );
}
