/**
 * Page-table walks of the executing program: 32-bit, PAE and 4-level paging (SDM 3A chapter 4), through EPT in VMX
 * non-root operation. Linear addresses and entries are int32 halves, physical pages are page numbers: no bigint here.
 */
import { PageFaultError } from './fault.js';
import { layout, region } from './layout.js';
import { PagingMode } from './registerBits.js';
import type { GuestAccess, Virtualization } from './seams.js';
import { Access, PageAttribute, Translation } from './seams.js';
import type { LinearMemory } from './state.js';

/** Bits of paging-structure entries, SDM 3A tables 4-4 to 4-20. */
export const PageEntry = {
  P: 1,
  RW: 1 << 1,
  US: 1 << 2,
  A: 1 << 5,
  D: 1 << 6,
  /** Maps a page although it is not at the last level. */
  PS: 1 << 7,
  G: 1 << 8,
} as const;

/** High half: XD, and the physical address bits 51:40 beyond MAXPHYADDR. */
const XD_HIGH = 1 << 31;
const RESERVED_ADDRESS_HIGH = 0x000f_ff00;
/** PAE entries also reserve bits 62:52 (SDM 3A tables 4-9 to 4-11). */
const RESERVED_PAE_HIGH = 0x7fff_ff00;
const FRAME_HIGH_MASK = 0xff;
/** Low half of entries that map 1-GByte and 2-MByte pages: address bits that must be 0. */
const RESERVED_1G_LOW = 0x3fff_e000;
const RESERVED_2M_LOW = 0x001f_e000;
/** 32-bit paging: bit 21 of a PDE that maps a 4-MByte page; bits 20:13 are the address bits 39:32 (PSE-36). */
const RESERVED_4M_LOW = 0x0020_0000;

/** FAULT: a page fault. VIRTUALIZATION_EXCEPTION: #VE instead of an EPT violation. */
export const WalkResult = { OK: 0, FAULT: 1, EXITED: 2, VIRTUALIZATION_EXCEPTION: 3 } as const;
export type WalkResult = (typeof WalkResult)[keyof typeof WalkResult];

/** What the walker writes to RAM is reported: the page may hold code. */
export type RamWritten = (physicalAddress: number, length: number) => void;

export class PageWalker {
  /** After OK: number of the physical (host-physical) 4-KByte page. */
  physicalPage = 0;
  /** After OK: the accesses (READ, WRITE, EXECUTE) that need no further walk. */
  rights = 0;
  /** After OK: the rights hold only while RFLAGS.AC is set. */
  onlyWhileAc = false;
  /** After FAULT: the #PF error code. */
  errorCode = 0;
  /** The paging mode, kept up to date by the memory system. */
  mode = 0;

  private readonly words: Int32Array;
  /** Entries of the walk in progress, by depth: physical address and low half. */
  private readonly entryAddresses = new Float64Array(4);
  private readonly entryLows = new Int32Array(4);
  private depth = 0;
  private entryLow = 0;
  private entryHigh = 0;
  /** AND of the R/W and U/S bits, OR of the XD bits of the entries used. */
  private commonLow = 0;
  private anyHigh = 0;
  private linearLow = 0;
  private linearHigh = 0;
  /** What the last guest-physical address came to. */
  private translation = 0;

  constructor(
    private readonly memory: LinearMemory,
    private readonly virtualization: Virtualization,
    private readonly ramWritten: RamWritten,
  ) {
    this.words = memory.i32;
  }

  /**
   * Translates the linear address of an access: sets accessed and dirty flags, answers in the public fields. `user`: a
   * user-mode access (SDM 3A 4.6). `access` may have the SUPERVISOR bit: implicit, so that RFLAGS.AC does not matter.
   */
  walk(low: number, high: number, access: number, user: boolean): WalkResult {
    this.linearLow = low;
    this.linearHigh = high;
    this.onlyWhileAc = false;
    if ((this.mode & PagingMode.PG) === 0) {
      return this.finish(low >>> 12, access, Access.READ | Access.WRITE | Access.EXECUTE);
    }
    this.depth = 0;
    this.commonLow = PageEntry.RW | PageEntry.US;
    this.anyHigh = 0;
    const frame =
      (this.mode & PagingMode.PAE) === 0
        ? this.walk32(low)
        : (this.mode & PagingMode.LONG) !== 0
          ? this.walkLevels(this.pageNumber(layout.cr3), 3)
          : this.walkPae(low);
    if (frame === EXITED) return this.untranslated();
    if (frame < 0)
      return this.fail(frame === RESERVED ? PageFaultError.RSVD | PageFaultError.P : 0, access, user);

    if (!this.permits(access, user)) return this.fail(PageFaultError.P, access, user);
    if (!this.setFlags((access & Access.WRITE) !== 0)) return this.untranslated();
    return this.finish(frame, access, this.allRights(access, user));
  }

  // -------------------------------------------------------------- the tables

