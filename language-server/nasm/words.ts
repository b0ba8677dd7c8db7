import type { Position, Range } from 'vscode-languageserver';
import type { Workspace } from '../workspace/workspace.js';

/** A word of a NASM source, in lower case. */
export interface NasmWord {
  readonly text: string;
  readonly range: Range;
  /** The word is the first of its statement, after a label and prefixes. */
  readonly isFirst: boolean;
}

const BEFORE_MNEMONIC = /^\s*(?:[\w.$?@]+:\s*)?(?:(?:rep\w*|lock|bnd)\s+)*$/i;

/** The word at a position, outside of comments; undefined when there is none. */
export function nasmWordAt(
  workspace: Workspace,
  uri: string,
  { line, character }: Position,
): NasmWord | undefined {
  const text = workspace
    .document(uri)
    ?.getText()
    .split(/\r?\n/, line + 1)[line];
  if (text === undefined) return undefined;
  const comment = text.indexOf(';');
  if (comment >= 0 && comment < character) return undefined;
  const before = /[\w.$?@]*$/.exec(text.slice(0, character))![0];
  const after = /^[\w.$?@]*/.exec(text.slice(character))![0];
  const start = character - before.length;
  return {
    text: (before + after).toLowerCase(),
    range: { start: { line, character: start }, end: { line, character: character + after.length } },
    isFirst: BEFORE_MNEMONIC.test(text.slice(0, start)),
  };
}
