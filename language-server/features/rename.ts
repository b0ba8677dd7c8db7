import { ErrorCodes, PrepareRenameRequest, RenameRequest, ResponseError } from 'vscode-languageserver';
import type { TextEdit } from 'vscode-languageserver';
import type { NameReference } from '../../toolchain/assembler/analysis.js';
import { registerByName } from '../../toolchain/assembler/instructionTable.js';
import { cursorAt } from '../workspace/cursor.js';
import type { Cursor } from '../workspace/cursor.js';
import { rangeOf } from '../workspace/positions.js';
import { placesOf, subjectAt } from '../workspace/subject.js';
import type { Subject } from '../workspace/subject.js';
import { feature } from './feature.js';

const NAMES: Readonly<Record<Subject['kind'], RegExp>> = {
  symbol: /^[A-Za-z_.$][\w.$]*$/,
  macro: /^[A-Za-z_.$][\w.$]*$/,
  preprocessorMacro: /^[A-Za-z_]\w*$/,
  macroArgument: /^[A-Za-z_$][\w$]*$/,
  localLabel: /^\d+$/,
};
const refuse = (message: string): never => {
  throw new ResponseError(ErrorCodes.InvalidParams, message);
};

export const prepareRename = feature(
  PrepareRenameRequest.type,
  { renameProvider: { prepareProvider: true } },
  (workspace, { textDocument, position }) => {
    const cursor = cursorAt(workspace, textDocument.uri, position);
    const subject = cursor && subjectAt(cursor);
    if (!subject) return refuse('Only symbols, labels, macros and macro parameters can be renamed.');
    refuseForeign(cursor, subject);
    const { token } = subject;
    const letters = subject.kind === 'localLabel' ? /^\d+/.exec(token.text)![0].length : token.text.length;
    const { line } = cursor;
    return {
      range: rangeOf({ line, column: token.column, endColumn: token.column + letters }),
      placeholder: token.text.slice(0, letters),
    };
  },
);

export const rename = feature(
  RenameRequest.type,
  { renameProvider: { prepareProvider: true } },
  (workspace, { textDocument, position, newName }) => {
    const cursor = cursorAt(workspace, textDocument.uri, position);
    const subject = cursor && subjectAt(cursor);
    if (!subject) return refuse('There is no name here that can be renamed.');
    refuseForeign(cursor, subject);
    checkNewName(cursor, subject, newName);
    const changes: Record<string, TextEdit[]> = {};
    for (const place of placesOf(cursor, subject)) {
      const uri = workspace.uriOf(place.file);
      (changes[uri] ??= []).push({ range: rangeOf(place), newText: spelled(cursor, place, newName) });
    }
    return { changes };
  },
);

/** `1f` keeps its direction, a quoted symbol its quotes. */
function spelled({ analysis }: Cursor, place: NameReference, newName: string): string {
  const text = analysis.lineText(place.file, place.line)?.slice(place.column - 1, place.endColumn - 1) ?? '';
  if (/^\d+[fb]$/i.test(text)) return newName + text.at(-1)!;
  return text.startsWith('"') ? `"${newName}"` : newName;
}

/** Headers of include folders belong to others: their names stay. */
function refuseForeign(cursor: Cursor, subject: Subject): void {
  const { includeFolders } = cursor.workspace.settings;
  const foreign = placesOf(cursor, subject).find(({ file }) =>
    includeFolders.some((folder) => file.startsWith(`${folder.replace(/\\/g, '/')}/`)),
  );
  if (foreign) refuse(`“${subject.name}” stands in ${foreign.file}, which is not a part of this program.`);
}

function checkNewName({ analysis, state }: Cursor, subject: Subject, newName: string): void {
  if (!NAMES[subject.kind].test(newName)) refuse(`“${newName}” is not a name for this.`);
  if (newName === subject.name) return;
  const isTaken =
    subject.kind === 'symbol'
      ? analysis.symbols.get(newName)?.definition !== undefined || analysis.preprocessorMacros.has(newName)
      : subject.kind === 'macro'
        ? analysis.macros.has(newName)
        : subject.kind === 'preprocessorMacro' && analysis.preprocessorMacros.has(newName);
  if (isTaken) refuse(`“${newName}” is defined already.`);
  if (!state.registerPrefix && registerByName(newName.toLowerCase())) refuse(`“${newName}” is a register.`);
}
