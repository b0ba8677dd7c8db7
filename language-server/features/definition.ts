import { DefinitionRequest } from 'vscode-languageserver';
import type { Location } from 'vscode-languageserver';
import type { SourceRange } from '../../toolchain/assembler/analysis.js';
import { cursorAt } from '../workspace/cursor.js';
import type { Cursor } from '../workspace/cursor.js';
import { locationOf } from '../workspace/positions.js';
import { placesOf, subjectAt } from '../workspace/subject.js';
import type { Subject } from '../workspace/subject.js';
import { feature } from './feature.js';

const FIRST_COLUMN = { line: 1, column: 1, endColumn: 1 };

export const definition = feature(
  DefinitionRequest.type,
  { definitionProvider: true },
  (workspace, { textDocument, position }) => {
    const cursor = cursorAt(workspace, textDocument.uri, position);
    if (!cursor) return null;
    const included = includedFile(cursor);
    if (included) return [included];
    const subject = subjectAt(cursor);
    if (!subject) return null;
    return definitionsOf(cursor, subject).map((place) => locationOf(workspace, place));
  },
);

/** The file that the path under the cursor names. */
function includedFile({ analysis, workspace, file, line, column }: Cursor): Location | undefined {
  const edge = analysis.includes.find(
    (include) =>
      include.file === file &&
      include.line === line &&
      column >= include.column - 1 &&
      column <= include.endColumn + 1,
  );
  return edge && locationOf(workspace, { file: edge.target, ...FIRST_COLUMN });
}

/** Where a name is defined. */
export function definitionsOf(cursor: Cursor, subject: Subject): readonly SourceRange[] {
  const { analysis } = cursor;
  const { name } = subject;
  if (subject.kind === 'macro') return present(analysis.macros.get(name)?.definition);
  if (subject.kind === 'preprocessorMacro') return present(analysis.preprocessorMacros.get(name)?.definition);
  if (subject.kind === 'symbol') {
    const definition = analysis.symbols.get(name)?.definition;
    if (definition) return [definition];
  }
  return placesOf(cursor, subject).filter(({ isDefinition }) => isDefinition);
}

const present = (range: SourceRange | undefined): SourceRange[] => (range ? [range] : []);
