/** Local APIC in xAPIC and x2APIC mode (SDM 3A chapter 11). */
import type { InterruptController } from '../cpu/seams.js';
import type { ApicBus, InterruptMessage, InterruptReceiver } from './apicBus.js';
import {
  APIC_DEFAULT_BASE,
  ApicBase,
  ApicError,
  DeliveryMode,
  LVT_MASKED,
  LVT_WRITABLE,
  Register,
  Shorthand,
  SVR_ENABLE,
  timerMode,
  TimerMode,
  VERSION,
} from './apicRegisters.js';
import { ApicTimer } from './apicTimer.js';
import type { MemoryDevice } from './device.js';
import { VectorSet } from './vectorSet.js';
import type { VirtualClock } from './virtualClock.js';

/** The 8259's output, where LINT0 is wired as ExtINT. */
export interface ExternalInterrupts {
  /** The vector that `acknowledge` would answer, or -1. */
  pendingVector(): number;
  acknowledge(): number;
}

export class LocalApic implements InterruptController, MemoryDevice, InterruptReceiver {
  nmiPending = false;
  initPending = false;
  /** Vector of a STARTUP message that was not taken yet, or -1. */
  startupVector = -1;
  physicalPage = Number(APIC_DEFAULT_BASE >> 12n);
  private taskPriority = 0;
  private logicalDestination = 0;
  private destinationFormat = 0xffff_ffff;
  private spuriousVector = 0xff;
  private errorStatus = 0;
  private errorsSinceWrite = 0;
  private commandLow = 0;
  private commandHigh = 0;
  private readonly inService = new VectorSet();
  private readonly requested = new VectorSet();
  private readonly levelTriggered = new VectorSet();
  private readonly localVectors = new Map<number, number>();
  private readonly timer: ApicTimer;
  private enabled = true;
  private x2apic = false;

  /** @param moved the register page is decoded elsewhere, or not at all. */
  constructor(
    readonly id: number,
    private readonly clock: VirtualClock,
    private readonly bus: ApicBus,
    private readonly moved: (device: LocalApic) => void,
    private readonly external?: ExternalInterrupts,
  ) {
    this.timer = new ApicTimer(
      clock,
      () => timerMode(this.localVector(Register.LVT_TIMER)),
      () => this.raiseLocal(Register.LVT_TIMER),
    );
    bus.receivers.push(this);
    this.reset();
  }

  /** Power-up and INIT state, SDM 3A 11.4.7.1. */
  reset(): void {
    this.inService.clear();
    this.requested.clear();
    this.levelTriggered.clear();
    for (const register of Object.keys(LVT_WRITABLE)) this.localVectors.set(Number(register), LVT_MASKED);
    this.taskPriority = this.logicalDestination = this.errorStatus = this.errorsSinceWrite = 0;
    this.commandLow = this.commandHigh = 0;
    this.destinationFormat = 0xffff_ffff;
    this.spuriousVector = 0xff;
    // A STARTUP message that came behind the INIT is still to be taken.
    this.nmiPending = this.initPending = false;
    this.timer.reset();
  }

  /** Virtual wire mode, as firmware leaves the bootstrap processor (MultiProcessor specification 3.6.2.2). */
  setVirtualWire(): void {
    this.localVectors.set(Register.LVT_LINT0, DeliveryMode.EXTINT << 8);
    this.localVectors.set(Register.LVT_LINT1, DeliveryMode.NMI << 8);
  }

  private localVector(register: number): number {
    return this.localVectors.get(register)!;
  }

  private get softwareEnabled(): boolean {
    return this.enabled && (this.spuriousVector & SVR_ENABLE) !== 0;
  }

  // -------------------------------------------------------------- interrupts

  pendingVector(): number {
    const vector = this.enabled ? this.requested.highest : -1;
    if (vector >= 0 && vector >> 4 > this.processorPriority() >> 4) return vector;
    return this.takesExternal ? this.external!.pendingVector() : -1;
  }