  /** 32-bit paging, SDM 3A 4.3. Answers the page number, or a negative reason. */
  private walk32(low: number): number {
    const directory = this.pageNumber(layout.cr3) & 0xf_ffff;
    let result = this.readEntry(directory, low >>> 22, 4);
    if (result < 0) return result;
    const pde = this.entryLow;
    if ((pde & PageEntry.PS) !== 0 && (this.mode & PagingMode.PSE) !== 0) {
      if ((pde & RESERVED_4M_LOW) !== 0) return RESERVED;
      const high = (pde & RESERVED_2M_LOW) << 7;
      return high | ((pde >>> 22) << 10) | ((low >>> 12) & 0x3ff);
    }
    result = this.readEntry(pde >>> 12, (low >>> 12) & 0x3ff, 4);
    return result < 0 ? result : this.entryLow >>> 12;
  }

  /** PAE paging, SDM 3A 4.4: the PDPTEs are in registers, checked when they were loaded. */
  private walkPae(low: number): number {
    const register = layout.pdpte0 + (low >>> 30) * 8;
    if ((this.words[register >> 2] & PageEntry.P) === 0) return NOT_PRESENT;
    return this.walkLevels(this.pageNumber(register), 1);
  }

  /** The common part of PAE and 4-level paging, SDM 3A 4.4.2 and 4.5: from the table at `top` down. */
  private walkLevels(table: number, top: number): number {
    const nxe = (this.mode & PagingMode.NXE) !== 0;
    const reservedHigh =
      ((this.mode & PagingMode.LONG) !== 0 ? RESERVED_ADDRESS_HIGH : RESERVED_PAE_HIGH) | (nxe ? 0 : XD_HIGH);
    let frame = table;
    for (let level = top; ; level--) {
      const result = this.readEntry(frame, tableIndex(this.linearLow, this.linearHigh, level), 8);
      if (result < 0) return result;
      if ((this.entryHigh & reservedHigh) !== 0) return RESERVED;
      frame = ((this.entryHigh & FRAME_HIGH_MASK) << 20) | (this.entryLow >>> 12);
      if (level === 0) return frame;
      if ((this.entryLow & PageEntry.PS) === 0) continue;
      if (level === 3) return RESERVED;
      const reservedLow = level === 2 ? RESERVED_1G_LOW : RESERVED_2M_LOW;
      if ((this.entryLow & reservedLow) !== 0) return RESERVED;
      const offsetMask = level === 2 ? 0x3_ffff : 0x1ff;
      return (frame & ~offsetMask) | ((this.linearLow >>> 12) & offsetMask);
    }
  }

  /** Reads a present entry into `entryLow`/`entryHigh` and adds it to the walk. Negative: why not. */
  private readEntry(tablePage: number, index: number, size: 4 | 8): number {
    const guestAddress = tablePage * 4096 + index * size;
    const address = this.entryAddress(guestAddress, Access.READ);
    if (address < 0) return EXITED;
    if (address + size <= this.memory.ramSize) {
      const word = (region.ram + address) >>> 2;
      this.entryLow = this.words[word];
      this.entryHigh = size === 8 ? this.words[word + 1] : 0;
    } else {
      // Nothing answers there: the bus floats, which reads as a present entry with reserved bits.
      this.entryLow = -1;
      this.entryHigh = size === 8 ? -1 : 0;
    }
    if ((this.entryLow & PageEntry.P) === 0) return NOT_PRESENT;
    this.commonLow &= this.entryLow;
    this.anyHigh |= this.entryHigh;
    this.entryAddresses[this.depth] = guestAddress;
    this.entryLows[this.depth++] = this.entryLow;
    return 0;
  }

  /** Host-physical address of a paging-structure entry, or a negative `Translation`. */
  private entryAddress(guestAddress: number, access: number): number {
    if (!this.virtualization.nestedPaging) return guestAddress;
    this.translation = this.virtualization.translate(guestAddress, access, this.guestAccess(true));
    return this.translation;
  }

  private untranslated(): WalkResult {
    return this.translation === Translation.VIRTUALIZATION_EXCEPTION
      ? WalkResult.VIRTUALIZATION_EXCEPTION
      : WalkResult.EXITED;
  }

  private pageNumber(register: number): number {
    const word = register >> 2;
    return ((this.words[word + 1] & FRAME_HIGH_MASK) << 20) | (this.words[word] >>> 12);
  }

  /** The access as an EPT violation reports it. Without paging every page is a writable, executable user-mode page. */
  private guestAccess(pageWalk: boolean): GuestAccess {
    const linear = (BigInt(this.linearHigh >>> 0) << 32n) | BigInt(this.linearLow >>> 0);
    const attributes =
      (this.mode & PagingMode.PG) === 0
        ? PageAttribute.USER | PageAttribute.WRITABLE
        : ((this.commonLow & PageEntry.US) !== 0 ? PageAttribute.USER : 0) |
          ((this.commonLow & PageEntry.RW) !== 0 ? PageAttribute.WRITABLE : 0) |
          ((this.anyHigh & XD_HIGH) !== 0 ? PageAttribute.EXECUTE_DISABLE : 0);
    return { linear, pageWalk, attributes };
  }

