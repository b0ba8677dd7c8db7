/** A logged call with the names that debug information and handlers give: what the protocol and `trace` show. */
import type { OwnHypercall } from '../launch/handlersImage.js';
import type { RegisterValues } from '../protocol.js';
import type { DebugInfo } from '../../toolchain/debuginfo/debugInfo.js';
import { callPlace } from './callSite.js';
import { SHOWN_REGISTERS } from './conventions.js';
import type { HypercallLog, LoggedCall } from './log.js';

const hex = (value: bigint): string => `0x${value.toString(16)}`;

export function registerValues(values: readonly bigint[]): RegisterValues {
  return Object.fromEntries(SHOWN_REGISTERS.map((name, i) => [name, hex(values[i])])) as RegisterValues;
}

/** What names a hypercall: the convention's numbers, then the user's own handlers. */
export function nameOf(log: HypercallLog, call: LoggedCall, own: readonly OwnHypercall[]): string | null {
  return log.convention.numberNames[Number(call.nr)] ?? own.find(({ nr }) => nr === call.nr)?.name ?? null;
}

/** The caller's source line. */
export function sourceOf(call: LoggedCall, guest: DebugInfo): { file: string; line: number } | null {
  const place = callPlace(call.callSite, guest);
  return place ? { file: place.file, line: place.line } : null;
}
