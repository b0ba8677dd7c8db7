/** The local APIC's timer, one-shot and periodic (SDM 3A 11.5.4). The bus clock is 1 GHz. */
import type { Timer, VirtualClock } from './virtualClock.js';

export class ApicTimer {
  initialCount = 0;
  divideConfiguration = 0;
  private startedNs = 0;
  private readonly timer: Timer;

  constructor(
    private readonly clock: VirtualClock,
    isPeriodic: () => boolean,
    expired: () => void,
  ) {
    this.timer = clock.timer(() => {
      if (isPeriodic()) {
        this.startedNs += this.initialCount * this.nsPerCount;
        this.arm();
      }
      expired();
    });
  }

  reset(): void {
    this.initialCount = this.divideConfiguration = 0;
    this.timer.arm(Infinity);
  }

  /** A write of the initial count starts the timer; 0 stops it. */
  start(initialCount: number): void {
    this.initialCount = initialCount;
    this.startedNs = this.clock.now;
    this.arm();
  }

  /** The count goes on from where it is, at the new speed. */
  setDivider(divideConfiguration: number): void {
    const remaining = this.currentCount;
    this.divideConfiguration = divideConfiguration;
    if (this.timer.deadlineNs === Infinity) return;
    this.startedNs = this.clock.now - (this.initialCount - remaining) * this.nsPerCount;
    this.arm();
  }

  get currentCount(): number {
    if (this.timer.deadlineNs === Infinity) return 0;
    return Math.max(0, Math.ceil((this.timer.deadlineNs - this.clock.now) / this.nsPerCount));
  }

  /** Divide configuration bits 3, 1, 0 (SDM 3A figure 11-10): 0 divides by 2, 6 by 128, 7 by 1. */
  private get nsPerCount(): number {
    const code = (this.divideConfiguration & 3) | ((this.divideConfiguration >> 1) & 4);
    return code === 7 ? 1 : 2 << code;
  }

  private arm(): void {
    const running = this.initialCount !== 0;
    this.timer.arm(running ? this.startedNs + this.initialCount * this.nsPerCount : Infinity);
  }
}
