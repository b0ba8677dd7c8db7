/** The PDPTE registers of PAE paging (SDM 3A 4.4.1). */
import type { Failure } from './cold/operands.js';
import { generalProtection, virtualizationException } from './fault.js';
import { PHYSICAL_RESERVED } from './features.js';
import { region } from './layout.js';
import { Cr0, Cr4, isLongMode } from './registerBits.js';
import type { Processor } from './seams.js';
import { Access, Translation } from './seams.js';
import type { ProcessorState } from './state.js';

/** Bits of a present PDPTE that must be 0: 2:1, 8:5, and beyond the physical address width. */
const RESERVED = PHYSICAL_RESERVED | 0x1e6n;

/** Does the processor use PAE paging with these registers? */
export const usesPaePaging = (state: ProcessorState, cr0 = state.cr0, cr4 = state.cr4): boolean =>
  (cr0 & Cr0.PG) !== 0n && (cr4 & Cr4.PAE) !== 0n && !isLongMode(state);

/** Is this a PDPTE that may be loaded? */
export const isValidPdpte = (value: bigint): boolean => (value & 1n) === 0n || (value & RESERVED) === 0n;

/** Loads the four registers from the table at CR3; #GP(0) and nothing loaded when one has a reserved bit set. */
export function loadPdptes(processor: Processor, cr3: bigint): Failure | undefined {
  const { state, memory, virtualization } = processor;
  const values: bigint[] = [];
  for (let i = 0; i < 4; i++) {
    const guestAddress = Number(cr3 & 0xffff_ffe0n) + i * 8;
    const address = virtualization.nestedPaging
      ? virtualization.translate(guestAddress, Access.READ, undefined)
      : guestAddress;
    if (address === Translation.VIRTUALIZATION_EXCEPTION) return virtualizationException();
    if (address < 0) return 'exited';
    // Beyond RAM the bus floats: all ones.
    const inRam = address + 8 <= memory.ramSize;
    const value = inRam ? memory.view.getBigUint64(region.ram + address, true) : 0xffff_ffff_ffff_ffffn;
    if (!isValidPdpte(value)) return generalProtection();
    values.push(value);
  }
  [state.pdpte0, state.pdpte1, state.pdpte2, state.pdpte3] = values;
  return undefined;
}
