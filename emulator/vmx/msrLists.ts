/** The MSR lists of VM entry and VM exit: SDM 3C 25.7.2 (format), 27.4, 28.4 and 28.6. */
import type { VmxContext } from './context.js';

const ENTRY_SIZE = 16;

const IA32_FS_BASE = 0xc000_0100;
const IA32_GS_BASE = 0xc000_0101;
/** IA32_SMM_MONITOR_CTL can be written only in SMM; IA32_SMBASE can be read only there. */
const IA32_SMM_MONITOR_CTL = 0x9b;
const IA32_SMBASE = 0x9e;

const isX2apic = (index: number): boolean => index >>> 8 === 8;

/**
 * Loads the MSRs of a list.
 * @returns 0, or the number (from 1) of the entry that cannot be loaded; those before it are loaded.
 */
export function loadMsrs(context: VmxContext, address: bigint, count: number): number {
  for (let number = 1; number <= count; number++) {
    const entry = Number(address) + (number - 1) * ENTRY_SIZE;
    const index = context.physical.read32(entry);
    const refused =
      context.physical.read32(entry + 4) !== 0 ||
      index === IA32_FS_BASE ||
      index === IA32_GS_BASE ||
      index === IA32_SMM_MONITOR_CTL ||
      isX2apic(index);
    if (refused || context.processor.msrs.write(index, context.physical.read64(entry + 8)) !== undefined) {
      return number;
    }
  }
  return 0;
}

/** Stores the MSRs of a list; false when one cannot be stored. */
export function storeMsrs(context: VmxContext, address: bigint, count: number): boolean {
  for (let number = 0; number < count; number++) {
    const entry = Number(address) + number * ENTRY_SIZE;
    const index = context.physical.read32(entry);
    if (context.physical.read32(entry + 4) !== 0 || index === IA32_SMBASE || isX2apic(index)) return false;
    const value = context.processor.msrs.read(index);
    if (typeof value !== 'bigint') return false;
    context.physical.write64(entry + 8, value);
  }
  return true;
}
