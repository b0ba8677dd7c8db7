/** The local APIC's timer: one-shot, periodic and TSC deadline (SDM 3A 11.5.4). The bus clock is 1 GHz. */
import { TimerMode } from './apicRegisters.js';
import type { Timer, VirtualClock } from './virtualClock.js';

export class ApicTimer {
  initialCount = 0;
  divideConfiguration = 0;
  /** IA32_TSC_DEADLINE; 0 when disarmed. */
  deadline = 0n;
  /** TSC = virtual time + this. */
  private tscAdjust = 0n;
  private startedNs = 0;
  private readonly timer: Timer;

  constructor(
    private readonly clock: VirtualClock,
    private readonly mode: () => number,
    expired: () => void,
  ) {
    this.timer = clock.timer(() => {
      if (mode() === TimerMode.PERIODIC) {
        this.startedNs += this.initialCount * this.nsPerCount;
        this.arm();
      }
      this.deadline = 0n;
      expired();
    });
  }

  reset(): void {
    this.initialCount = this.divideConfiguration = 0;
    this.disarm();
  }

  /** The mode changed between counting and TSC deadline (SDM 3A 11.5.4.1). */
  disarm(): void {
    this.deadline = 0n;
    this.timer.arm(Infinity);
  }

  /** A write of the initial count starts the timer; 0 stops it. In TSC-deadline mode it is ignored. */
  start(initialCount: number): void {
    if (this.mode() === TimerMode.TSC_DEADLINE) return;
    this.initialCount = initialCount;
    this.startedNs = this.clock.now;
    this.arm();
  }

  /** WRMSR to IA32_TSC_DEADLINE: 0 disarms; a time that has passed fires at once. Ignored in the other modes. */
  setDeadline(tsc: bigint, tscAdjust: bigint): void {
    if (this.mode() !== TimerMode.TSC_DEADLINE) return;
    this.deadline = tsc;
    this.tscAdjust = tscAdjust;
    this.armDeadline();
  }

  /** The TSC was written: an armed deadline comes earlier or later. */
  tscMoved(tscAdjust: bigint): void {
    this.tscAdjust = tscAdjust;
    if (this.deadline !== 0n) this.armDeadline();
  }

  /** The count goes on from where it is, at the new speed. */
  setDivider(divideConfiguration: number): void {
    const remaining = this.currentCount;
    this.divideConfiguration = divideConfiguration;
    if (this.timer.deadlineNs === Infinity || this.deadline !== 0n) return;
    this.startedNs = this.clock.now - (this.initialCount - remaining) * this.nsPerCount;
    this.arm();
  }

  get currentCount(): number {
    if (this.timer.deadlineNs === Infinity || this.deadline !== 0n) return 0;
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

  private armDeadline(): void {
    if (this.deadline === 0n) {
      this.timer.arm(Infinity);
      return;
    }
    const untilDeadline = BigInt.asUintN(64, this.deadline - this.tscAdjust);
    const now = BigInt(Math.floor(this.clock.now));
    this.timer.arm(untilDeadline <= now ? this.clock.now : Number(untilDeadline));
  }
}
