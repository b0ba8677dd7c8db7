/** The two 8259A interrupt controllers of a PC (Intel 8259A data sheet), and their ELCR (82371SB, 4D0H-4D1H). */
import type { PortDevice } from './device.js';
import type { ExternalInterrupts } from './localApic.js';

const ICW1_START = 0x10;
const ICW1_LEVEL = 0x08;
const ICW1_SINGLE = 0x02;
const ICW1_NEEDS_ICW4 = 0x01;
const ICW4_AUTO_EOI = 0x02;
const OCW3 = 0x08;
const CASCADE = 2;
const SPURIOUS = 7;

/** One 8259A. */
class Pic8259 {
  private lines = 0;
  private requested = 0;
  private inService = 0;
  private mask = 0;
  private autoEoi = false;
  private specialMask = false;
  private readsInService = false;
  private polled = false;
  /** The input of lowest priority; rotates. */
  private lowest = 7;
  /** Initialization words still to come at port 1. */
  private awaited: ('icw2' | 'icw3' | 'icw4')[] = [];
  /** Edge/level control register: inputs that are level-triggered. */
  elcr = 0;

  /** @param vectorBase as firmware leaves it. */
  constructor(
    private vectorBase: number,
    private readonly changed: () => void,
  ) {}

  setLine(input: number, level: boolean): void {
    const bit = 1 << input;
    const rose = level && (this.lines & bit) === 0;
    this.lines = level ? this.lines | bit : this.lines & ~bit;
    // An edge stays latched when the line falls, as in the 8259s of chipsets.
    if (rose && (this.elcr & bit) === 0) this.requested |= bit;
    this.changed();
  }

  /** The input that would interrupt, or -1: the highest unmasked one above what is in service. */
  pending(): number {
    const wanted = (this.requested | (this.lines & this.elcr)) & ~this.mask;
    const blocking = this.specialMask ? this.inService & ~this.mask : this.inService;
    for (let i = 1; i <= 8; i++) {
      const input = (this.lowest + i) & 7;
      if ((blocking >> input) & 1) return -1;
      if ((wanted >> input) & 1) return input;
    }
    return -1;
  }

  vectorOf(input: number): number {
    return this.vectorBase | input;
  }

  /** INTA: the input goes into service; without one it is spurious, input 7. */
  acknowledge(): number {
    const input = this.pending();
    if (input < 0) return SPURIOUS;
    this.requested &= ~(1 << input);
    if (this.autoEoi) return input;
    this.inService |= 1 << input;
    return input;
  }

  read(port: number): number {
    if (this.polled) {
      this.polled = false;
      const input = this.pending();
      if (input >= 0) this.acknowledge();
      this.changed();
      return input < 0 ? 0 : 0x80 | input;
    }
    if (port === 1) return this.mask;
    return this.readsInService ? this.inService : this.requested | (this.lines & this.elcr);
  }

  write(port: number, value: number): void {
    if (port === 1) this.writeWord(value);
    else if (value & ICW1_START) this.start(value);
    else if (value & OCW3) this.writeOcw3(value);
    else this.writeOcw2(value);
    this.changed();
  }

  private start(icw1: number): void {
    this.awaited = ['icw2'];
    if (!(icw1 & ICW1_SINGLE)) this.awaited.push('icw3');
    if (icw1 & ICW1_NEEDS_ICW4) this.awaited.push('icw4');
    this.elcr = icw1 & ICW1_LEVEL ? 0xff : this.elcr;
    this.requested = this.inService = this.mask = 0;
    this.lowest = 7;
    this.autoEoi = this.specialMask = this.readsInService = this.polled = false;
  }

  private writeWord(value: number): void {
    const word = this.awaited.shift();
    if (word === undefined) this.mask = value;
    else if (word === 'icw2') this.vectorBase = value & 0xf8;
    else if (word === 'icw4') this.autoEoi = (value & ICW4_AUTO_EOI) !== 0;
    // ICW3 tells the wiring, which is fixed.
  }

  /** EOI and rotation (data sheet, OCW2). */
  private writeOcw2(value: number): void {
    const level = value & 7;
    const specific = (value & 0x40) !== 0;
    const rotate = (value & 0x80) !== 0;
    const eoi = (value & 0x20) !== 0;
    if (!eoi) {
      if (rotate && specific) this.lowest = level;
      return;
    }
    const ended = specific ? level : this.highestInService();
    if (ended < 0) return;
    this.inService &= ~(1 << ended);
    if (rotate) this.lowest = ended;
  }

  private highestInService(): number {
    for (let i = 1; i <= 8; i++) {
      const input = (this.lowest + i) & 7;
      if ((this.inService >> input) & 1) return input;
    }
    return -1;
  }

  private writeOcw3(value: number): void {
    if (value & 0x04) this.polled = true;
    if (value & 0x02) this.readsInService = (value & 1) !== 0;
    if (value & 0x40) this.specialMask = (value & 0x20) !== 0;
  }
}

/** Inputs whose trigger mode cannot be level: the timer, keyboard, cascade, RTC and FPU. */
const ELCR_FIXED = [0x07, 0x21] as const;

export class InterruptControllers8259 implements ExternalInterrupts {
  private readonly master: Pic8259;
  private readonly slave: Pic8259;
  readonly ports: readonly PortDevice[];

  /** @param output the INTR line changed; true: it is high. */
  constructor(output: (level: boolean) => void) {
    this.master = new Pic8259(0x08, () => output(this.master.pending() >= 0));
    this.slave = new Pic8259(0x70, () => this.master.setLine(CASCADE, this.slave.pending() >= 0));
    const pair = (chip: Pic8259, firstPort: number): PortDevice => ({
      firstPort,
      portCount: 2,
      readPort: (offset) => chip.read(offset),
      writePort: (offset, _size, value) => chip.write(offset, value & 0xff),
    });
    const chips = [this.master, this.slave];
    this.ports = [
      pair(this.master, 0x20),
      pair(this.slave, 0xa0),
      {
        firstPort: 0x4d0,
        portCount: 2,
        readPort: (offset) => chips[offset].elcr,
        writePort: (offset, _size, value) => {
          chips[offset].elcr = value & 0xff & ~ELCR_FIXED[offset];
        },
      },
    ];
  }

  setLine(line: number, level: boolean): void {
    if (line < 8) this.master.setLine(line, level);
    else this.slave.setLine(line - 8, level);
  }

  pendingVector(): number {
    const input = this.master.pending();
    if (input < 0) return -1;
    if (input !== CASCADE) return this.master.vectorOf(input);
    const second = this.slave.pending();
    return this.slave.vectorOf(second < 0 ? SPURIOUS : second);
  }

  acknowledge(): number {
    const input = this.master.acknowledge();
    if (input !== CASCADE) return this.master.vectorOf(input);
    const vector = this.slave.vectorOf(this.slave.acknowledge());
    this.master.setLine(CASCADE, this.slave.pending() >= 0);
    return vector;
  }
}
