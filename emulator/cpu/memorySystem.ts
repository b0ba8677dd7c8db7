/** Linear memory as the executing program sees it: TLB misses, and every access that the fast path must not make. */
import type { Fault } from './fault.js';
import { generalProtection, invalidOpcode, pageFault, stackFault, virtualizationException } from './fault.js';
import { layout, region } from './layout.js';
import { PageWalker, WalkResult } from './paging.js';
import { currentPagingMode, isCanonicalHalves, PagingMode, SegmentAccess } from './registerBits.js';
import type { Bus, Engine, MemorySystem, Virtualization } from './seams.js';
import { Access, FillResult } from './seams.js';
import type { LinearMemory } from './state.js';
import type { TlbBank } from './tlb.js';
import { Tlb } from './tlb.js';
import type { Watchpoints } from './watchpoints.js';

/** Processors of a machine that share the TLB. */
export const MOST_PROCESSORS = 8;

const KINDS = Access.READ | Access.WRITE | Access.EXECUTE;

/** Where operands that cannot be accessed in place are copied: a slot for what is stored, one for what is only read. */
const SCRATCH_WRITE = region.scratch;
const SCRATCH_READ = region.scratch + 64;

/** What a physical page of RAM holds. */
const PageFlag = { CODE: 1 } as const;

/** A prepared write that `commit` finishes. */
interface PendingWrite {
  active: boolean;
  linearLow: number;
  linearHigh: number;
  /** Offset of the operand in the linear memory of the machine. */
  operand: number;
  size: number;
  /** Bytes on the first page, and the physical address of each part. */
  firstSize: number;
  firstPhysical: number;
  secondPhysical: number;
  /** Offset on the APIC-access page, or NOT_APIC. */
  apicOffset: number;
}

const NOT_APIC = -1;
/** What makes an access longer than a register. */
const CROSSING = 8;

/** What the memory system needs of the processor; read when used, since the parts are made one after the other. */
export interface MemorySurroundings {
  readonly memory: LinearMemory;
  readonly bus: Bus;
  readonly virtualization: Virtualization;
  readonly engine: Pick<Engine, 'codeWritten'>;
  readonly watchpoints: Watchpoints;
}

export class PagedMemory implements MemorySystem {
  fault: Fault | undefined;
  exited = false;

  readonly tlb: Tlb;
  private readonly walker: PageWalker;
  private readonly memory: LinearMemory;
  private readonly watchpoints: Watchpoints;
  private readonly pageFlags: Uint8Array;
  /** Which processor of the machine runs: part of the tag of translations. */
  processorNumber = 0;
  private mode = 0;
  private user = false;
  private longMode = false;
  private alignmentFlag = false;
  private readonly pending: PendingWrite = {
    active: false,
    linearLow: 0,
    linearHigh: 0,
    operand: 0,
    size: 0,
    firstSize: 0,
    firstPhysical: 0,
    secondPhysical: 0,
    apicOffset: NOT_APIC,
  };

  constructor(private readonly surroundings: MemorySurroundings) {
    this.memory = surroundings.memory;
    this.watchpoints = surroundings.watchpoints;
    this.pageFlags = new Uint8Array(this.memory.ramSize / 4096);
    this.tlb = new Tlb(this.memory);
    this.walker = new PageWalker(this.memory, surroundings.virtualization, this.ramWritten);
  }

  // -------------------------------------------------------------- translation

  selectBank(): boolean {
    const words = this.memory.i32;
    this.mode = currentPagingMode(this.memory);
    this.walker.mode = this.mode;
    this.user = words[layout.cpl >> 2] === 3;
    this.longMode =
      (this.mode & PagingMode.LONG) !== 0 && (words[layout.csAccess >> 2] & SegmentAccess.L) !== 0;
    const context =
      this.surroundings.virtualization.translationContext * MOST_PROCESSORS + this.processorNumber;
    const voided = this.tlb.select(context, this.mode, this.user);
    const alignmentFlag = ((words[layout.rflagsSystem >> 2] >>> 18) & 1) !== 0;
    if (this.alignmentFlag && !alignmentFlag) this.tlb.supervisor.alignmentFlagCleared();
    this.alignmentFlag = alignmentFlag;
    return voided;
  }

  fill(addressLow: number, addressHigh: number, access: number): FillResult {
    if (this.resolve(addressLow, addressHigh, access) < 0) {
      return this.exited ? FillResult.EXITED : FillResult.FAULT;
    }
    const filled = this.bank(access).hasTags(addressLow, addressHigh, access & KINDS);
    return filled ? FillResult.FILLED : FillResult.CAREFUL;
  }

  fetch(addressLow: number, addressHigh: number): number {
    const page = this.resolve(addressLow, addressHigh, Access.EXECUTE);
    if (page < 0 || this.leavesByApicAccess(page, addressLow, 1, Access.EXECUTE)) return -1;
    if (this.surroundings.bus.isDevice(page)) {
      // What a floating bus reads, FF FF, is an undefined opcode (SDM 2D appendix A, group 5 /7).
      this.fault = invalidOpcode();
      return -1;
    }
    return page * 4096 + (addressLow & 0xfff);
  }

