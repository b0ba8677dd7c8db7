/** Tests of the features on sources with cursors in them. */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { TextDocument } from 'vscode-languageserver-textdocument';
import type { Position, Range } from 'vscode-languageserver';
import { features } from '../features/index.js';
import { DEFAULT_SETTINGS } from '../settings.js';
import type { AssemblySettings } from '../settings.js';
import { synchronousFiles } from '../workspace/sourceFiles.js';
import { Workspace } from '../workspace/workspace.js';

export const root = path.join(path.dirname(fileURLToPath(import.meta.url)), '..', '..');
const HEADERS = path.join(root, 'hypervisors', 'include');
const FOLDER = '/work';

/** A workspace of files in memory, and the headers of guests. */
export interface Fixture {
  readonly workspace: Workspace;
  readonly uri: string;
  /** Where the `¦` marks stood, in the order of the text. */
  readonly marks: readonly Position[];
  request<Result>(method: string, parameters?: Record<string, unknown>): Result;
}

/**
 * Opens the first file of a text such as
 *
 *     //- /part.S
 *     print:¦ ret
 *
 * whose lines `//- /name` begin files (`/main.S` when there is none). `¦` marks positions.
 */
export function open(text: string, settings: Partial<AssemblySettings> = {}): Fixture {
  const files = split(text);
  const [[main, marked]] = files;
  const marks: Position[] = [];
  const source = marked
    .split('\n')
    .map((line, number) => {
      let rest = line;
      for (let at = rest.indexOf('¦'); at >= 0; at = rest.indexOf('¦')) {
        marks.push({ line: number, character: at });
        rest = rest.slice(0, at) + rest.slice(at + 1);
      }
      return rest;
    })
    .join('\n');
  const contents = new Map(files.map(([name, content]) => [FOLDER + name, content]));
  const workspace = new Workspace(
    synchronousFiles((file) => {
      const content = contents.get(file);
      if (content !== undefined) return new TextEncoder().encode(content);
      return file.startsWith(HEADERS) ? readIfThere(file) : undefined;
    }),
  );
  workspace.settings = { ...DEFAULT_SETTINGS, includeFolders: [HEADERS], ...settings };
  for (const [name] of files.slice(1)) workspace.addSource(FOLDER + name);
  const uri = `file://${FOLDER}${main}`;
  workspace.update(TextDocument.create(uri, 'hyperstep-gas', 1, source));
  const request = <Result>(method: string, parameters: Record<string, unknown> = {}): Result => {
    const feature = features.find((candidate) => candidate.method === method);
    if (!feature) throw new Error(`No feature answers ${method}`);
    const position = marks[0] ?? { line: 0, character: 0 };
    return feature.answer(workspace, { textDocument: { uri }, position, ...parameters }) as Result;
  };
  return { workspace, uri, marks, request };
}

/** A workspace whose files are those on disk. */
export function workspaceOnDisk(settings: Partial<AssemblySettings> = {}): Workspace {
  const workspace = new Workspace(synchronousFiles(readIfThere));
  workspace.settings = { ...DEFAULT_SETTINGS, includeFolders: [HEADERS], ...settings };
  return workspace;
}

function split(text: string): [name: string, content: string][] {
  const files: [string, string][] = [];
  for (const line of text.replace(/^\n/, '').split('\n')) {
    const name = /^\/\/- (\S+)$/.exec(line)?.[1];
    if (name !== undefined) files.push([name, '']);
    else {
      if (files.length === 0) files.push(['/main.S', '']);
      files.at(-1)![1] += `${line}\n`;
    }
  }
  return files;
}

function readIfThere(file: string): Uint8Array | undefined {
  try {
    return readFileSync(file);
  } catch {
    // A header of this name is not there: the next folder is tried.
    return undefined;
  }
}

/** A range as `line:from-to`, from 0. */
export const short = ({ start, end }: Range): string => `${start.line}:${start.character}-${end.character}`;
