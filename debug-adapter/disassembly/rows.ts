/** Rows before and after an address, aligned to where instructions really start. */
import type { CodeSpace } from './codeSpace.js';
import type { InstructionRow } from './instructionReader.js';
import { InstructionReader } from './instructionReader.js';
import { knownStart } from './symbols.js';

/** How far back a decoder starts where no start is known: x86 code falls into step within a few instructions. */
const RUN_UP = 64;

/** Exactly `count` rows; the first is `first` instructions after the one at `address`, or before when negative. */
export function rowsAround(
  space: CodeSpace,
  address: bigint,
  first: number,
  count: number,
): readonly InstructionRow[] {
  const reader = new InstructionReader(space);
  try {
    const before = first < 0 ? rowsBefore(reader, space, address, -first).slice(0, count) : [];
    const skipped = Math.max(0, first);
    const wanted = count - before.length;
    return [...before, ...rowsFrom(reader, space, address, skipped + wanted).slice(skipped)];
  } finally {
    reader.dispose();
  }
}

/** The rows of [start, end), whose first is at `start`. */
export function rowsBetween(space: CodeSpace, start: bigint, end: bigint): readonly InstructionRow[] {
  const reader = new InstructionReader(space);
  try {
    return decodeBetween(reader, space, start, end);
  } finally {
    reader.dispose();
  }
}

function rowsFrom(
  reader: InstructionReader,
  space: CodeSpace,
  start: bigint,
  count: number,
): InstructionRow[] {
  const rows: InstructionRow[] = [];
  for (let at = start; rows.length < count;) {
    const row = cutRow(reader, space, at);
    rows.push(row);
    at += sizeOf(row);
  }
  return rows;
}

function decodeBetween(
  reader: InstructionReader,
  space: CodeSpace,
  start: bigint,
  end: bigint,
): InstructionRow[] {
  const rows: InstructionRow[] = [];
  for (let at = start; at < end;) {
    const row = cutRow(reader, space, at, end);
    rows.push(row);
    at += sizeOf(row);
  }
  return rows;
}

/** Data between functions must not swallow the start of the next one. */
function cutRow(reader: InstructionReader, space: CodeSpace, at: bigint, end?: bigint): InstructionRow {
  const row = reader.rowAt(at, end);
  const inside = row.bytes.length > 1 ? knownStart(space, at + BigInt(row.bytes.length - 1)) : undefined;
  return inside !== undefined && inside > at ? reader.rowAt(at, inside) : row;
}

const sizeOf = (row: InstructionRow): bigint => BigInt(row.bytes.length || 1);

/** The last `count` rows before `address`, found from known starts backwards. */
function rowsBefore(
  reader: InstructionReader,
  space: CodeSpace,
  address: bigint,
  count: number,
): readonly InstructionRow[] {
  const pieces: (readonly InstructionRow[])[] = [];
  let missing = count;
  for (let end = address; missing > 0;) {
    const piece = pieceBefore(reader, space, end);
    pieces.unshift(piece);
    missing -= piece.length;
    end = piece[0].address;
  }
  return pieces.flat().slice(-count);
}

/** Some rows, at least one, that end exactly at `end`. */
function pieceBefore(reader: InstructionReader, space: CodeSpace, end: bigint): readonly InstructionRow[] {
  const last = end - 1n;
  if (last < 0n || space.read(last, 1).length === 0) return [reader.rowAt(last)];
  const start = knownStart(space, last) ?? guessStart(reader, space, end);
  return decodeBetween(reader, space, start, end);
}

/** Without symbols: of the starts within the run-up the one whose instructions end at `end` with the least data. */
function guessStart(reader: InstructionReader, space: CodeSpace, end: bigint): bigint {
  let best = { start: end - 1n, data: Infinity };
  for (let back = RUN_UP; back > RUN_UP - 15; back--) {
    const start = end - BigInt(back);
    if (start < 0n || space.read(start, back).length < back) continue;
    const data = decodeBetween(reader, space, start, end).filter(({ isValid }) => !isValid).length;
    if (data < best.data) best = { start, data };
  }
  return best.start;
}
