/** Runs a prepared machine to its end: the one loop behind run, trace and exits. */
import type { Machine, MachineEnd } from '../emulator/machine/machineTypes.js';
import type { EntryFailure } from '../emulator/machine/worldSwitch.js';

/** Exit statuses of the command line's contract (README). */
export const ExitStatus = { DONE: 0, FAILED: 1, USAGE: 2, MACHINE_CHECK: 70, LIMIT: 75 } as const;

/** Instructions between two looks at the clock and the limit. */
const SLICE = 20_000_000;

export interface Outcome {
  readonly status: number;
  /** For standard error: why the machine could not go on. */
  readonly explanation: string | undefined;
}

export interface ExecuteOptions {
  readonly time: 'fast' | 'real';
  readonly maxInstructions: number;
}

const hex = (value: bigint | number): string => `0x${value.toString(16)}`;

/** Observes what makes a run fail: the guest's triple fault, and VM entries that a check refused. */
class Failures {
  private text: string | undefined;

  constructor(machine: Machine) {
    const { onWorldSwitch, onEntryFailure } = machine.observers;
    machine.observers.onWorldSwitch = (event) => {
      if (event.exit?.reason === EXIT_REASON_TRIPLE_FAULT && !event.exit.entryFailure) {
        this.text ??= `the guest triple-faulted at RIP ${hex(event.rip)}, position ${event.position}`;
      }
      return onWorldSwitch?.(event) ?? false;
    };
    machine.observers.onEntryFailure = (failure) => {
      this.text ??= describeEntryFailure(failure);
      return onEntryFailure?.(failure) ?? false;
    };
  }

  get explanation(): string | undefined {
    return this.text;
  }
}

const EXIT_REASON_TRIPLE_FAULT = 2;

export function describeEntryFailure(failure: EntryFailure): string {
  const { outcome } = failure;
  const what =
    'vmInstructionError' in outcome
      ? `VM-instruction error ${outcome.vmInstructionError}`
      : `exit reason ${outcome.exitReason}`;
  return `VM entry failed with ${what}: ${failure.check} (SDM ${failure.section}): ${failure.detail}`;
}

/** Runs until the machine ends, the limit is reached or `isDone` says so. */
export async function execute(
  machine: Machine,
  options: ExecuteOptions,
  isDone?: () => boolean,
): Promise<Outcome> {
  const failures = new Failures(machine);
  machine.paceIdle = options.time === 'real';
  for (;;) {
    const left = options.maxInstructions - machine.position;
    if (left <= 0) {
      return { status: ExitStatus.LIMIT, explanation: `stopped after ${machine.position} instructions` };
    }
    const stop = machine.run(Math.min(left, SLICE));
    if (isDone?.()) return { status: ExitStatus.DONE, explanation: undefined };
    if (stop.kind === 'ended') return outcomeOf(stop.end, failures.explanation);
    if (stop.kind === 'idle') {
      await delay((stop.untilNs - machine.virtualNs) / 1e6);
      machine.skipIdle(stop.untilNs);
    }
  }
}

function delay(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}

function outcomeOf(end: MachineEnd, failure: string | undefined): Outcome {
  const failed = (explanation: string): Outcome => ({ status: ExitStatus.MACHINE_CHECK, explanation });
  switch (end.kind) {
    case 'debugExit':
      return { status: end.status, explanation: undefined };
    case 'halted':
      return failure === undefined ? { status: ExitStatus.DONE, explanation: undefined } : failed(failure);
    case 'tripleFault':
      return failed(`triple fault: ${end.detail}`);
    case 'vmxAbort':
      return failed(`VMX abort: ${end.detail}`);
    case 'unimplemented':
      return failed(`${end.what} at RIP ${hex(end.rip)} is not implemented by this machine`);
  }
}
