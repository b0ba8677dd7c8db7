/**
 * The body of `hyperstep/vmExits`: every exit reason with its count and its virtual time in the host, and VM entry with
 * the time in the guest.
 */
import { exitReasons, vmEntryRow } from '../../emulator/vmx/exitReasons.js';
import type { HyperstepRequests } from '../protocol.js';
import type { ExitCounts } from '../vmexits/counts.js';

/** `isBreakpoint`: whether execution stops at an exit reason. */
export function vmExitsView(
  counts: ExitCounts,
  isBreakpoint: (reason: number) => boolean,
): HyperstepRequests['hyperstep/vmExits']['body'] {
  const counted = new Map<number, { count: number; virtualNs: number }>(
    counts.rows().map((row) => [row.reason, row]),
  );
  counted.set(vmEntryRow.number, counts.entries);
  const reasons = [...exitReasons, vmEntryRow].map(({ number, constant, title, description }) => ({
    reason: number,
    name: constant,
    title,
    description,
    count: counted.get(number)?.count ?? 0,
    virtualNs: counted.get(number)?.virtualNs ?? 0,
    breakpoint: isBreakpoint(number),
  }));
  return { total: counts.total, reasons };
}
