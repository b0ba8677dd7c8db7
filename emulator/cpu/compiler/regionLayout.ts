/** What compiled regions have in the linear memory: where they leave (sites) and where they can be entered. */
import { region } from '../layout.js';

/**
 * A site: an instruction at which a region gives up, 8 bytes. The interpreter goes on at its record.
 * `left`: instructions that the region has paid for and not executed. `kind`: the lazy flags' kind where it is known
 * statically, else `DYNAMIC_KIND`.
 */
export const site = { record: 0, left: 4, kind: 6, size: 8 } as const;
export const DYNAMIC_KIND = 0xffff;

/** The fields of a record with `Handler.REGION`, the first of a block at which a region can be entered. */
export const regionRecord = {
  /** u32: index of the region's function in the table. */
  function: 16,
  /** u32: which of the region's entries. */
  entry: 20,
  /** u32: record of the same block for the interpreter. */
  plain: 24,
} as const;

/** u16 for each byte of a page: the entry of its region at that RIP, or `NO_ENTRY`. */
export const ENTRY_TABLE_SIZE = 0x1000 * 2;
export const NO_ENTRY = 0xffff;

/**
 * A region is entered, and goes around its loops, only with this many instructions left: on the way between two such
 * tests it retires no more.
 */
export const BUDGET_MARGIN = 256;

/** Gives out memory for sites and entry tables. What is given out is free again when all regions are dropped. */
export class RegionMemory {
  private nextSite: number = region.sites;
  private nextTable: number = region.entryTables;
  private readonly freeTables: number[] = [];

  /** Room for so many sites and entry tables? */
  hasRoom(sites: number, tables: number): boolean {
    const fresh = Math.max(0, tables - this.freeTables.length);
    const hasTables = this.nextTable + fresh * ENTRY_TABLE_SIZE <= region.ram;
    return hasTables && this.nextSite + sites * site.size <= region.entryTables;
  }

  allocateSite(): number {
    const address = this.nextSite;
    this.nextSite += site.size;
    return address;
  }

  allocateTable(): number {
    const free = this.freeTables.pop();
    if (free !== undefined) return free;
    const address = this.nextTable;
    this.nextTable += ENTRY_TABLE_SIZE;
    return address;
  }

  releaseTable(address: number): void {
    this.freeTables.push(address);
  }

  clear(): void {
    this.nextSite = region.sites;
    this.nextTable = region.entryTables;
    this.freeTables.length = 0;
  }
}
