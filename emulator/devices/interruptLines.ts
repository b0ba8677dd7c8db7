/** Where the interrupt request lines of a PC lead: to both 8259s and to the IO-APIC. */
import type { IoApic } from './ioApic.js';
import type { InterruptControllers8259 } from './pic8259.js';

/** The timer's line 0 is wired to input 2 of the IO-APIC; ACPI tells it as an override (ACPI 5.2.12.5). */
export const TIMER_IO_APIC_INPUT = 2;

/** A device's request line. */
export interface InterruptLine {
  set(level: boolean): void;
}

export class InterruptLines {
  constructor(
    private readonly pic: InterruptControllers8259,
    private readonly ioApic: IoApic,
  ) {}

  /** Drives line 0-23; those above 15 are not there at the 8259s. */
  set(line: number, level: boolean): void {
    if (line < 16) this.pic.setLine(line, level);
    this.ioApic.setInput(line === 0 ? TIMER_IO_APIC_INPUT : line, level);
  }

  line(number: number): InterruptLine {
    return { set: (level) => this.set(number, level) };
  }
}