  acknowledge(): number {
    const vector = this.enabled ? this.requested.highest : -1;
    if (vector >= 0 && vector >> 4 > this.processorPriority() >> 4) {
      this.requested.remove(vector);
      this.inService.add(vector);
      return vector;
    }
    return this.takesExternal ? this.external!.acknowledge() : this.spuriousVector & 0xff;
  }

  /** The 8259 reaches the processor through LINT0 as ExtINT, and past an APIC that is disabled (SDM 3A 11.4.3). */
  private get takesExternal(): boolean {
    if (!this.external) return false;
    if (!this.enabled) return true;
    const entry = this.localVector(Register.LVT_LINT0);
    return (entry & LVT_MASKED) === 0 && ((entry >> 8) & 7) === DeliveryMode.EXTINT;
  }

  /** The line at LINT0 rose: what is not ExtINT is an event of its own. */
  raiseLint0(): void {
    if (this.enabled) this.raiseLocal(Register.LVT_LINT0);
    this.clock.recheckEvents();
  }

  get tpr(): number {
    return this.taskPriority;
  }

  setTpr(value: number): void {
    this.taskPriority = value & 0xff;
  }

  /** SDM 3A 11.8.3.1. */
  private processorPriority(): number {
    const service = this.inService.highest;
    const serviceClass = service < 0 ? 0 : service & 0xf0;
    return this.taskPriority >> 4 >= serviceClass >> 4 ? this.taskPriority : serviceClass;
  }

  /** A fixed interrupt arrives; ignored while the APIC is software-disabled (SDM 3A 11.4.7.2). */
  request(vector: number, levelTriggered = false): void {
    if (!this.softwareEnabled) return;
    if (vector < 16) {
      this.raiseError(ApicError.RECEIVE_ILLEGAL_VECTOR);
      return;
    }
    this.requested.add(vector);
    if (levelTriggered) this.levelTriggered.add(vector);
    else this.levelTriggered.remove(vector);
    this.clock.recheckEvents();
  }

  /** An event of the local vector table. */
  private raiseLocal(register: number): void {
    const entry = this.localVector(register);
    if ((entry & LVT_MASKED) !== 0) return;
    const mode = (entry >> 8) & 7;
    if (mode === DeliveryMode.FIXED) this.request(entry & 0xff);
    else if (mode === DeliveryMode.NMI) this.nmiPending = true;
  }

  private raiseError(error: number): void {
    const isNew = (this.errorsSinceWrite & error) === 0;
    this.errorsSinceWrite |= error;
    const entry = this.localVector(Register.LVT_ERROR);
    if (isNew && (entry & LVT_MASKED) === 0 && (entry & 0xff) >= 16) this.request(entry & 0xff);
  }

  endOfInterrupt(): void {
    const vector = this.inService.highest;
    if (vector < 0) return;
    this.inService.remove(vector);
    if (this.levelTriggered.has(vector)) this.bus.broadcastEndOfInterrupt(vector);
  }

  // -------------------------------------------------------------- messages

  isAddressed(message: InterruptMessage): boolean {
    if (!this.enabled) return false;
    const { destination } = message;
    if (destination === (message.wide ? 0xffff_ffff : 0xff)) return true;
    return message.logical ? this.hasLogicalId(destination) : destination === this.id;
  }

  /** SDM 3A 11.6.2.2 (flat and cluster model) and 11.12.10.2 (x2APIC). */
  private hasLogicalId(destination: number): boolean {
    if (this.x2apic) {
      const logical = this.x2apicLogicalId;
      return destination >>> 16 === logical >>> 16 && (destination & logical & 0xffff) !== 0;
    }
    const logical = this.logicalDestination >>> 24;
    if (this.destinationFormat >>> 28 === 0xf) return (destination & logical) !== 0;
    return destination >> 4 === logical >> 4 && (destination & logical & 0xf) !== 0;
  }

  private get x2apicLogicalId(): number {
    return ((this.id >> 4) << 16) | (1 << (this.id & 0xf));
  }

  arbitrationPriority(): number {
    return this.softwareEnabled ? this.processorPriority() : 0x100;
  }

