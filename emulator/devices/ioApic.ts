/** The IO-APIC (Intel 82093AA data sheet; the EOI register of version 20H: ICH7 data sheet 10.5). */
import type { ApicBus } from './apicBus.js';
import type { MemoryDevice } from './device.js';

export const IO_APIC_BASE = 0xfec0_0000;
export const IO_APIC_INPUTS = 24;
const VERSION = 0x20;

const Register = { SELECT: 0x00, WINDOW: 0x10, EOI: 0x40 } as const;
const Index = { ID: 0, VERSION: 1, ARBITRATION: 2, FIRST_ENTRY: 0x10 } as const;

/** Low half of a redirection table entry (data sheet 3.2.4). */
const LOGICAL = 1 << 11;
const DELIVERY_STATUS = 1 << 12;
const REMOTE_IRR = 1 << 14;
const LEVEL = 1 << 15;
const MASKED = 1 << 16;
const WRITABLE_LOW = 0x1_afff;

export class IoApic implements MemoryDevice {
  readonly physicalPage = IO_APIC_BASE / 4096;
  private selected = 0;
  private id = 0;
  private readonly low = new Int32Array(IO_APIC_INPUTS).fill(MASKED);
  private readonly high = new Int32Array(IO_APIC_INPUTS);
  /** Asserted inputs; edges that wait for their entry to be unmasked are lost, as in the chip. */
  private lines = 0;

  constructor(private readonly bus: ApicBus) {
    bus.onEndOfInterrupt((vector) => this.endOfInterrupt(vector));
  }

  /** Drives an input; `level`: asserted. Whether that is high or low is the entry's business alone. */
  setInput(input: number, level: boolean): void {
    const bit = 1 << input;
    const rose = level && (this.lines & bit) === 0;
    this.lines = level ? this.lines | bit : this.lines & ~bit;
    const entry = this.low[input];
    if ((entry & LEVEL) !== 0 ? level : rose) this.deliver(input);
  }

  private deliver(input: number): void {
    const entry = this.low[input];
    if ((entry & MASKED) !== 0) return;
    const levelTriggered = (entry & LEVEL) !== 0;
    if (levelTriggered) {
      if ((entry & REMOTE_IRR) !== 0) return;
      this.low[input] |= REMOTE_IRR;
    }
    this.bus.send({
      destination: this.high[input] >>> 24,
      logical: (entry & LOGICAL) !== 0,
      wide: false,
      mode: (entry >> 8) & 7,
      vector: entry & 0xff,
      levelTriggered,
    });
  }

  /** A processor ended a level-triggered interrupt: while the line is asserted it comes again. */
  private endOfInterrupt(vector: number): void {
    for (let input = 0; input < IO_APIC_INPUTS; input++) {
      const entry = this.low[input];
      if ((entry & REMOTE_IRR) === 0 || (entry & 0xff) !== vector) continue;
      this.low[input] &= ~REMOTE_IRR;
      if ((this.lines >> input) & 1) this.deliver(input);
    }
  }

  readRegister(offset: number): bigint {
    if (offset === Register.SELECT) return BigInt(this.selected);
    return offset === Register.WINDOW ? BigInt(this.readSelected() >>> 0) : 0n;
  }

  writeRegister(offset: number, _size: number, value: bigint): void {
    const word = Number(value & 0xffff_ffffn) | 0;
    if (offset === Register.SELECT) this.selected = word & 0xff;
    else if (offset === Register.WINDOW) this.writeSelected(word);
    else if (offset === Register.EOI) this.endOfInterrupt(word & 0xff);
  }

  private readSelected(): number {
    const { selected } = this;
    if (selected === Index.ID || selected === Index.ARBITRATION) return this.id << 24;
    if (selected === Index.VERSION) return ((IO_APIC_INPUTS - 1) << 16) | VERSION;
    const input = (selected - Index.FIRST_ENTRY) >> 1;
    if (input < 0 || input >= IO_APIC_INPUTS) return 0;
    return (selected & 1) !== 0 ? this.high[input] : this.low[input];
  }

  private writeSelected(value: number): void {
    const { selected } = this;
    if (selected === Index.ID) this.id = (value >>> 24) & 0xf;
    const input = (selected - Index.FIRST_ENTRY) >> 1;
    if (input < 0 || input >= IO_APIC_INPUTS) return;
    if ((selected & 1) !== 0) {
      this.high[input] = value;
      return;
    }
    const kept = this.low[input] & (REMOTE_IRR | DELIVERY_STATUS);
    this.low[input] = (value & WRITABLE_LOW) | ((value & LEVEL) !== 0 ? kept : 0);
    if ((value & LEVEL) !== 0 && (this.lines >> input) & 1) this.deliver(input);
  }
}
