/**
 * Linear memory for the debugger, through the current page tables or given ones, without side effects: no accessed or
 * dirty flags, no device reads, no faults. And the page walk explained level by level.
 */
import { region } from './layout.js';
import { highHalf, lowHalf } from './linearAccess.js';
import { PageEntry, tableIndex } from './paging.js';
import { isCanonical, pagingMode, PagingMode } from './registerBits.js';
import type { Bus, Virtualization } from './seams.js';
import type { LinearMemory, ProcessorState } from './state.js';

/** The registers that a translation depends on. */
export interface TranslationContext {
  readonly cr0: bigint;
  readonly cr3: bigint;
  readonly cr4: bigint;
  readonly efer: bigint;
  /** EPT pointer, or undefined when guest-physical is physical. */
  readonly eptPointer: bigint | undefined;
}

/** One entry of a page walk. */
export interface WalkedEntry {
  readonly level: 'PML4E' | 'PDPTE' | 'PDE' | 'PTE';
  /** Guest-physical address of the entry (PAE PDPTEs: of the table at CR3), and the physical one; -1: not mapped. */
  readonly guestPhysical: number;
  readonly physical: number;
  readonly value: bigint;
  readonly present: boolean;
  readonly writable: boolean;
  readonly user: boolean;
  readonly accessed: boolean;
  readonly dirty: boolean;
  /** Maps a page at this level. */
  readonly pageSize: boolean;
  readonly global: boolean;
  readonly executeDisable: boolean;
}

/** A page walk: its entries from the top, and where it ended. */
export interface ExplainedWalk {
  readonly entries: readonly WalkedEntry[];
  /** Guest-physical address, or undefined where nothing is mapped. */
  readonly guestPhysical: number | undefined;
  /** Physical address, or undefined where nothing is mapped. */
  readonly physical: number | undefined;
  /** Bytes of the page. */
  readonly pageSize: number;
  /** Why there is no address. */
  readonly reason: string | undefined;
}

/** What translates guest-physical addresses through an EPT pointer: -1 where nothing is mapped. */
export type EptProbe = (eptPointer: bigint, guestPhysical: number) => number;

const LEVEL_NAMES = ['PTE', 'PDE', 'PDPTE', 'PML4E'] as const;
const ADDRESS_MASK = 0x000f_ffff_ffff_f000n;

export class DebugAccess {
  /** @param ramWritten told of every write. @param eptProbe for contexts that are not the current one. */
  constructor(
    private readonly memory: LinearMemory,
    private readonly state: ProcessorState,
    private readonly bus: Pick<Bus, 'isDevice'>,
    private readonly virtualization: Pick<Virtualization, 'nestedPaging' | 'probe'>,
    private readonly ramWritten: (physicalAddress: number, length: number) => void,
    private readonly eptProbe: EptProbe,
  ) {}

  /** Bytes from `address` on; the first unmapped byte or device page ends the answer early. */
  read(address: bigint, length: number, context?: TranslationContext): Uint8Array {
    const bytes = new Uint8Array(length);
    const done = this.eachPage(address, length, context, (ram, from, size) => {
      bytes.set(this.memory.u8.subarray(ram, ram + size), from);
    });
    return done === length ? bytes : bytes.slice(0, done);
  }

  /** Writes RAM, whatever the pages' permissions; answers how many bytes were written before an unmapped one. */
  write(address: bigint, bytes: Uint8Array, context?: TranslationContext): number {
    return this.eachPage(address, bytes.length, context, (ram, from, size) => {
      this.memory.u8.set(bytes.subarray(from, from + size), ram);
      this.ramWritten(ram - region.ram, size);
    });
  }

  /** Physical address of a linear one, or undefined. */
  translate(address: bigint, context?: TranslationContext): number | undefined {
    return this.walk(address, context).physical;
  }

  /** The walk for a linear address, entry by entry. */
  walk(address: bigint, context?: TranslationContext): ExplainedWalk {
    const { cr0, cr3, cr4, efer } = context ?? this.state;
    const mode = pagingMode(lowHalf(cr0), lowHalf(cr4), lowHalf(efer));
    const toPhysical = this.guestToPhysical(context);
    const walk = new Walk(this.memory, toPhysical, BigInt.asUintN(64, address), mode);
    if ((mode & PagingMode.PG) === 0) return walk.end(Number(address & 0xffff_ffffn), 4096);
    if ((mode & PagingMode.LONG) !== 0 && !isCanonical(BigInt.asUintN(64, address))) {
      return walk.fail('the address is not canonical');
    }
    if ((mode & PagingMode.PAE) === 0) return walk.walk32(Number(cr3 & 0xffff_f000n));
    if ((mode & PagingMode.LONG) !== 0) return walk.walkLevels(Number(cr3 & ADDRESS_MASK), 3);
    return walk.walkLevels(Number(cr3 & 0xffff_ffe0n), 2);
  }