  accept(message: InterruptMessage): void {
    switch (message.mode) {
      case DeliveryMode.FIXED:
        this.request(message.vector, message.levelTriggered);
        break;
      case DeliveryMode.NMI:
        this.nmiPending = true;
        break;
      case DeliveryMode.INIT:
        this.initPending = true;
        this.startupVector = -1;
        break;
      case DeliveryMode.STARTUP:
        this.startupVector = message.vector;
        break;
      default: // SMI: there is no system-management mode to enter. EXTINT comes through LINT0.
        break;
    }
    this.clock.recheckEvents();
  }

  /** SDM 3A 11.6.1. */
  private sendInterprocessorInterrupt(): void {
    const command = this.commandLow;
    const message: InterruptMessage = {
      destination: this.x2apic ? this.commandHigh >>> 0 : this.commandHigh >>> 24,
      logical: (command & (1 << 11)) !== 0,
      wide: this.x2apic,
      mode: (command >> 8) & 7,
      vector: command & 0xff,
      levelTriggered: false,
    };
    const fixed = message.mode === DeliveryMode.FIXED || message.mode === DeliveryMode.LOWEST_PRIORITY;
    if (fixed && message.vector < 16) {
      this.raiseError(ApicError.SEND_ILLEGAL_VECTOR);
      return;
    }
    // INIT level de-assert only synchronizes arbitration IDs.
    const deassert = (command & (1 << 14)) === 0 && (command & (1 << 15)) !== 0;
    if (message.mode === DeliveryMode.INIT && deassert) return;
    const shorthand = (command >> 18) & 3;
    const { receivers } = this.bus;
    if (shorthand === Shorthand.NONE) this.bus.send(message);
    else if (shorthand === Shorthand.SELF) this.bus.sendTo([this], message);
    else if (shorthand === Shorthand.ALL) this.bus.sendTo(receivers, message);
    else
      this.bus.sendTo(
        receivers.filter((receiver) => receiver !== this),
        message,
      );
  }

  // -------------------------------------------------------------- modes

  /** IA32_APIC_BASE; reserved bits and mode changes are checked by the MSR table. */
  setBase(value: bigint): void {
    this.enabled = (value & ApicBase.ENABLE) !== 0n;
    this.x2apic = this.enabled && (value & ApicBase.X2APIC) !== 0n;
    if (!this.enabled) this.reset();
    this.physicalPage = Number((value & 0xff_ffff_f000n) >> 12n);
    this.moved(this);
  }

  /** Is the register page decoded at all? */
  get decoded(): boolean {
    return this.enabled && !this.x2apic;
  }

  static resetBase(bootstrap: boolean): bigint {
    return APIC_DEFAULT_BASE | ApicBase.ENABLE | (bootstrap ? ApicBase.BOOTSTRAP : 0n);
  }

  // -------------------------------------------------------------- timer

  get tscDeadline(): bigint {
    return this.timer.deadline;
  }

  setTscDeadline(tsc: bigint, tscAdjust: bigint): void {
    this.timer.setDeadline(tsc, tscAdjust);
  }

  tscMoved(tscAdjust: bigint): void {
    this.timer.tscMoved(tscAdjust);
  }

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

  /** RDMSR of 800H-8FFH in x2APIC mode; undefined: no such register, #GP(0) (SDM 3A 11.12.1.2). */
  readX2apic(msr: number): bigint | undefined {
    const offset = (msr - 0x800) * 16;
    if (!this.x2apic || !isX2apicRegister(offset)) return undefined;
    if (offset === Register.EOI || offset === Register.SELF_IPI) return undefined;
    if (offset === Register.ICR_LOW)
      return (BigInt(this.commandHigh >>> 0) << 32n) | BigInt(this.commandLow >>> 0);
    if (offset === Register.ID) return BigInt(this.id);
    if (offset === Register.LDR) return BigInt(this.x2apicLogicalId >>> 0);
    return BigInt(this.read(offset) >>> 0);
  }