  /**
   * Number of the physical page of an access, all its checks done and flags set; -1 with `fault` or `exited` set.
   * `access` is of Access bits; with SUPERVISOR the CPL does not matter.
   */
  resolve(low: number, high: number, access: number): number {
    this.exited = false;
    this.fault = undefined;
    const bank = this.bank(access);
    if ((access & Access.SUPERVISOR) !== 0 && (this.mode & PagingMode.SMAP) !== 0)
      bank.alignmentFlagCleared();
    const known = bank.lookup(low, high, access & KINDS);
    if (known >= 0) return known;
    if (!isCanonicalHalves(high)) {
      this.fault = (access & Access.STACK) !== 0 ? stackFault() : generalProtection();
      return -1;
    }
    const result = this.walker.walk(low, high, access, this.isUserAccess(access));
    if (result === WalkResult.OK) {
      const page = this.walker.physicalPage;
      const { rights, onlyWhileAc } = this.walker;
      bank.insert(low, high, page, rights, this.withheld(low, high, page), onlyWhileAc);
      return page;
    }
    this.exited = result === WalkResult.EXITED;
    if (result === WalkResult.VIRTUALIZATION_EXCEPTION) this.fault = virtualizationException();
    else if (!this.exited) {
      const linear = (BigInt(high >>> 0) << 32n) | BigInt(low >>> 0);
      this.fault = pageFault(linear, this.walker.errorCode);
    }
    return -1;
  }

  private isUserAccess(access: number): boolean {
    return this.user && (access & Access.SUPERVISOR) === 0;
  }

  private bank(access: number): TlbBank {
    return this.isUserAccess(access) ? this.tlb.user : this.tlb.supervisor;
  }

  private withheld(low: number, high: number, physicalPage: number): number {
    const { bus, virtualization } = this.surroundings;
    if (bus.isDevice(physicalPage) || physicalPage === virtualization.apicAccessPage) return KINDS;
    const code = (this.pageFlags[physicalPage] & PageFlag.CODE) !== 0 ? Access.WRITE : 0;
    return code | this.watchpoints.withheld(low, high);
  }

  // -------------------------------------------------------------- careful accesses

  prepare(addressLow: number, addressHigh: number, size: number, access: number): number {
    const offset = addressLow & 0xfff;
    const page = this.resolve(addressLow, addressHigh, access);
    if (page < 0) return 0;
    const physical = page * 4096 + offset;
    if (page === this.surroundings.virtualization.apicAccessPage) {
      return this.prepareApicAccess(addressLow, addressHigh, size, access);
    }
    if (offset + size > 4096) return this.prepareCrossing(addressLow, addressHigh, size, access, physical);
    if (this.surroundings.bus.isDevice(page)) {
      return this.prepareCopy(addressLow, addressHigh, size, access, size, physical, 0);
    }
    const operand = region.ram + physical;
    this.noteAccess(addressLow, addressHigh, size, access, operand);
    if ((access & Access.WRITE) !== 0) {
      this.setPending(addressLow, addressHigh, operand, size, size, physical, 0);
    }
    return operand;
  }

  private prepareCrossing(low: number, high: number, size: number, access: number, first: number): number {
    const nextLow = (low & ~0xfff) + 4096;
    // Addresses wrap at 4 GBytes outside 64-bit mode.
    const nextHigh = (nextLow | 0) === 0 && this.longMode ? (high + 1) | 0 : high;
    const second = this.resolve(nextLow | 0, nextHigh, access);
    if (second < 0 || this.leavesByApicAccess(second, nextLow, size - (nextLow - low), access)) return 0;
    return this.prepareCopy(low, high, size, access, 4096 - (low & 0xfff), first, second * 4096);
  }

  /** An access to the APIC-access page: made on the virtual-APIC page, or it is a VM exit. */
  private prepareApicAccess(low: number, high: number, size: number, access: number): number {
    const offset = low & 0xfff;
    const physical = this.surroundings.virtualization.accessApicPage(offset, size, access);
    if (physical < 0) {
      this.exited = true;
      return 0;
    }
    const operand = region.ram + physical;
    this.noteAccess(low, high, size, access, operand);
    if ((access & Access.WRITE) !== 0) {
      this.setPending(low, high, operand, size, size, physical, 0);
      this.pending.apicOffset = offset;
    }
    return operand;
  }

  /** Is this the APIC-access page? Then a fetch, or the second half of an operand, is a VM exit, which is made. */
  private leavesByApicAccess(page: number, low: number, size: number, access: number): boolean {
    const { virtualization } = this.surroundings;
    if (page !== virtualization.apicAccessPage) return false;
    // More than the four bytes of a register, so that it is not virtualized.
    virtualization.accessApicPage(low & 0xfff, size + CROSSING, access);
    this.exited = true;
    return true;
  }

