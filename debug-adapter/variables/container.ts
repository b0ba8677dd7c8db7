/** What a variablesReference stands for: rows, and a way to change one. */
import type { DebugProtocol } from '@vscode/debugprotocol';
import type { NumberFormat } from './numberFormat.js';

/** A variable before its children have a reference. */
export interface VariableRow {
  readonly name: string;
  readonly value: string;
  readonly type?: string;
  readonly evaluateName?: string;
  readonly memoryReference?: string;
  readonly presentationHint?: DebugProtocol.VariablePresentationHint;
  readonly children?: Container;
}

/** Which rows are asked for: DAP's paging. Without `count`, all from `start`. */
export interface Page {
  readonly start?: number;
  readonly count?: number;
}

export interface Container {
  /** Number of children by index, for paging; only arrays have it. */
  readonly indexed?: number;
  readonly named?: number;
  rows(format: NumberFormat, page: Page): readonly VariableRow[];
  /** Changes a row and answers it anew. Throws VariableError or ExpressionError with the reason. */
  set(name: string, text: string, format: NumberFormat): VariableRow;
  /** Where a row lies in memory; only containers of C values have that. Throws when the row has no place there. */
  place?(name: string): MemoryPlace;
}

/** Bytes in memory. */
export interface MemoryPlace {
  /** Linear address. */
  readonly address: bigint;
  readonly length: number;
}

/** The rows of a page. */
export const pageOf = <T>(rows: readonly T[], { start = 0, count }: Page): readonly T[] =>
  rows.slice(start, count ? start + count : undefined);
