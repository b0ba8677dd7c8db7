/** What a run is remembered for as failed: the guest's triple fault, with the exception that it began with. */
import type { Fault } from '../../emulator/cpu/fault.js';
import type { World } from '../../emulator/machine/machineTypes.js';
import type { WorldSwitch } from '../../emulator/machine/worldSwitch.js';
import { ExitReason } from '../../emulator/vmx/exitReasons.js';
import type { Debuggee } from '../debuggee/debuggee.js';
import { codeSpaceOfWorld } from '../disassembly/codeSpace.js';
import { symbolicAddress } from '../disassembly/symbols.js';
import { explainFaultAt } from './faults.js';
import { hex } from './words.js';

/** An exception that an instruction raised, and where; `rip` without the base of CS. */
export interface RaisedFault {
  readonly fault: Fault;
  readonly world: World;
  readonly rip: bigint;
  readonly csBase: bigint;
}

/** `#PF page fault: …; in the guest at 0x100000 (_start)`. */
export function explainRaisedFault(debuggee: Debuggee, { fault, world, rip, csBase }: RaisedFault): string {
  const place = symbolicAddress(codeSpaceOfWorld(debuggee, world), BigInt.asUintN(64, csBase + rip));
  return explainFaultAt(fault, world, rip, place);
}

/** Why the guest triple-faulted; undefined for another VM exit. */
export function explainTripleFault(debuggee: Debuggee, event: WorldSwitch): string | undefined {
  if (event.exit?.reason !== ExitReason.TRIPLE_FAULT || event.exit.entryFailure) return undefined;
  const { lastFault } = debuggee;
  const isCause = lastFault?.world === 'guest' && lastFault.rip === event.rip;
  const cause = isCause
    ? explainRaisedFault(debuggee, lastFault)
    : `an exception that its host injected; at ${hex(event.rip)}`;
  return `The guest triple-faulted: it could not handle ${cause}`;
}
