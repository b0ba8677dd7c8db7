/** What breakpoints of every kind have in common, and what the runner asks of them. */
import type { Fault } from '../../emulator/cpu/fault.js';
import type { WatchHit, Watchpoint, World } from '../../emulator/machine/machineTypes.js';
import type { EntryFailure, WorldSwitch } from '../../emulator/machine/worldSwitch.js';
import type { RaisedFault } from '../explain/failure.js';

/** Why the user sees the machine stopped: what the `stopped` event says. */
export interface StopCause {
  readonly reason:
    | 'step'
    | 'breakpoint'
    | 'function breakpoint'
    | 'instruction breakpoint'
    | 'data breakpoint'
    | 'exception'
    | 'pause'
    | 'entry'
    | 'goto';
  /** `Paused on …` in the call stack view. */
  readonly description?: string;
  readonly text?: string;
  readonly hitBreakpointIds?: readonly number[];
  /** For exceptionInfo. */
  readonly fault?: RaisedFault;
  readonly entryFailure?: EntryFailure;
  readonly switch?: WorldSwitch;
}

/** Evaluates conditions and log messages in the frame where a breakpoint was hit. Throws Error with a user's message. */
export interface HitContext {
  evaluate(expression: string): bigint;
  /** The expression as the debug console would show it. */
  format(expression: string): string;
}

/** The runner's questions. Answering undefined at a hit means: not now, go on. */
export interface BreakpointSet {
  /** Linear addresses where the machine must stop in a world. */
  addresses(world: World): ReadonlySet<bigint>;
  readonly watchpoints: readonly Watchpoint[];

  atAddress(world: World, address: bigint, context: HitContext): StopCause | undefined;
  atWatch(hits: readonly WatchHit[], context: HitContext): StopCause | undefined;
  /** Cheap: does any breakpoint name this switch's reason (its condition not yet asked)? */
  wantsSwitch(event: WorldSwitch): boolean;
  atSwitch(event: WorldSwitch, context: HitContext): StopCause | undefined;
  wantsException(world: World, fault: Fault): boolean;
  atException(raised: RaisedFault, context: HitContext): StopCause | undefined;
  wantsEntryFailure(): boolean;
  atEntryFailure(failure: EntryFailure, context: HitContext): StopCause | undefined;
}
