/** Extended page tables, SDM 3C 29.3: 4-level walks, accessed and dirty flags, mode-based execute control. */
import { PHYSICAL_ADDRESS_BITS } from '../cpu/registerBits.js';
import { Access } from '../cpu/seams.js';
import type { PhysicalMemory } from './physicalMemory.js';

/** What a walk came to. */
export const EptResult = { TRANSLATED: 0, VIOLATION: 1, MISCONFIGURATION: 2 } as const;
export type EptResult = (typeof EptResult)[keyof typeof EptResult];

/** Bits of an EPT paging-structure entry, SDM 3C tables 29-1 to 29-6. */
const EptEntry = {
  READ: 1,
  WRITE: 1 << 1,
  /** Execute access; with mode-based execute control, for supervisor-mode linear addresses. */
  EXECUTE: 1 << 2,
  LARGE_PAGE: 1 << 7,
  ACCESSED: 1 << 8,
  DIRTY: 1 << 9,
  /** Execute access for user-mode linear addresses; ignored without mode-based execute control. */
  USER_EXECUTE: 1 << 10,
} as const;

const LEVELS = 4;

/** Bits 51:N of an entry in its upper half; bits 63:52 are ignored. */
const RESERVED_HIGH = 0x000f_ffff & ~(2 ** (PHYSICAL_ADDRESS_BITS - 32) - 1);
const ADDRESS_HIGH = 2 ** (PHYSICAL_ADDRESS_BITS - 32) - 1;

const MEMORY_TYPES: ReadonlySet<number> = new Set([0, 1, 4, 5, 6]);

/** Bytes that an entry of a level maps; level 3 is the PML4. */
const pageSize = [2 ** 12, 2 ** 21, 2 ** 30, 2 ** 39] as const;

/** One walker for each processor: the result of the last walk lies in its fields. */
export class EptWalker {
  /** Host-physical address, after TRANSLATED. */
  physicalAddress = 0;
  /** The permissions that all entries of the walk grant, as bits of an entry: 2:0, and 10. 0 for what is not mapped. */
  permissions = 0;
  /** The entry that maps the page has its dirty flag set, after TRANSLATED. */
  dirty = false;
  /** Bit 63 of the entry that decided, after VIOLATION: the one that is not present, or the one that maps the page. */
  suppressesException = false;
  /** Addresses of the entries used, from the PML4 down. */
  private readonly used = new Float64Array(LEVELS);
  private depth = 0;

  constructor(private readonly physical: PhysicalMemory) {}

  /**
   * Translates a guest-physical address (below 2^52) for an access of `Access` bits; writes nothing.
   * @param root physical address of the EPT PML4 table
   * @param modeBased mode-based execute control: `userMode` says which execute permission counts
   */
  walk(root: number, guestPhysical: number, access: number, modeBased = false, userMode = false): EptResult {
    const present =
      EptEntry.READ | EptEntry.WRITE | EptEntry.EXECUTE | (modeBased ? EptEntry.USER_EXECUTE : 0);
    this.permissions = present;
    this.depth = 0;
    this.suppressesException = false;
    // Bits beyond the 48 that four levels translate: no mapping (SDM 3C 29.3.2).
    if (guestPhysical >= 2 ** 48) return this.notMapped();
    let table = root;
    for (let level = LEVELS - 1; level >= 0; level--) {
      const index = Math.floor(guestPhysical / pageSize[level]) % 512;
      const address = table + index * 8;
      const low = this.physical.read32(address);
      const high = this.physical.read32(address + 4);
      this.suppressesException = high >>> 31 !== 0;
      if ((low & present) === 0) return this.notMapped();
      const leaf = level === 0 || ((low & EptEntry.LARGE_PAGE) !== 0 && level < LEVELS - 1);
      if (isMisconfigured(low, high, level, leaf)) return EptResult.MISCONFIGURATION;
      this.permissions &= low;
      this.used[this.depth++] = address;
      table = (high & ADDRESS_HIGH) * 2 ** 32 + ((low & ~0xfff) >>> 0);
      if (leaf) {
        this.physicalAddress = table + (guestPhysical % pageSize[level]);
        this.dirty = (low & EptEntry.DIRTY) !== 0;
        break;
      }
    }
    const needed = neededPermissions(access, modeBased && userMode);
    return (this.permissions & needed) === needed ? EptResult.TRANSLATED : EptResult.VIOLATION;
  }

  /** SDM 3C 29.3.5: sets the accessed flags of the entries of the last walk, and for a write the dirty flag of the last. */
  setFlags(write: boolean): void {
    for (let i = 0; i < this.depth; i++) {
      const flags = EptEntry.ACCESSED | (write && i === this.depth - 1 ? EptEntry.DIRTY : 0);
      const low = this.physical.read32(this.used[i]);
      if ((low & flags) !== flags) this.physical.write32(this.used[i], low | flags);
    }
  }

  private notMapped(): EptResult {
    this.permissions = 0;
    return EptResult.VIOLATION;
  }
}

const neededPermissions = (access: number, userExecute: boolean): number =>
  userExecute && (access & Access.EXECUTE) !== 0
    ? (access & (Access.READ | Access.WRITE)) | EptEntry.USER_EXECUTE
    : access & (Access.READ | Access.WRITE | Access.EXECUTE);

/** SDM 3C 29.3.3.1, for a present entry. */
function isMisconfigured(low: number, high: number, level: number, leaf: boolean): boolean {
  const readable = (low & EptEntry.READ) !== 0;
  const writable = (low & EptEntry.WRITE) !== 0;
  if (writable && !readable) return true;
  if ((high & RESERVED_HIGH) !== 0) return true;
  if (!leaf) return (low & reservedInTable(level)) !== 0;
  if ((low & reservedInLeaf(level)) !== 0) return true;
  return !MEMORY_TYPES.has((low >> 3) & 7);
}

/** Bits 6:3, and for a PML4E also bit 7 (SDM 3C tables 29-1, 29-3 and 29-5). */
const reservedInTable = (level: number): number => (level === LEVELS - 1 ? 0xf8 : 0x78);

/** Address bits below the size of a large page (SDM 3C tables 29-2 and 29-4). */
const reservedInLeaf = (level: number): number => (level === 0 ? 0 : (pageSize[level] - 1) & ~0xfff);
