/** Local APIC in xAPIC mode (SDM 3A chapter 11), of a platform with one processor. */
import type { InterruptController } from '../cpu/seams.js';
import type { VirtualClock } from './virtualClock.js';
import { ApicTimer } from './apicTimer.js';
import type { MemoryDevice } from './device.js';

/** Register offsets, SDM 3A table 11-1. */
const Register = {
  ID: 0x20,
  VERSION: 0x30,
  TPR: 0x80,
  APR: 0x90,
  PPR: 0xa0,
  EOI: 0xb0,
  LDR: 0xd0,
  DFR: 0xe0,
  SVR: 0xf0,
  ISR: 0x100,
  TMR: 0x180,
  IRR: 0x200,
  ESR: 0x280,
  ICR_LOW: 0x300,
  ICR_HIGH: 0x310,
  LVT_TIMER: 0x320,
  LVT_THERMAL: 0x330,
  LVT_PERFORMANCE: 0x340,
  LVT_LINT0: 0x350,
  LVT_LINT1: 0x360,
  LVT_ERROR: 0x370,
  INITIAL_COUNT: 0x380,
  CURRENT_COUNT: 0x390,
  DIVIDE: 0x3e0,
} as const;

/** Version 0x14, six LVT entries (SDM 3A 11.4.8). */
const VERSION = 0x0005_0014;
const SVR_ENABLE = 1 << 8;
const LVT_MASKED = 1 << 16;
const LVT_PERIODIC = 1 << 17;
/** Writable bits of each local vector table entry (SDM 3A figure 11-8). */
const LVT_WRITABLE: Readonly<Record<number, number>> = {
  [Register.LVT_TIMER]: 0x3_00ff,
  [Register.LVT_THERMAL]: 0x1_07ff,
  [Register.LVT_PERFORMANCE]: 0x1_07ff,
  [Register.LVT_LINT0]: 0x1_a7ff,
  [Register.LVT_LINT1]: 0x1_a7ff,
  [Register.LVT_ERROR]: 0x1_00ff,
};

const ESR_SEND_ILLEGAL_VECTOR = 1 << 5;
const ESR_ILLEGAL_REGISTER = 1 << 7;

const BASE_GLOBAL_ENABLE = 1n << 11n;
const BASE_BOOTSTRAP = 1n << 8n;
export const APIC_DEFAULT_BASE = 0xfee0_0000n;

const DeliveryMode = {
  FIXED: 0,
  LOWEST_PRIORITY: 1,
  SMI: 2,
  NMI: 4,
  INIT: 5,
  STARTUP: 6,
  EXTINT: 7,
} as const;
const Shorthand = { NONE: 0, SELF: 1, ALL: 2, ALL_BUT_SELF: 3 } as const;

export class LocalApic implements InterruptController, MemoryDevice {
  nmiPending = false;
  private readonly id = 0;
  private taskPriority = 0;
  private logicalDestination = 0;
  private destinationFormat = 0xffff_ffff;
  private spuriousVector = 0xff;
  private errorStatus = 0;
  private errorsSinceWrite = 0;
  private commandLow = 0;
  private commandHigh = 0;
  private readonly inService = new Uint32Array(8);
  private readonly requested = new Uint32Array(8);
  private readonly localVectors = new Map<number, number>();
  private readonly timer: ApicTimer;
  private enabled = true;
  physicalPage = Number(APIC_DEFAULT_BASE >> 12n);

  constructor(
    private readonly clock: VirtualClock,
    private readonly moved: (device: LocalApic) => void,
  ) {
    this.timer = new ApicTimer(
      clock,
      () => (this.localVectors.get(Register.LVT_TIMER)! & LVT_PERIODIC) !== 0,
      () => {
        const entry = this.localVectors.get(Register.LVT_TIMER)!;
        if (!(entry & LVT_MASKED)) this.request(entry & 0xff);
      },
    );
    this.reset();
  }

