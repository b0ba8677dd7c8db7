/** The 8254 programmable interval timer (Intel 8254 data sheet) and port 61H: counter 0 interrupts, counter 2 is the speaker's. */
import type { PortDevice } from './device.js';
import type { InterruptLine } from './interruptLines.js';
import { nsOfTick, ticksAt } from './ticks.js';
import type { Timer, VirtualClock } from './virtualClock.js';

export const PIT_HZ = 1_193_182;

const LATCH_COUNT = 0;
const LOW_BYTE = 1;
const HIGH_BYTE = 2;
const BOTH_BYTES = 3;
const READ_BACK = 3;

/** One counter. Time is in ticks of the oscillator. */
class Counter {
  private mode = 0;
  private access = BOTH_BYTES;
  private bcd = false;
  private reload = 0x1_0000;
  private startTick = 0;
  /** A new control word waits for its count: the output does not move. */
  private counting = false;
  private gate = true;
  private writeLow = 0;
  private writesHigh = false;
  private readsHigh = false;
  private latched: number[] = [];

  constructor(
    private readonly now: () => number,
    private readonly changed: () => void,
  ) {}

  control(access: number, mode: number, bcd: boolean): void {
    this.access = access;
    this.mode = mode > 5 ? mode - 4 : mode;
    this.bcd = bcd;
    this.counting = this.writesHigh = this.readsHigh = false;
    this.latched = [];
    this.changed();
  }

  latchCount(): void {
    if (this.latched.length === 0) this.latched = this.bytesOf(this.count());
  }

  latchStatus(): void {
    const status =
      (this.output ? 0x80 : 0) |
      (this.counting ? 0 : 0x40) |
      (this.access << 4) |
      (this.mode << 1) |
      (this.bcd ? 1 : 0);
    this.latched.unshift(status);
  }

  private bytesOf(count: number): number[] {
    const both = [count & 0xff, (count >> 8) & 0xff];
    return this.access === LOW_BYTE ? [both[0]] : this.access === HIGH_BYTE ? [both[1]] : both;
  }

  read(): number {
    const latched = this.latched.shift();
    if (latched !== undefined) return latched;
    const bytes = this.bytesOf(this.count());
    if (bytes.length === 1) return bytes[0];
    this.readsHigh = !this.readsHigh;
    return bytes[this.readsHigh ? 0 : 1];
  }

  write(value: number): void {
    if (this.access === LOW_BYTE) this.load(value);
    else if (this.access === HIGH_BYTE) this.load(value << 8);
    else if (this.writesHigh) {
      this.writesHigh = false;
      this.load(this.writeLow | (value << 8));
    } else {
      this.writesHigh = true;
      this.writeLow = value;
      // In mode 0 the first byte stops the counting.
      if (this.mode === 0) this.counting = false;
      this.changed();
    }
  }

  private load(raw: number): void {
    const count = this.bcd ? fromBcd(raw) : raw;
    this.reload = count === 0 ? (this.bcd ? 10_000 : 0x1_0000) : count;
    // Modes 1 and 5 wait for the gate to rise.
    this.counting = this.mode !== 1 && this.mode !== 5;
    this.startTick = this.now();
    this.changed();
  }

  setGate(level: boolean): void {
    const rose = level && !this.gate;
    this.gate = level;
    if (rose) {
      this.startTick = this.now();
      this.counting = true;
    }
    this.changed();
  }

  private get periodic(): boolean {
    return this.mode === 2 || this.mode === 3;
  }

  private get elapsed(): number {
    return this.now() - this.startTick;
  }

  private count(): number {
    if (!this.counting || (!this.gate && this.periodic)) return this.shown(this.reload);
    const wrap = this.bcd ? 10_000 : 0x1_0000;
    if (this.mode === 3) {
      const inPeriod = (this.elapsed * 2) % this.reload;
      return this.shown(this.reload - (inPeriod & ~1));
    }
    if (this.mode === 2) return this.shown(this.reload - (this.elapsed % this.reload));
    return this.shown((((this.reload - this.elapsed) % wrap) + wrap) % wrap);
  }