  /** WRMSR of 800H-8FFH in x2APIC mode; false: #GP(0). */
  writeX2apic(msr: number, value: bigint): boolean {
    const offset = (msr - 0x800) * 16;
    if (!this.x2apic || !isX2apicRegister(offset) || READ_ONLY.has(offset) || offset === Register.LDR)
      return false;
    if (offset >= Register.ISR && offset < Register.ESR) return false;
    if (offset === Register.ICR_LOW) {
      if ((value & ICR_RESERVED) !== 0n) return false;
      this.commandHigh = Number(value >> 32n) | 0;
      this.write(offset, Number(value & 0xffff_ffffn) | 0);
    } else {
      const low = Number(value & 0xffff_ffffn);
      if (value !== BigInt(low) || (low & ~(X2APIC_WRITABLE[offset] ?? 0)) !== 0) return false;
      if (offset === Register.SELF_IPI) this.sendToSelf(low);
      else this.write(offset, low | 0);
    }
    this.clock.recheckEvents();
    return true;
  }

  private sendToSelf(vector: number): void {
    if (vector < 16) this.raiseError(ApicError.SEND_ILLEGAL_VECTOR);
    else this.request(vector);
  }

  private read(offset: number): number {
    const bank = offset & ~0x7f;
    const word = (offset & 0x7f) >> 4;
    if (bank === Register.ISR) return this.inService.words[word];
    if (bank === Register.IRR) return this.requested.words[word];
    if (bank === Register.TMR) return this.levelTriggered.words[word];
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
        this.raiseError(ApicError.ILLEGAL_REGISTER);
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
      default:
        if (!READ_ONLY.has(offset)) this.raiseError(ApicError.ILLEGAL_REGISTER);
    }
  }

  private writeLocalVector(offset: number, value: number): void {
    const disabled = !(this.spuriousVector & SVR_ENABLE);
    const old = this.localVector(offset);
    const entry = (value & LVT_WRITABLE[offset]) | (disabled ? LVT_MASKED : 0);
    this.localVectors.set(offset, entry);
    const deadlineMode = (e: number): boolean => timerMode(e) === TimerMode.TSC_DEADLINE;
    if (offset === Register.LVT_TIMER && deadlineMode(old) !== deadlineMode(entry)) this.timer.disarm();
  }

  /** Software disable masks every local vector (SDM 3A 11.4.7.2). */
  private writeSpuriousVector(value: number): void {
    this.spuriousVector = value & 0x1ff;
    if (this.spuriousVector & SVR_ENABLE) return;
    for (const [register, entry] of this.localVectors) this.localVectors.set(register, entry | LVT_MASKED);
  }
}

/** Writes are ignored (xAPIC) or #GP(0) (x2APIC). */
const READ_ONLY: ReadonlySet<number> = new Set([
  Register.ID,
  Register.VERSION,
  Register.PPR,
  Register.CURRENT_COUNT,
]);

/** Reserved bits of the 64-bit ICR (SDM 3A figure 11-28). */
const ICR_RESERVED = 0xfff3_2000n;

/** Bits that x2APIC registers let be written; EOI and ESR only 0 (SDM 3A table 11-6). */
const X2APIC_WRITABLE: Readonly<Record<number, number>> = {
  ...LVT_WRITABLE,
  [Register.TPR]: 0xff,
  [Register.EOI]: 0,
  [Register.SVR]: 0x1ff,
  [Register.ESR]: 0,
  [Register.INITIAL_COUNT]: 0xffff_ffff,
  [Register.DIVIDE]: 0xb,
  [Register.SELF_IPI]: 0xff,
};

/** DFR, ICR_HIGH and APR do not exist in x2APIC mode; LDR is read-only. */
function isX2apicRegister(offset: number): boolean {
  const statusBank = offset >= Register.ISR && offset < Register.ESR;
  return (
    statusBank ||
    READ_ONLY.has(offset) ||
    offset in X2APIC_WRITABLE ||
    offset === Register.ICR_LOW ||
    offset === Register.LDR
  );
}