  // -------------------------------------------------------------- permissions

  /** SDM 3A 4.6.1. */
  private permits(access: number, user: boolean): boolean {
    const userPage = (this.commonLow & PageEntry.US) !== 0;
    if ((access & Access.EXECUTE) !== 0 && !this.permitsFetch(userPage, user)) return false;
    if ((access & (Access.READ | Access.WRITE)) === 0) return true;
    if (user && !userPage) return false;
    if (!user && userPage && this.smapForbids(access)) return false;
    return (access & Access.WRITE) === 0 || this.permitsWrite(user);
  }

  private permitsFetch(userPage: boolean, user: boolean): boolean {
    if ((this.anyHigh & XD_HIGH) !== 0) return false;
    return user ? userPage : !userPage || (this.mode & PagingMode.SMEP) === 0;
  }

  private permitsWrite(user: boolean): boolean {
    return (this.commonLow & PageEntry.RW) !== 0 || (!user && (this.mode & PagingMode.WP) === 0);
  }

  private smapForbids(access: number): boolean {
    if ((this.mode & PagingMode.SMAP) === 0) return false;
    return (access & Access.SUPERVISOR) !== 0 || !this.alignmentFlag;
  }

  private get alignmentFlag(): boolean {
    return ((this.words[layout.rflagsSystem >> 2] >>> 18) & 1) !== 0;
  }

  /** What else the same entries allow, so that it needs no walk of its own. */
  private allRights(access: number, user: boolean): number {
    const userPage = (this.commonLow & PageEntry.US) !== 0;
    let rights = 0;
    if (this.permits(Access.READ | (access & Access.SUPERVISOR), user)) {
      rights |= Access.READ;
      const dirty = (this.entryLows[this.depth - 1] & PageEntry.D) !== 0;
      if (dirty && this.permitsWrite(user)) rights |= Access.WRITE;
      this.onlyWhileAc = !user && userPage && (this.mode & PagingMode.SMAP) !== 0;
    }
    if (this.permitsFetch(userPage, user)) rights |= Access.EXECUTE;
    return rights;
  }

  /** The error code of SDM 3A figure 4-12. */
  private fail(code: number, access: number, user: boolean): WalkResult {
    const fetchTold =
      (this.mode & (PagingMode.NXE | PagingMode.PAE)) === (PagingMode.NXE | PagingMode.PAE) ||
      (this.mode & PagingMode.SMEP) !== 0;
    this.errorCode =
      code |
      ((access & Access.WRITE) !== 0 ? PageFaultError.WR : 0) |
      (user ? PageFaultError.US : 0) |
      ((access & Access.EXECUTE) !== 0 && fetchTold ? PageFaultError.ID : 0);
    return WalkResult.FAULT;
  }

  // -------------------------------------------------------------- accessed and dirty flags, the result

  /** SDM 3A 4.8: entries used get the accessed flag, the one that maps a page written to the dirty flag. */
  private setFlags(write: boolean): boolean {
    for (let i = 0; i < this.depth; i++) {
      const flags = PageEntry.A | (write && i === this.depth - 1 ? PageEntry.D : 0);
      const low = this.entryLows[i];
      if ((low & flags) === flags) continue;
      // Read, changed, written: an EPT violation says both.
      const address = this.entryAddress(this.entryAddresses[i], Access.READ | Access.WRITE);
      if (address < 0) return false;
      this.entryLows[i] = low | flags;
      if (address + 4 > this.memory.ramSize) continue;
      this.words[(region.ram + address) >>> 2] |= flags;
      this.ramWritten(address, 4);
    }
    return true;
  }

  private finish(frame: number, access: number, rights: number): WalkResult {
    this.physicalPage = frame;
    this.rights = rights;
    if (!this.virtualization.nestedPaging) return WalkResult.OK;
    const kinds = access & (Access.READ | Access.WRITE | Access.EXECUTE);
    const guestPhysical = frame * 4096 + (this.linearLow & 0xfff);
    const physical = this.virtualization.translate(guestPhysical, kinds, this.guestAccess(false));
    this.translation = physical;
    if (physical < 0) return this.untranslated();
    this.physicalPage = Math.floor(physical / 4096);
    // EPT answers for the access made; a writable page is readable (SDM 3C 29.3.3.1).
    const proven = (kinds & Access.WRITE) !== 0 ? kinds | Access.READ : kinds;
    this.rights = rights & proven;
    return WalkResult.OK;
  }
}

// Reasons of the walk for having no page number.
const NOT_PRESENT = -1;
const RESERVED = -2;
const EXITED = -3;

/** Index into the table at a level (3 PML4, 2 PDPT, 1 page directory, 0 page table). */
export function tableIndex(low: number, high: number, level: number): number {
  if (level === 3) return (high >>> 7) & 0x1ff;
  if (level === 2) return ((high & 0x7f) << 2) | (low >>> 30);
  return (low >>> (level === 1 ? 21 : 12)) & 0x1ff;
}
