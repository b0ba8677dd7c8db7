/** The ACPI fixed hardware that the FADT names: PM1 event and control blocks, PM timer (ACPI 6.4, 4.8.3). */
import type { PortDevice } from './device.js';
import { ticksAt } from './ticks.js';
import type { VirtualClock } from './virtualClock.js';

export const PM_BASE = 0x600;
/** Offsets of the blocks from `PM_BASE`. */
export const PM1_EVENT = 0;
export const PM1_CONTROL = 4;
export const PM_TIMER = 8;
const PM_TIMER_HZ = 3_579_545;
const SCI_ENABLE = 1;
const SLEEP_ENABLE = 1 << 13;
const SLEEP_TYPE_SHIFT = 10;
/** What the \_S5 object of the DSDT says. */
export const SLEEP_TYPE_S5 = 5;

export class PmTimer implements PortDevice {
  readonly firstPort = PM_BASE;
  readonly portCount = 12;
  private enable = 0;
  private control = SCI_ENABLE;

  /** @param powerOff software asked for S5. */
  constructor(
    private readonly clock: VirtualClock,
    private readonly powerOff: () => void,
  ) {}

  readPort(offset: number, size: number): number {
    const registers = BigInt(this.enable << 16) | (BigInt(this.control) << 32n) | (BigInt(this.count) << 64n);
    return Number((registers >> BigInt(offset * 8)) & ((1n << BigInt(size * 8)) - 1n));
  }

  /** The 24-bit counter. */
  private get count(): number {
    return ticksAt(this.clock.now, PM_TIMER_HZ) % 2 ** 24;
  }

  writePort(offset: number, size: number, value: number): void {
    if (offset === PM1_EVENT + 2) this.enable = value & 0xffff;
    if (offset !== PM1_CONTROL || size < 2) return;
    this.control = (value & 0x1c00) | SCI_ENABLE;
    if (value & SLEEP_ENABLE && ((value >> SLEEP_TYPE_SHIFT) & 7) === SLEEP_TYPE_S5) this.powerOff();
  }
}
