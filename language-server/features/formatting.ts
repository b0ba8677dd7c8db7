import { DocumentFormattingRequest, DocumentRangeFormattingRequest } from 'vscode-languageserver';
import type { FormattingOptions, TextEdit } from 'vscode-languageserver';
import type { LineSyntax, StatementSyntax } from '../../toolchain/assembler/syntax.js';
import { fileOfUri } from '../workspace/uris.js';
import type { Workspace } from '../workspace/workspace.js';
import { feature } from './feature.js';

export const formatting = feature(
  DocumentFormattingRequest.type,
  { documentFormattingProvider: true },
  (workspace, { textDocument, options }) =>
    format(workspace, textDocument.uri, options, 1, Number.POSITIVE_INFINITY),
);

export const rangeFormatting = feature(
  DocumentRangeFormattingRequest.type,
  { documentRangeFormattingProvider: true },
  (workspace, { textDocument, options, range }) =>
    format(workspace, textDocument.uri, options, range.start.line + 1, range.end.line + 1),
);

/** Columns at which operations and operands stand, in characters. */
const OPERATION_COLUMN = 8;
const OPERAND_COLUMN = 16;

function format(
  workspace: Workspace,
  uri: string,
  options: FormattingOptions,
  first: number,
  last: number,
): TextEdit[] | null {
  const analysis = workspace.analysis(uri);
  const file = fileOfUri(uri);
  if (!analysis) return null;
  const edits: TextEdit[] = [];
  let isContinued = false;
  for (let line = first; line <= last; line++) {
    const text = analysis.lineText(file, line);
    const syntax = analysis.lineSyntax(file, line);
    if (text === undefined || !syntax) break;
    const before = analysis.lineSyntax(file, line - 1)?.endsInComment ?? false;
    const isMacro = isContinued;
    isContinued = text.trimEnd().endsWith('\\');
    // Comments over several lines, and #define with its continuation lines, are the author's.
    const newText = before || isMacro || isContinued ? text : formatLine(text, syntax, options);
    if (newText === text) continue;
    const range = {
      start: { line: line - 1, character: 0 },
      end: { line: line - 1, character: text.length },
    };
    edits.push({ range, newText });
  }
  return edits;
}

/** A line with its operation and operands in their columns; comments and what stands inside of operands stay. */
export function formatLine(text: string, syntax: LineSyntax, options: FormattingOptions): string {
  const trimmed = text.trimEnd();
  const { statements } = syntax;
  if (statements.length === 0) return trimmed;
  const [statement] = statements;
  if (statements.length > 1 || statement.operation?.kind === 'preprocessor') return trimmed;
  if (trimmed.slice(0, statement.column - 1).trim() !== '') return trimmed;
  const tail = trimmed.slice(statement.endColumn - 1);
  const line = formatStatement(trimmed, statement, options);
  const comment = /^\s*(.*)$/.exec(tail)![1];
  if (comment === '') return line;
  // A comment keeps its distance, unless it touches the code.
  return line + (/^\s+/.exec(tail)?.[0] ?? ' ') + comment;
}

function formatStatement(text: string, statement: StatementSyntax, options: FormattingOptions): string {
  const { labels, prefixes, operation, operands, column, endColumn } = statement;
  let result = '';
  if (labels.length > 0) {
    const behind = operation ? (prefixes[0] ?? operation).column - 1 : endColumn - 1;
    result = text.slice(column - 1, behind).replace(/\s+/g, '');
    if (!result.endsWith(':')) result += ':';
    result = result.replace(/:(?=.)/g, ': ');
  }
  if (!operation) return result;
  const isAssignment = operation.kind === 'label';
  if (isAssignment) {
    const value = text.slice(operation.endColumn - 1, endColumn - 1).replace(/^\s*(==?)\s*/, ' $1 ');
    return (result ? `${result} ` : '') + operation.text + value;
  }
  result = padTo(result, OPERATION_COLUMN, options);
  const words = [...prefixes, operation].map((token) => token.text).join(' ');
  result += words;
  if (operands.length === 0) return result;
  const written = text.slice(operation.endColumn - 1, endColumn - 1);
  const first = operands[0].column;
  const list = operands.map(({ column: from, endColumn: to }, index) => {
    const next = operands[index + 1];
    const between = next
      ? text.slice(to - 1, next.column - 1).trim()
      : text.slice(to - 1, endColumn - 1).trim();
    return text.slice(from - 1, to - 1) + between + (next && between === ',' ? ' ' : '');
  });
  // What stands before the first operand's first token, such as `$` or `*`, belongs to it.
  const lead = written.slice(0, first - operation.endColumn).trim();
  return padTo(result, OPERAND_COLUMN, options) + lead + list.join('');
}

/** Pads with tabs or spaces to a column, with at least one blank between. */
function padTo(text: string, column: number, { tabSize, insertSpaces }: FormattingOptions): string {
  const width = visibleWidth(text, tabSize);
  if (width >= column) return text === '' ? text : `${text} `;
  if (insertSpaces) return text + ' '.repeat(column - width);
  return text + '\t'.repeat(Math.ceil((column - width) / tabSize));
}

function visibleWidth(text: string, tabSize: number): number {
  let width = 0;
  for (const character of text) width += character === '\t' ? tabSize - (width % tabSize) : 1;
  return width;
}