  /** Power-up and INIT state, SDM 3A 11.4.7.1. */
  reset(): void {
    this.inService.fill(0);
    this.requested.fill(0);
    for (const register of Object.keys(LVT_WRITABLE)) this.localVectors.set(Number(register), LVT_MASKED);
    this.taskPriority = this.logicalDestination = this.errorStatus = this.errorsSinceWrite = 0;
    this.commandLow = this.commandHigh = 0;
    this.destinationFormat = 0xffff_ffff;
    this.spuriousVector = 0xff;
    this.nmiPending = false;
    this.timer.reset();
  }

  // -------------------------------------------------------------- interrupts

  pendingVector(): number {
    if (!this.enabled) return -1;
    const vector = highestBit(this.requested);
    return vector >= 0 && vector >> 4 > this.processorPriority() >> 4 ? vector : -1;
  }

  acknowledge(): number {
    const vector = this.pendingVector();
    if (vector < 0) return this.spuriousVector & 0xff;
    clearBit(this.requested, vector);
    setBit(this.inService, vector);
    return vector;
  }

  endOfInterrupt(): void {
    const vector = highestBit(this.inService);
    if (vector >= 0) clearBit(this.inService, vector);
  }

  get tpr(): number {
    return this.taskPriority;
  }

  setTpr(value: number): void {
    this.taskPriority = value & 0xff;
  }

  /** SDM 3A 11.8.3.1. */
  private processorPriority(): number {
    const service = highestBit(this.inService);
    const serviceClass = service < 0 ? 0 : service & 0xf0;
    return this.taskPriority >> 4 >= serviceClass >> 4 ? this.taskPriority : serviceClass;
  }

  /** A fixed interrupt arrives; ignored while the APIC is software-disabled (SDM 3A 11.4.7.2). */
  request(vector: number): void {
    if (!this.enabled || !(this.spuriousVector & SVR_ENABLE)) return;
    if (vector < 16) {
      this.errorsSinceWrite |= ESR_SEND_ILLEGAL_VECTOR << 1;
      return;
    }
    setBit(this.requested, vector);
  }

  // -------------------------------------------------------------- base address

  /** IA32_APIC_BASE; reserved bits and x2APIC are checked by the MSR table. */
  setBase(value: bigint): void {
    this.enabled = (value & BASE_GLOBAL_ENABLE) !== 0n;
    if (!this.enabled) this.reset();
    this.physicalPage = Number((value & 0xff_ffff_f000n) >> 12n);
    this.moved(this);
  }

  /** Is the register page decoded at all? */
  get decoded(): boolean {
    return this.enabled;
  }

  static readonly resetBase = APIC_DEFAULT_BASE | BASE_GLOBAL_ENABLE | BASE_BOOTSTRAP;

  // -------------------------------------------------------------- registers

  /** Registers are 32 bits on 16-byte boundaries; other accesses read the containing register's bytes. */
  readRegister(offset: number, size: number): bigint {
    const value = BigInt(this.read(offset & ~0xf) >>> 0);
    return (value >> BigInt((offset & 0xf) * 8)) & ((1n << BigInt(size * 8)) - 1n);
  }

  writeRegister(offset: number, _size: number, value: bigint): void {
    // Only aligned 32-bit writes are defined (SDM 3A 11.4.1); others are dropped.
    if ((offset & 0xf) !== 0) return;
    this.write(offset, Number(value & 0xffff_ffffn) | 0);
    // An EOI, a lower priority or an own IPI may have made an interrupt deliverable.
    this.clock.recheckEvents();
  }

  private read(offset: number): number {
    const bank = offset & ~0x7f;
    const word = (offset & 0x7f) >> 4;
    if (bank === Register.ISR) return this.inService[word];
    if (bank === Register.IRR) return this.requested[word];
    // No level-triggered source exists without an IO-APIC.
    if (bank === Register.TMR) return 0;
    const local = this.localVectors.get(offset);
    if (local !== undefined) return local;
    switch (offset) {
      case Register.ID:
        return this.id << 24;
      case Register.VERSION:
        return VERSION;
      case Register.TPR:
        return this.taskPriority;
      case Register.APR:
        return 0;
      case Register.PPR:
        return this.processorPriority();
      case Register.LDR:
        return this.logicalDestination;
      case Register.DFR:
        return this.destinationFormat;
      case Register.SVR:
        return this.spuriousVector;
      case Register.ESR:
        return this.errorStatus;
      case Register.ICR_LOW:
        return this.commandLow;
      case Register.ICR_HIGH:
        return this.commandHigh;
      case Register.INITIAL_COUNT:
        return this.timer.initialCount;
      case Register.CURRENT_COUNT:
        return this.timer.currentCount;
      case Register.DIVIDE:
        return this.timer.divideConfiguration;
      default:
        this.errorsSinceWrite |= ESR_ILLEGAL_REGISTER;
        return 0;
    }
  }

