/** Generated listings: a source for code that has none, so that every frame can be focused. */
import type { World } from '../../emulator/machine/machineTypes.js';
import type { CodeSpace } from '../disassembly/codeSpace.js';
import type { InstructionRow } from '../disassembly/instructionReader.js';
import { bytesText } from '../disassembly/instructionReader.js';
import { rowsAround, rowsBetween } from '../disassembly/rows.js';
import { symbolStartingAt } from '../disassembly/symbols.js';

/** A function longer than this is listed around the pc only. */
const LONGEST_FUNCTION = 0x1000n;
const ROWS_AROUND = 40;
const BYTES_COLUMN = 3 * 8;

export interface Listing {
  readonly name: string;
  readonly text: string;
  /** 1-based line of each instruction. */
  readonly lines: ReadonlyMap<bigint, number>;
}

/**
 * The function around `pc`, or the instructions around it where no function is known. `lookup` lies in the function also
 * when `pc` is a return address behind its end.
 */
export function createListing(
  space: CodeSpace,
  { pc, lookup }: { readonly pc: bigint; readonly lookup: bigint },
  missingFile: string | undefined,
): Listing {
  const info = space.imageAt(lookup)?.debugInfo.functionAt(lookup);
  const range = info?.ranges.find(({ low, high }) => low <= lookup && lookup < high);
  const isWhole = range !== undefined && range.high - range.low <= LONGEST_FUNCTION;
  const rows = isWhole
    ? rowsThrough(space, range.low, pc, pc < range.high ? range.high : pc + 1n)
    : rowsAround(space, pc, -ROWS_AROUND, 2 * ROWS_AROUND + 1);
  const what = info?.name ?? `0x${pc.toString(16)}`;
  return { name: `${what} (disassembly)`, ...layOut(space, rows, headerOf(space.world, missingFile)) };
}

/** `pc` has a row of its own, whatever instruction it is in the middle of. */
function rowsThrough(space: CodeSpace, low: bigint, pc: bigint, high: bigint): readonly InstructionRow[] {
  return [...rowsBetween(space, low, pc), ...rowsBetween(space, pc, high)];
}

function headerOf(world: World, missingFile: string | undefined): string[] {
  const where = world === 'guest' ? "the guest's memory" : 'memory in VMX root operation';
  const reason = missingFile ? `${missingFile} is not on this machine` : 'No source is known for this code';
  return [`# ${reason}. Disassembly of ${where}:`, ''];
}

function layOut(space: CodeSpace, rows: readonly InstructionRow[], header: readonly string[]) {
  const text = [...header];
  const lines = new Map<bigint, number>();
  for (const row of rows) {
    const symbol = symbolStartingAt(space, row.address);
    if (symbol !== undefined) text.push(`${symbol}:`);
    const address = `0x${row.address.toString(16)}`;
    lines.set(row.address, text.length + 1);
    text.push(`  ${address}  ${bytesText(row.bytes).padEnd(BYTES_COLUMN)}  ${row.text}`);
  }
  return { text: `${text.join('\n')}\n`, lines };
}
