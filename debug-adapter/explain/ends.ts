/** Why the machine could not go on, in words: for exceptionInfo, the debug console and the command line. */
import type { MachineEnd } from '../../emulator/machine/machineTypes.js';
import type { EntryFailure } from '../../emulator/machine/worldSwitch.js';
import { exitReason } from '../../emulator/vmx/exitReasons.js';
import { hex } from './words.js';

/** A refused VM entry: the check in the manual's words, where the manual has it, and what was found. */
export function explainEntryFailure(failure: EntryFailure): string {
  const { outcome, check, section, detail } = failure;
  const what =
    'vmInstructionError' in outcome
      ? `VM-instruction error ${outcome.vmInstructionError}`
      : `exit reason ${outcome.exitReason}: ${exitReason(outcome.exitReason)?.title ?? 'VM-entry failure'}`;
  return `VM entry failed with ${what}. ${check} (SDM ${section}): ${detail}`;
}

/** The exit status of a machine in which something failed (README). */
export const MACHINE_CHECK = 70;

/**
 * The exit status of a machine that ended by itself; undefined when it could not go on. A value that the guest or its host
 * chose stands; a failure before a plain halt does not pass for success.
 */
export function exitStatus(end: MachineEnd, hasFailed = false): number | undefined {
  if (end.kind === 'debugExit') return end.status;
  if (end.kind !== 'halted' && end.kind !== 'poweredOff') return undefined;
  return hasFailed ? MACHINE_CHECK : 0;
}

type EndTexts = { readonly [Kind in MachineEnd['kind']]: (end: MachineEnd & { kind: Kind }) => string };

const TEXTS: EndTexts = {
  debugExit: ({ status }) => `Port 0xf4 ended the machine with status ${status}`,
  poweredOff: () => 'The program switched the machine off (ACPI S5)',
  halted: () => 'The machine halted: HLT, and nothing is left that could wake the processor',
  tripleFault: ({ detail }) => `Triple fault: ${detail}`,
  vmxAbort: ({ detail }) => `VMX abort: ${detail}`,
  unimplemented: ({ what, rip }) => `${what} at RIP ${hex(rip)} is not implemented by this machine`,
};

/** The end of a session, in a sentence without its full stop. */
export function explainEnd(end: MachineEnd): string {
  const text = TEXTS[end.kind] as (end: MachineEnd) => string;
  return text(end);
}
