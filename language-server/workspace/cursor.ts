import type { Position } from 'vscode-languageserver';
import type { Analysis, LineState } from '../../toolchain/assembler/analysis.js';
import { registerByName } from '../../toolchain/assembler/instructionTable.js';
import { parseLine } from '../../toolchain/assembler/syntax.js';
import type { LineSyntax, StatementSyntax, SyntaxToken } from '../../toolchain/assembler/syntax.js';
import { placeOf } from './positions.js';
import { fileOfUri } from './uris.js';
import type { Workspace } from './workspace.js';

/** Where the user points: a place in the newest text, with what stands there. Columns are 1-based. */
export interface Cursor {
  readonly workspace: Workspace;
  readonly analysis: Analysis;
  readonly file: string;
  readonly line: number;
  readonly column: number;
  readonly text: string;
  readonly state: LineState;
  readonly syntax: LineSyntax;
  readonly token: SyntaxToken | undefined;
  readonly statement: StatementSyntax | undefined;
}

export const isPreprocessed = (file: string): boolean => !file.endsWith('.s');

/** Reads a line of the newest text, in the state that the analysis has for it. */
export function readLine(
  analysis: Analysis,
  file: string,
  line: number,
  text: string,
): { state: LineState; syntax: LineSyntax } {
  const state = analysis.stateAt(file, line);
  const syntax = parseLine(text, {
    startsInComment: analysis.lineSyntax(file, line - 1)?.endsInComment ?? false,
    preprocessed: isPreprocessed(file),
    syntax: state.syntax,
    registerPrefix: state.registerPrefix,
    isRegister: (name) => registerByName(name) !== undefined,
  });
  return { state, syntax };
}

/** What is at a position; undefined when the document is not one that the assembler reads. `analysis`: which to use. */
export function cursorAt(
  workspace: Workspace,
  uri: string,
  position: Position,
  analysis = workspace.analysis(uri),
): Cursor | undefined {
  const document = workspace.document(uri);
  if (!document || !analysis) return undefined;
  const file = fileOfUri(uri);
  const { line, column } = placeOf(position);
  const start = { line: position.line, character: 0 };
  const end = { line: position.line + 1, character: 0 };
  const text = document.getText({ start, end }).replace(/[\r\n]+$/, '');
  const { state, syntax } = readLine(analysis, file, line, text);
  return {
    workspace,
    analysis,
    file,
    line,
    column,
    text,
    state,
    syntax,
    token: tokenAt(syntax, column),
    statement: statementAt(syntax, column),
  };
}

/** The token under a column, or the one that ends there. */
function tokenAt({ tokens }: LineSyntax, column: number): SyntaxToken | undefined {
  const touching = tokens.filter(
    (token) => column >= token.column && column <= token.endColumn && token.kind !== 'operator',
  );
  return touching.at(-1);
}

/** The statement that a column is in or behind. */
function statementAt({ statements }: LineSyntax, column: number): StatementSyntax | undefined {
  return statements.filter((statement) => statement.column <= column).at(-1);
}

/** 0-based index of the operand at a column: the number of commas between the operation and it. */
export function operandIndexAt(syntax: LineSyntax, { operation }: StatementSyntax, column: number): number {
  let index = 0;
  let depth = 0;
  for (const token of syntax.tokens) {
    if (token.kind !== 'operator' || token.column < (operation?.endColumn ?? 0)) continue;
    if (token.endColumn > column) break;
    if (token.text === '(' || token.text === '[') depth++;
    if (token.text === ')' || token.text === ']') depth--;
    if (token.text === ',' && depth <= 0) index++;
  }
  return index;
}