  private prepareCopy(
    low: number,
    high: number,
    size: number,
    access: number,
    firstSize: number,
    first: number,
    second: number,
  ): number {
    const write = (access & Access.WRITE) !== 0;
    const operand = write ? SCRATCH_WRITE : SCRATCH_READ;
    if ((access & Access.READ) !== 0 || this.watchpoints.active) {
      this.readPhysical(first, operand, firstSize);
      this.readPhysical(second, operand + firstSize, size - firstSize);
    }
    this.noteAccess(low, high, size, access, operand);
    if (write) this.setPending(low, high, operand, size, firstSize, first, second);
    return operand;
  }

  private noteAccess(low: number, high: number, size: number, access: number, operand: number): void {
    if (this.watchpoints.active) {
      this.watchpoints.note(low, high, size, access, () => this.memory.u8.slice(operand, operand + size));
    }
  }

  private setPending(
    linearLow: number,
    linearHigh: number,
    operand: number,
    size: number,
    firstSize: number,
    firstPhysical: number,
    secondPhysical: number,
  ): void {
    const pending = this.pending;
    pending.active = true;
    pending.apicOffset = NOT_APIC;
    pending.linearLow = linearLow;
    pending.linearHigh = linearHigh;
    pending.operand = operand;
    pending.size = size;
    pending.firstSize = firstSize;
    pending.firstPhysical = firstPhysical;
    pending.secondPhysical = secondPhysical;
  }

  commit(): void {
    const pending = this.pending;
    if (!pending.active) return;
    pending.active = false;
    const { operand, size, firstSize } = pending;
    if (this.watchpoints.hit) {
      this.watchpoints.noteWritten(() => this.memory.u8.slice(operand, operand + size));
    }
    if (operand === SCRATCH_WRITE) {
      this.writePhysical(pending.firstPhysical, operand, firstSize);
      this.writePhysical(pending.secondPhysical, operand + firstSize, size - firstSize);
    } else {
      this.ramWritten(pending.firstPhysical, size);
    }
    if (pending.apicOffset !== NOT_APIC) this.surroundings.virtualization.apicWritten(pending.apicOffset);
  }

  /** Copies physical memory, RAM or a device's, into the linear memory at `to`. */
  private readPhysical(physical: number, to: number, size: number): void {
    const { u8, view } = this.memory;
    if (!this.surroundings.bus.isDevice(Math.floor(physical / 4096))) {
      const from = region.ram + physical;
      u8.copyWithin(to, from, from + size);
      return;
    }
    for (let done = 0; done < size;) {
      const part = deviceAccessSize(physical + done, size - done);
      const value = this.surroundings.bus.readDevice(physical + done, part);
      if (part === 8) view.setBigUint64(to + done, value, true);
      else if (part === 4) view.setUint32(to + done, Number(value), true);
      else if (part === 2) view.setUint16(to + done, Number(value), true);
      else view.setUint8(to + done, Number(value));
      done += part;
    }
  }

  /** The reverse of `readPhysical`. */
  private writePhysical(physical: number, from: number, size: number): void {
    const { u8, view } = this.memory;
    if (size === 0) return;
    if (!this.surroundings.bus.isDevice(Math.floor(physical / 4096))) {
      u8.copyWithin(region.ram + physical, from, from + size);
      this.ramWritten(physical, size);
      return;
    }
    for (let done = 0; done < size;) {
      const part = deviceAccessSize(physical + done, size - done);
      const at = from + done;
      const value =
        part === 8
          ? view.getBigUint64(at, true)
          : BigInt(part === 4 ? view.getUint32(at, true) : part === 2 ? view.getUint16(at, true) : u8[at]);
      this.surroundings.bus.writeDevice(physical + done, part, value);
      done += part;
    }
  }

  // -------------------------------------------------------------- pages that hold code

  protectCode(physicalPage: number): void {
    if ((this.pageFlags[physicalPage] & PageFlag.CODE) !== 0) return;
    this.pageFlags[physicalPage] |= PageFlag.CODE;
    this.tlb.withholdWrites(physicalPage);
  }

  /** All of RAM may have changed: every page of predecoded code is dropped. */
  codeReplaced(): void {
    this.pageFlags.forEach((flags, page) => {
      if ((flags & PageFlag.CODE) !== 0) this.surroundings.engine.codeWritten(page * 4096, 4096);
    });
  }

  /** RAM was written by TypeScript, or carefully by the program: predecoded code there is dropped. */
  readonly ramWritten = (physicalAddress: number, length: number): void => {
    if ((this.pageFlags[physicalAddress >>> 12] & PageFlag.CODE) !== 0) {
      this.surroundings.engine.codeWritten(physicalAddress, length);
    }
  };
}

/** The largest naturally aligned access a device gets at this address. */
function deviceAccessSize(physical: number, left: number): 1 | 2 | 4 | 8 {
  if (left >= 8 && physical % 8 === 0) return 8;
  if (left >= 4 && physical % 4 === 0) return 4;
  if (left >= 2 && physical % 2 === 0) return 2;
  return 1;
}
