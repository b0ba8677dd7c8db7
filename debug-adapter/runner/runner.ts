/** Runs the machine in slices, so that requests are answered meanwhile, until something stops it for the user. */
import type { MachineEnd, MachineStop, World } from '../../emulator/machine/machineTypes.js';
import type { WorldSwitch } from '../../emulator/machine/worldSwitch.js';
import type { BreakpointSet, HitContext, StopCause } from '../breakpoints/types.js';
import type { Debuggee } from '../debuggee/debuggee.js';
import { explainEntryFailure } from '../explain/ends.js';
import type { Plan } from './plan.js';
import { RepeatStart } from './repeatedString.js';

/** Wall-clock services, handed in. Milliseconds. */
export interface Pacing {
  now(): number;
  /** Lets requests in, then goes on after this time. */
  wait(milliseconds: number): Promise<void>;
}

export interface RunnerEvents {
  stopped(cause: StopCause): void;
  ended(end: MachineEnd): void;
  /** After every slice. */
  progressed(): void;
}

const SLICE_MS = 10;
const FIRST_BUDGET = 200_000;
const LEAST_BUDGET = 1_000;
const MOST_BUDGET = 20_000_000;
/** Instructions stepped one by one between two looks at the clock. */
const STEPS = 64;
/** Idle time passes in pieces, so that Pause is answered and a blocked call is seen to wait. */
const IDLE_PIECE_MS = 50;

export class Runner {
  private budget = FIRST_BUDGET;
  private pauseRequested = false;
  private active = false;
  private plan: Plan | undefined;
  private readonly stopAddresses: Record<World, bigint | undefined> = { root: undefined, guest: undefined };

  /** @param hitContext evaluates conditions where the machine stands. */
  constructor(
    private readonly debuggee: Debuggee,
    private readonly breakpoints: BreakpointSet,
    private readonly pacing: Pacing,
    private readonly hitContext: () => HitContext,
    private readonly events: RunnerEvents,
  ) {
    const { observers } = debuggee.machine;
    observers.onWorldSwitch = (event) => this.switched(event);
    observers.onEntryFailure = (failure) => {
      debuggee.failure ??= explainEntryFailure(failure);
      return breakpoints.wantsEntryFailure();
    };
    observers.onException = (world, fault, rip) => {
      debuggee.observeException(world, fault, rip);
      return breakpoints.wantsException(world, fault);
    };
    this.breakpointsChanged();
  }

  get running(): boolean {
    return this.active;
  }

  /** Puts the user's breakpoints into the machine; also while it runs. */
  breakpointsChanged(): void {
    const { machine } = this.debuggee;
    for (const world of ['root', 'guest'] as const) this.setAddresses(world);
    machine.setWatchpoints(this.breakpoints.watchpoints);
  }

  /** Goes on with a plan; the answer comes through the events. */
  resume(plan: Plan): void {
    if (this.active) throw new Error('the machine runs already');
    this.active = true;
    this.pauseRequested = false;
    this.plan = plan;
    void this.loop(plan);
  }

  /** Stops at the end of the slice. */
  pause(): void {
    this.pauseRequested = true;
  }

  private setAddresses(world: World): void {
    const extra = this.stopAddresses[world];
    const user = this.breakpoints.addresses(world);
    this.debuggee.machine.setBreakpoints(world, extra === undefined ? user : new Set([...user, extra]));
  }

  private stopAt(wanted: Partial<Record<World, bigint>>): void {
    for (const world of ['root', 'guest'] as const) {
      if (this.stopAddresses[world] === wanted[world]) continue;
      this.stopAddresses[world] = wanted[world];
      this.setAddresses(world);
    }
  }

  private switched(event: WorldSwitch): boolean {
    this.debuggee.observe(event);
    const wanted = this.plan?.wantsSwitch(event) ?? false;
    return this.breakpoints.wantsSwitch(event) || wanted;
  }

  private async loop(plan: Plan): Promise<void> {
    for (;;) {
      // Before the first slice too: a client hears that its request was taken, then that the machine stopped.
      await this.pacing.wait(0);
      const result = this.slice(plan);
      if (result) {
        this.finish(result);
        return;
      }
      this.events.progressed();
      if (this.pauseRequested) {
        this.finish({ reason: 'pause' });
        return;
      }
    }
  }

  private finish(result: StopCause | { readonly end: MachineEnd } | { readonly idleUntil: number }): void {
    if ('idleUntil' in result) {
      if (this.pauseRequested) this.finish({ reason: 'pause' });
      else void this.idle(result.idleUntil);
      return;
    }
    this.active = false;
    this.plan = undefined;
    this.stopAt({});
    if ('end' in result) this.events.ended(result.end);
    else this.events.stopped(result);
  }

