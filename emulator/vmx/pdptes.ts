/** The page-directory-pointer table of PAE paging (SDM 3A 4.4.1). */
import type { PhysicalMemory } from './physicalMemory.js';

/** The four entries in memory at bits 31:5 of CR3. */
export function readPdptes(cr3: bigint, physical: PhysicalMemory): readonly bigint[] {
  const table = Number(cr3 & 0xffff_ffe0n);
  return [0, 8, 16, 24].map((offset) => physical.read64(table + offset));
}
