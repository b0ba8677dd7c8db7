/** Extended page tables, SDM 3C 29.3: 4-level walks without accessed and dirty flags. */
import { PHYSICAL_ADDRESS_BITS } from '../cpu/registerBits.js';
import { Access } from '../cpu/seams.js';
import type { PhysicalMemory } from './physicalMemory.js';

/** What a walk came to. */
export const EptResult = { TRANSLATED: 0, VIOLATION: 1, MISCONFIGURATION: 2 } as const;
export type EptResult = (typeof EptResult)[keyof typeof EptResult];

const PERMISSIONS = 7;
const LARGE_PAGE = 1 << 7;
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
  /** Bits 2:0: the permissions that all entries of the walk grant (read, write, execute). */
  permissions = 0;

  constructor(private readonly physical: PhysicalMemory) {}

  /**
   * Translates a guest-physical address (below 2^52) for an access of `Access` bits.
   * @param root physical address of the EPT PML4 table
   */
  walk(root: number, guestPhysical: number, access: number): EptResult {
    this.permissions = PERMISSIONS;
    // Bits beyond the 48 that four levels translate: no mapping (SDM 3C 29.3.2).
    if (guestPhysical >= 2 ** 48) return this.violation(0);
    let table = root;
    for (let level = LEVELS - 1; level >= 0; level--) {
      const index = Math.floor(guestPhysical / pageSize[level]) % 512;
      const low = this.physical.read32(table + index * 8);
      const high = this.physical.read32(table + index * 8 + 4);
      const granted = low & PERMISSIONS;
      if (granted === 0) return this.violation(0);
      const leaf = level === 0 || ((low & LARGE_PAGE) !== 0 && level < LEVELS - 1);
      if (isMisconfigured(low, high, level, leaf)) return EptResult.MISCONFIGURATION;
      this.permissions &= granted;
      table = (high & ADDRESS_HIGH) * 2 ** 32 + ((low & ~0xfff) >>> 0);
      if (leaf) {
        this.physicalAddress = table + (guestPhysical % pageSize[level]);
        break;
      }
    }
    const needed = access & (Access.READ | Access.WRITE | Access.EXECUTE);
    return (this.permissions & needed) === needed ? EptResult.TRANSLATED : EptResult.VIOLATION;
  }

  private violation(permissions: number): EptResult {
    this.permissions = permissions;
    return EptResult.VIOLATION;
  }
}

/** SDM 3C 29.3.3.1, for a present entry. */
function isMisconfigured(low: number, high: number, level: number, leaf: boolean): boolean {
  const readable = (low & Access.READ) !== 0;
  const writable = (low & Access.WRITE) !== 0;
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