  private guestToPhysical(context: TranslationContext | undefined): (guestPhysical: number) => number {
    if (!context) {
      const { virtualization } = this;
      return (guest) => (virtualization.nestedPaging ? virtualization.probe(guest) : guest);
    }
    const { eptPointer } = context;
    return eptPointer === undefined ? (guest) => guest : (guest) => this.eptProbe(eptPointer, guest);
  }

  private eachPage(
    address: bigint,
    length: number,
    context: TranslationContext | undefined,
    use: (ramOffset: number, from: number, size: number) => void,
  ): number {
    let done = 0;
    while (done < length) {
      const at = BigInt.asUintN(64, address + BigInt(done));
      const physical = this.translate(at, context);
      if (physical === undefined || this.bus.isDevice(Math.floor(physical / 4096))) break;
      const size = Math.min(length - done, 4096 - Number(at & 0xfffn));
      use(region.ram + physical, done, size);
      done += size;
    }
    return done;
  }
}

/** One walk under way. */
class Walk {
  private readonly entries: WalkedEntry[] = [];
  private readonly low: number;
  private readonly high: number;

  constructor(
    private readonly memory: LinearMemory,
    private readonly toPhysical: (guestPhysical: number) => number,
    private readonly linear: bigint,
    private readonly mode: number,
  ) {
    this.low = lowHalf(linear);
    this.high = highHalf(linear);
  }

  walk32(directory: number): ExplainedWalk {
    const pde = this.entry('PDE', directory + (this.low >>> 22) * 4, 4);
    if (!pde.present) return this.notPresent(pde);
    if (pde.pageSize && (this.mode & PagingMode.PSE) !== 0) {
      const high = Number((pde.value >> 13n) & 0xffn) * 2 ** 32;
      return this.end(high + Number(pde.value & 0xffc0_0000n) + (this.low & 0x3f_ffff), 1 << 22);
    }
    const table = Number(pde.value & 0xffff_f000n);
    const pte = this.entry('PTE', table + ((this.low >>> 12) & 0x3ff) * 4, 4);
    if (!pte.present) return this.notPresent(pte);
    return this.end(Number(pte.value & 0xffff_f000n) + (this.low & 0xfff), 4096);
  }

  walkLevels(top: number, topLevel: number): ExplainedWalk {
    let table = top;
    for (let level = topLevel; ; level--) {
      const pae = topLevel === 2;
      const index = pae && level === 2 ? this.low >>> 30 : tableIndex(this.low, this.high, level);
      const entry = this.entry(LEVEL_NAMES[level], table + index * 8, 8);
      if (!entry.present) return this.notPresent(entry);
      const leaf = level === 0 || (entry.pageSize && level <= (pae ? 1 : 2));
      if (leaf) {
        const size = 2 ** (12 + 9 * level);
        const frame = entry.value & ADDRESS_MASK & ~BigInt(size - 1);
        return this.end(Number(frame | (this.linear & BigInt(size - 1))), size);
      }
      table = Number(entry.value & ADDRESS_MASK);
    }
  }

  end(guestPhysical: number, pageSize: number): ExplainedWalk {
    const physical = this.toPhysical(guestPhysical);
    const mapped = physical >= 0;
    return {
      entries: this.entries,
      guestPhysical,
      physical: mapped ? physical : undefined,
      pageSize,
      reason: mapped ? undefined : `EPT maps nothing at 0x${guestPhysical.toString(16)}`,
    };
  }

  fail(reason: string): ExplainedWalk {
    return { entries: this.entries, guestPhysical: undefined, physical: undefined, pageSize: 0, reason };
  }

  private notPresent(entry: WalkedEntry): ExplainedWalk {
    const where = `the ${entry.level} at 0x${entry.guestPhysical.toString(16)}`;
    return this.fail(entry.physical < 0 ? `${where} is not in memory` : `${where} is not present`);
  }

  private entry(level: WalkedEntry['level'], guestPhysical: number, size: 4 | 8): WalkedEntry {
    const physical = this.toPhysical(guestPhysical);
    const readable = physical >= 0 && physical + size <= this.memory.ramSize;
    const at = region.ram + physical;
    const { view } = this.memory;
    const value = !readable
      ? 0n
      : size === 8
        ? view.getBigUint64(at, true)
        : BigInt(view.getUint32(at, true));
    const bit = (mask: number): boolean => (Number(value & 0xfffn) & mask) !== 0;
    const entry = {
      level,
      guestPhysical,
      physical: readable ? physical : -1,
      value,
      present: bit(PageEntry.P),
      writable: bit(PageEntry.RW),
      user: bit(PageEntry.US),
      accessed: bit(PageEntry.A),
      dirty: bit(PageEntry.D),
      pageSize: bit(PageEntry.PS),
      global: bit(PageEntry.G),
      executeDisable: size === 8 && value >> 63n !== 0n,
    };
    this.entries.push(entry);
    return entry;
  }
}