  private write(offset: number, value: number): void {
    if (offset in LVT_WRITABLE) {
      this.writeLocalVector(offset, value);
      return;
    }
    switch (offset) {
      case Register.TPR:
        this.setTpr(value);
        break;
      case Register.EOI:
        this.endOfInterrupt();
        break;
      case Register.LDR:
        this.logicalDestination = value & 0xff00_0000;
        break;
      case Register.DFR:
        this.destinationFormat = value | 0x0fff_ffff;
        break;
      case Register.SVR:
        this.writeSpuriousVector(value);
        break;
      case Register.ESR:
        this.errorStatus = this.errorsSinceWrite;
        this.errorsSinceWrite = 0;
        break;
      case Register.ICR_LOW:
        // Bit 12, delivery status, is read-only and always idle here.
        this.commandLow = value & 0x000c_cfff;
        this.sendInterprocessorInterrupt();
        break;
      case Register.ICR_HIGH:
        this.commandHigh = value & 0xff00_0000;
        break;
      case Register.INITIAL_COUNT:
        this.timer.start(value >>> 0);
        break;
      case Register.DIVIDE:
        this.timer.setDivider(value & 0xb);
        break;
      case Register.ID:
      case Register.VERSION:
      case Register.PPR:
      case Register.CURRENT_COUNT:
        break;
      default:
        this.errorsSinceWrite |= ESR_ILLEGAL_REGISTER;
    }
  }

  private writeLocalVector(offset: number, value: number): void {
    const disabled = !(this.spuriousVector & SVR_ENABLE);
    this.localVectors.set(offset, (value & LVT_WRITABLE[offset]) | (disabled ? LVT_MASKED : 0));
  }

  /** Software disable masks every local vector (SDM 3A 11.4.7.2). */
  private writeSpuriousVector(value: number): void {
    this.spuriousVector = value & 0x1ff;
    if (this.spuriousVector & SVR_ENABLE) return;
    for (const [register, entry] of this.localVectors) this.localVectors.set(register, entry | LVT_MASKED);
  }

  /** SDM 3A 11.6.1. The only processor is this one: what is addressed to others goes nowhere. */
  private sendInterprocessorInterrupt(): void {
    const vector = this.commandLow & 0xff;
    const mode = (this.commandLow >> 8) & 7;
    if (!this.addressedToSelf()) return;
    if (mode === DeliveryMode.FIXED || mode === DeliveryMode.LOWEST_PRIORITY) {
      if (vector < 16) this.errorsSinceWrite |= ESR_SEND_ILLEGAL_VECTOR;
      else this.request(vector);
    } else if (mode === DeliveryMode.NMI) {
      this.nmiPending = true;
    }
  }

  private addressedToSelf(): boolean {
    const shorthand = (this.commandLow >> 18) & 3;
    if (shorthand === Shorthand.SELF || shorthand === Shorthand.ALL) return true;
    if (shorthand === Shorthand.ALL_BUT_SELF) return false;
    const destination = this.commandHigh >>> 24;
    const logical = (this.commandLow & (1 << 11)) !== 0;
    if (!logical) return destination === this.id || destination === 0xff;
    return (destination & (this.logicalDestination >>> 24)) !== 0;
  }
}

function highestBit(words: Uint32Array): number {
  for (let word = words.length - 1; word >= 0; word--) {
    if (words[word] !== 0) return word * 32 + 31 - Math.clz32(words[word]);
  }
  return -1;
}

function setBit(words: Uint32Array, bit: number): void {
  words[bit >> 5] |= 1 << (bit & 31);
}

function clearBit(words: Uint32Array, bit: number): void {
  words[bit >> 5] &= ~(1 << (bit & 31));
}
