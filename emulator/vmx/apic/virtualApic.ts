/** The virtual-APIC page and what the processor does with its registers: SDM 3C 30.1 and 30.2. */
import type { VmxContext } from '../context.js';
import { Primary, Secondary } from '../controls.js';
import { Field } from '../fields.js';

/** Offsets on the virtual-APIC page, SDM 3C 30.1.1. */
export const VirtualRegister = {
  VTPR: 0x80,
  VPPR: 0xa0,
  VEOI: 0xb0,
  VISR: 0x100,
  VIRR: 0x200,
  VICR_LOW: 0x300,
  VICR_HIGH: 0x310,
  /** SELF IPI of x2APIC mode: MSR 83FH. */
  SELF_IPI: 0x3f0,
} as const;

const REGISTER_SPACING = 0x10;
const VECTORS_PER_REGISTER = 32;
const REGISTERS = 8;

/** Values of `virtualInterrupt` in the processor state. */
export const VirtualInterrupt = { NONE: 0, RECOGNIZED: 1 } as const;

const priorityClass = (vector: number): number => vector >> 4;

/** What VMX does instead of the APIC: threshold and EOI exits are answered to the caller, who makes them. */
export class VirtualApic {
  constructor(private readonly context: VmxContext) {}

  read(offset: number): number {
    return this.context.physical.read32(this.page + offset);
  }

  write(offset: number, value: number): void {
    this.context.physical.write32(this.page + offset, value >>> 0);
  }

  get page(): number {
    return Number(this.context.vmcs.read(Field.virtualApicAddress));
  }

  // -------------------------------------------------------------- guest interrupt status, SDM 3C 25.4.2

  get requesting(): number {
    return this.context.vmcs.read32(Field.guestInterruptStatus) & 0xff;
  }

  private get servicing(): number {
    return this.context.vmcs.read32(Field.guestInterruptStatus) >> 8;
  }

  private setStatus(requesting: number, servicing: number): void {
    this.context.vmcs.write32(Field.guestInterruptStatus, requesting | (servicing << 8));
  }

  // -------------------------------------------------------------- priorities

  /** SDM 3C 30.1.2. True: a TPR-below-threshold VM exit is due. */
  virtualizeTpr(): boolean {
    if (this.deliversInterrupts) {
      this.virtualizePpr();
      this.evaluate();
      return false;
    }
    return this.isBelowThreshold;
  }

  get isBelowThreshold(): boolean {
    const threshold = this.context.vmcs.read32(Field.tprThreshold) & 0xf;
    return priorityClass(this.read(VirtualRegister.VTPR) & 0xff) < threshold;
  }

  /** SDM 3C 30.1.3. */
  virtualizePpr(): void {
    const tpr = this.read(VirtualRegister.VTPR) & 0xff;
    const { servicing } = this;
    const ppr = priorityClass(tpr) >= priorityClass(servicing) ? tpr : servicing & 0xf0;
    this.write(VirtualRegister.VPPR, ppr);
  }

  /** SDM 3C 30.1.4. Answers the vector whose EOI is a VM exit, or undefined. */
  virtualizeEoi(): number | undefined {
    const vector = this.servicing;
    this.setBit(VirtualRegister.VISR, vector, false);
    this.setStatus(this.requesting, this.highest(VirtualRegister.VISR));
    this.virtualizePpr();
    if (this.eoiExits(vector)) return vector;
    this.evaluate();
    return undefined;
  }

  private eoiExits(vector: number): boolean {
    const bitmap = [Field.eoiExitBitmap0, Field.eoiExitBitmap1, Field.eoiExitBitmap2, Field.eoiExitBitmap3];
    return ((this.context.vmcs.read(bitmap[vector >> 6]) >> BigInt(vector & 63)) & 1n) !== 0n;
  }

  /** SDM 3C 30.1.5. */
  virtualizeSelfIpi(vector: number): void {
    this.request(vector);
    this.evaluate();
  }

  // -------------------------------------------------------------- virtual interrupts

  get deliversInterrupts(): boolean {
    return this.context.secondary(Secondary.virtualInterruptDelivery);
  }

  /** Sets the request of a vector, and RVI to it where it is higher. */
  request(vector: number): void {
    this.setBit(VirtualRegister.VIRR, vector, true);
    this.setStatus(Math.max(this.requesting, vector), this.servicing);
  }

  /** Evaluation of pending virtual interrupts, SDM 3C 30.2.1. */
  evaluate(): void {
    const { state } = this.context.processor;
    const pending =
      !this.context.primary(Primary.interruptWindowExiting) &&
      priorityClass(this.requesting) > priorityClass(this.read(VirtualRegister.VPPR) & 0xff);
    state.virtualInterrupt = pending ? VirtualInterrupt.RECOGNIZED : VirtualInterrupt.NONE;
  }

  /** Takes the recognized interrupt for delivery (SDM 3C 30.2.2): its vector. */
  take(): number {
    const vector = this.requesting;
    this.setBit(VirtualRegister.VISR, vector, true);
    this.write(VirtualRegister.VPPR, vector & 0xf0);
    this.setBit(VirtualRegister.VIRR, vector, false);
    this.setStatus(this.highest(VirtualRegister.VIRR), vector);
    this.context.processor.state.virtualInterrupt = VirtualInterrupt.NONE;
    return vector;
  }

  private setBit(base: number, vector: number, on: boolean): void {
    const offset = base + (vector >> 5) * REGISTER_SPACING;
    const bit = 1 << (vector & 31);
    this.write(offset, on ? this.read(offset) | bit : this.read(offset) & ~bit);
  }

  /** The highest vector set in a 256-bit register, 0 for none. */
  private highest(base: number): number {
    for (let register = REGISTERS - 1; register >= 0; register--) {
      const bits = this.read(base + register * REGISTER_SPACING);
      if (bits !== 0) return register * VECTORS_PER_REGISTER + 31 - Math.clz32(bits);
    }
    return 0;
  }
}
