/** The virtual clock and its timers. */
import type { Clock, Engine } from '../cpu/seams.js';

/** A timer of a device: fires once at its deadline, at an exact position. */
export interface Timer {
  /** Virtual nanoseconds; Infinity disarms. */
  arm(deadlineNs: number): void;
  readonly deadlineNs: number;
}

interface ArmedTimer extends Timer {
  deadlineNs: number;
  readonly fire: () => void;
}

export class VirtualClock implements Clock {
  private base = 0;
  private engine: Pick<Engine, 'retiredNow' | 'requestReturn'> | undefined;
  private readonly timers: ArmedTimer[] = [];
  nextEvent = Infinity;

  /** The engine whose progress counts as time while it runs. */
  attach(engine: Pick<Engine, 'retiredNow' | 'requestReturn'>): void {
    this.engine = engine;
  }

  get now(): number {
    return this.base + (this.engine?.retiredNow ?? 0);
  }

  advance(instructions: number): void {
    this.base += instructions;
  }

  /** An idle machine's time jumps forward; never back. */
  jumpTo(ns: number): void {
    if (ns > this.base) this.base = ns;
  }

  /** Makes a timer; `fire` runs at its deadline, in order of deadline, then of creation. */
  timer(fire: () => void): Timer {
    const timer: ArmedTimer = {
      deadlineNs: Infinity,
      fire,
      arm: (deadlineNs) => {
        timer.deadlineNs = deadlineNs;
        this.reschedule();
        // A run in progress was bounded by the old deadline.
        this.recheckEvents();
      },
    };
    this.timers.push(timer);
    return timer;
  }

  /** A device's state changed: a run in progress returns at the next instruction boundary to look at it. */
  recheckEvents(): void {
    this.engine?.requestReturn();
  }

  fireDue(): void {
    for (;;) {
      let due: ArmedTimer | undefined;
      for (const timer of this.timers) {
        if (timer.deadlineNs <= this.now && (!due || timer.deadlineNs < due.deadlineNs)) due = timer;
      }
      if (!due) return;
      due.deadlineNs = Infinity;
      this.reschedule();
      due.fire();
    }
  }

  private reschedule(): void {
    this.nextEvent = this.timers.reduce((least, timer) => Math.min(least, timer.deadlineNs), Infinity);
  }
}
