/** The body of `hyperstep/vmExits`: every exit reason with its count and its virtual time in the host. */
import { exitReasons } from '../../emulator/vmx/exitReasons.js';
import type { HyperstepRequests } from '../protocol.js';
import type { ExitCounts } from '../vmexits/counts.js';

/** `isBreakpoint`: whether execution stops at an exit reason. */
export function vmExitsView(
  counts: ExitCounts,
  isBreakpoint: (reason: number) => boolean,
): HyperstepRequests['hyperstep/vmExits']['body'] {
  const counted = new Map(counts.rows().map((row) => [row.reason, row]));
  const reasons = exitReasons.map(({ number, constant, title, description }) => ({
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