  private shown(count: number): number {
    return this.bcd ? toBcd(count % 10_000) : count & 0xffff;
  }

  get output(): boolean {
    const { elapsed, reload } = this;
    switch (this.mode) {
      case 0:
      case 1:
        return this.counting ? elapsed >= reload : this.mode === 1;
      case 2:
        return !this.counting || !this.gate || elapsed % reload !== reload - 1;
      case 3:
        return !this.counting || !this.gate || elapsed % reload < (reload + 1) >> 1;
      default:
        return !this.counting || elapsed !== reload;
    }
  }

  /** Tick at which the output next rises, or Infinity. */
  nextRise(): number {
    if (!this.counting || !this.gate) return Infinity;
    const { startTick, reload } = this;
    if (!this.periodic) {
      const rise = startTick + reload + (this.mode >= 4 ? 1 : 0);
      return rise > this.now() ? rise : Infinity;
    }
    return startTick + (Math.floor(this.elapsed / reload) + 1) * reload;
  }
}

const fromBcd = (value: number): number =>
  [12, 8, 4, 0].reduce((sum, shift) => sum * 10 + ((value >> shift) & 15), 0);
const toBcd = (value: number): number =>
  [1000, 100, 10, 1].reduce((sum, unit) => (sum << 4) | (Math.floor(value / unit) % 10), 0);

export class Pit8254 {
  readonly ports: readonly PortDevice[];
  private readonly counters: readonly Counter[];
  private readonly timer: Timer;
  private speaker = 0;

  /** @param line the output of counter 0. */
  constructor(
    private readonly clock: VirtualClock,
    private readonly line: InterruptLine,
  ) {
    this.timer = clock.timer(() => this.rise());
    const now = (): number => ticksAt(clock.now, PIT_HZ);
    this.counters = [0, 1, 2].map((number) => new Counter(now, () => number === 0 && this.reschedule()));
    this.counters[2].setGate(false);
    this.ports = [
      {
        firstPort: 0x40,
        portCount: 4,
        readPort: (offset) => (offset === 3 ? 0xff : this.counters[offset].read()),
        writePort: (offset, _size, value) => this.write(offset, value & 0xff),
      },
      {
        firstPort: 0x61,
        portCount: 1,
        readPort: () => this.readSystemControl(),
        writePort: (_offset, _size, value) => {
          this.speaker = value & 3;
          this.counters[2].setGate((value & 1) !== 0);
        },
      },
    ];
  }

  private write(offset: number, value: number): void {
    if (offset !== 3) {
      this.counters[offset].write(value);
      return;
    }
    const selected = value >> 6;
    if (selected === READ_BACK) this.readBack(value);
    else if (((value >> 4) & 3) === LATCH_COUNT) this.counters[selected].latchCount();
    else this.counters[selected].control((value >> 4) & 3, (value >> 1) & 7, (value & 1) !== 0);
  }

  private readBack(command: number): void {
    this.counters.forEach((counter, number) => {
      if (!((command >> (number + 1)) & 1)) return;
      if (!(command & 0x20)) counter.latchCount();
      if (!(command & 0x10)) counter.latchStatus();
    });
  }

  /** Gate and speaker, the refresh toggle of 15 µs, the output of counter 2. */
  private readSystemControl(): number {
    const refresh = Math.floor(this.clock.now / 15_085) & 1;
    return this.speaker | (refresh << 4) | (this.counters[2].output ? 0x20 : 0);
  }

  private rise(): void {
    this.line.set(false);
    this.line.set(true);
    this.reschedule();
  }

  private reschedule(): void {
    if (!this.counters[0].output) this.line.set(false);
    const tick = this.counters[0].nextRise();
    this.timer.arm(tick === Infinity ? Infinity : nsOfTick(tick, PIT_HZ));
  }
}
