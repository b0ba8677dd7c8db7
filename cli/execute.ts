/** Runs a prepared machine to its end: the one loop behind run, trace and exits. */
import { exitStatus, explainEnd, MACHINE_CHECK } from '../debug-adapter/explain/ends.js';
import { worldName } from '../debug-adapter/explain/words.js';
import type { PreparedLaunch } from '../debug-adapter/launch/prepareLaunch.js';
import { CompilerMismatch } from '../emulator/cpu/compiler/regionCheck.js';
import type { Machine, MachineEnd, MachineStop } from '../emulator/machine/machineTypes.js';
import { Failures } from './failures.js';

/** Exit statuses of the command line's contract (README). */
export const ExitStatus = {
  DONE: 0,
  FAILED: 1,
  USAGE: 2,
  MACHINE_CHECK,
  LIMIT: 75,
  HOST_FAILED: 255,
} as const;

/** Instructions between two looks at the clock and the limit. */
const SLICE = 20_000_000;

/** A timer of Node takes no longer delay. */
const LONGEST_DELAY_MS = 2 ** 31 - 1;

export interface Outcome {
  readonly status: number;
  /** For standard error: why the machine could not go on. */
  readonly explanation: string | undefined;
}

export interface ExecuteOptions {
  readonly time: 'fast' | 'real';
  readonly maxInstructions: number;
}

/** Runs until the machine ends, the limit is reached or `isDone` says so. */
export async function execute(
  launch: PreparedLaunch,
  options: ExecuteOptions,
  isDone?: () => boolean,
): Promise<Outcome> {
  const { machine } = launch;
  const failures = new Failures(launch);
  machine.paceIdle = options.time === 'real';
  for (;;) {
    const left = options.maxInstructions - machine.position;
    if (left <= 0) {
      return { status: ExitStatus.LIMIT, explanation: explainLimit(machine, failures) };
    }
    let stop: MachineStop;
    try {
      stop = machine.run(Math.min(left, SLICE));
    } catch (error) {
      if (!(error instanceof CompilerMismatch)) throw error;
      return { status: ExitStatus.MACHINE_CHECK, explanation: error.message };
    }
    if (isDone?.()) return { status: ExitStatus.DONE, explanation: undefined };
    if (stop.kind === 'ended') return outcomeOf(stop.end, failures);
    if (stop.kind === 'idle') {
      await delay((stop.untilNs - machine.virtualNs) / 1e6);
      machine.skipIdle(stop.untilNs);
    }
  }
}

function delay(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, Math.min(milliseconds, LONGEST_DELAY_MS)));
}

function explainLimit(machine: Machine, failures: Failures): string {
  const place = failures.placeAt(machine.world, machine.state.rip, machine.state.csBase);
  return `stopped after ${machine.position} instructions, in ${worldName(machine.world)} ${place}`;
}

function outcomeOf(end: MachineEnd, failures: Failures): Outcome {
  const { explanation } = failures;
  const status = exitStatus(end, explanation !== undefined);
  if (status === undefined) {
    const cause = end.kind === 'tripleFault' ? `; ${failures.cause}` : '';
    return { status: ExitStatus.MACHINE_CHECK, explanation: explainEnd(end) + cause };
  }
  if (status === ExitStatus.HOST_FAILED) return { status, explanation: failures.hostFault };
  return { status, explanation };
}