  /** The machine waits for a timer: its time passes as ours does. */
  private async idle(untilNs: number): Promise<void> {
    const { machine } = this.debuggee;
    while (machine.virtualNs < untilNs && !this.pauseRequested) {
      const started = this.pacing.now();
      await this.pacing.wait(Math.min(IDLE_PIECE_MS, (untilNs - machine.virtualNs) / 1e6));
      const passedNs = Math.ceil((this.pacing.now() - started) * 1e6);
      machine.skipIdle(Math.min(untilNs, machine.virtualNs + passedNs));
      this.events.progressed();
    }
    if (this.plan) void this.loop(this.plan);
  }

  /** Undefined: go on. */
  private slice(plan: Plan): StopCause | { end: MachineEnd } | { idleUntil: number } | undefined {
    const motion = plan.motion();
    return motion.kind === 'step' ? this.stepSlice(plan) : this.runSlice(plan, motion.stopAt ?? {});
  }

  private runSlice(plan: Plan, wanted: Partial<Record<World, bigint>>) {
    this.stopAt(wanted);
    const started = this.pacing.now();
    const start = new RepeatStart(this.debuggee.machine);
    const stop = this.debuggee.machine.run(this.budget);
    if (stop.kind === 'budget') this.adaptBudget(this.pacing.now() - started);
    if (stop.kind === 'breakpoint' && start.isInside) return undefined;
    return this.answer(plan, stop);
  }

  private stepSlice(plan: Plan) {
    const { machine } = this.debuggee;
    const started = this.pacing.now();
    do {
      for (let i = 0; i < STEPS && plan.motion().kind === 'step'; i++) {
        const start = new RepeatStart(machine);
        const stop = machine.step();
        if (stop.kind !== 'budget') return this.answer(plan, stop);
        const complete = plan.arrived();
        const here = start.isInside ? undefined : this.userBreakpointHere();
        const cause = here ?? (complete ? { reason: plan.reason } : undefined);
        if (cause) return cause;
      }
    } while (plan.motion().kind === 'step' && this.pacing.now() - started < SLICE_MS);
    return undefined;
  }

  /** A step, and a run after any stop, pass over the breakpoint at RIP: look where the machine came to. */
  private userBreakpointHere(): StopCause | undefined {
    const { world, state } = this.debuggee.machine;
    const address = BigInt.asUintN(64, state.csBase + state.rip);
    if (!this.breakpoints.addresses(world).has(address)) return undefined;
    return this.breakpoints.atAddress(world, address, this.hitContext());
  }

  private answer(plan: Plan, stop: MachineStop) {
    const { breakpoints } = this;
    switch (stop.kind) {
      case 'budget':
        return undefined;
      case 'breakpoint': {
        const isUsers = breakpoints.addresses(stop.world).has(stop.address);
        const cause = isUsers
          ? breakpoints.atAddress(stop.world, stop.address, this.hitContext())
          : undefined;
        const complete = this.stopAddresses[stop.world] === stop.address && plan.arrived();
        return cause ?? (complete ? { reason: plan.reason } : undefined);
      }
      case 'worldSwitch': {
        const cause = breakpoints.wantsSwitch(stop.event)
          ? breakpoints.atSwitch(stop.event, this.hitContext())
          : undefined;
        const complete = plan.wantsSwitch(stop.event) && plan.arrived();
        return both(cause, this.userBreakpointHere()) ?? (complete ? { reason: plan.reason } : undefined);
      }
      case 'watchpoint':
        return both(breakpoints.atWatch(stop.hits, this.hitContext()), this.userBreakpointHere());
      case 'exception': {
        const { world, fault, rip } = stop;
        const { csBase } = this.debuggee.machine.state;
        return breakpoints.atException({ world, fault, rip, csBase }, this.hitContext());
      }
      case 'entryFailure':
        return breakpoints.atEntryFailure(stop.failure, this.hitContext());
      case 'idle':
        return { idleUntil: stop.untilNs };
      case 'ended':
        return { end: stop.end };
    }
  }

  private adaptBudget(milliseconds: number): void {
    const factor = milliseconds > 0 ? Math.min(2, Math.max(0.25, SLICE_MS / milliseconds)) : 2;
    this.budget = Math.round(Math.min(MOST_BUDGET, Math.max(LEAST_BUDGET, this.budget * factor)));
  }
}

/** What stopped the machine, and a breakpoint on the instruction that comes next. */
function both(cause: StopCause | undefined, here: StopCause | undefined): StopCause | undefined {
  if (!cause || !here) return cause ?? here;
  return {
    ...cause,
    hitBreakpointIds: [...(cause.hitBreakpointIds ?? []), ...(here.hitBreakpointIds ?? [])],
  };
}
