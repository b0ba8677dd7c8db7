import { DW_AT, DW_TAG } from '../dwarf/constants.js';
import type { Die } from '../dwarf/die.js';
import { rangesOf } from '../dwarf/ranges.js';
import type { InlineFrame, SourceLocation } from './debugInfo.js';
import type { Units } from './units.js';

/** The scopes that contain an address, from the function's own entry to the innermost block or inlined call. */
export function scopesAt(functionDie: Die, address: bigint): Die[] {
  const scopes = [functionDie];
  for (let scope: Die | undefined = functionDie; scope !== undefined;) {
    scope = scope
      .childrenTagged(DW_TAG.inlined_subroutine, DW_TAG.lexical_block)
      .find((child) => rangesOf(child).some(({ low, high }) => address >= low && address < high));
    if (scope !== undefined) {
      scopes.push(scope);
    }
  }
  return scopes;
}

/** The calls that are inlined at an address, innermost first. */
export function inlineFrames(functionDie: Die, address: bigint, units: Units): InlineFrame[] {
  return scopesAt(functionDie, address)
    .filter(({ tag }) => tag === DW_TAG.inlined_subroutine)
    .map((die) => ({ name: die.name ?? '??', call: callSite(die, units) }))
    .reverse();
}

function callSite(die: Die, units: Units): SourceLocation | undefined {
  const file = units.lines(die.unit).file(die.number(DW_AT.call_file));
  const line = die.number(DW_AT.call_line);
  return file === undefined || line === undefined
    ? undefined
    : { file, line, column: die.number(DW_AT.call_column) ?? 0 };
}
