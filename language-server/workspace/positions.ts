/** Places of the assembler (1-based) as positions of the protocol (0-based). */
import type { Location, Position, Range } from 'vscode-languageserver';
import type { SourceRange } from '../../toolchain/assembler/analysis.js';
import type { Workspace } from './workspace.js';

export interface LineRange {
  readonly line: number;
  readonly column: number;
  readonly endColumn: number;
}

export function rangeOf({ line, column, endColumn }: LineRange): Range {
  return {
    start: { line: line - 1, character: column - 1 },
    end: { line: line - 1, character: Math.max(column, endColumn) - 1 },
  };
}

export function locationOf(workspace: Workspace, range: SourceRange): Location {
  return { uri: workspace.uriOf(range.file), range: rangeOf(range) };
}

export function placeOf({ line, character }: Position): { line: number; column: number } {
  return { line: line + 1, column: character + 1 };
}
