/** Physical memory as the VMX structures use it: VMCS regions, bitmaps, MSR lists, EPT paging structures. */
import { region } from '../cpu/layout.js';
import { PHYSICAL_ADDRESS_BITS } from '../cpu/registerBits.js';
import type { LinearMemory } from '../cpu/state.js';

const BEYOND = 1n << BigInt(PHYSICAL_ADDRESS_BITS);

/** Within the physical-address width, and aligned to `alignment` bytes (a power of two). */
export const isPhysicalAddress = (address: bigint, alignment = 1): boolean =>
  address < BEYOND && (address & BigInt(alignment - 1)) === 0n;

/**
 * Reads and writes of RAM by physical address. VMX structures must be in write-back memory (SDM 3C 25.11.4): outside RAM
 * reads give all ones and writes go nowhere, as on a bus without a target.
 */
export class PhysicalMemory {
  constructor(private readonly memory: LinearMemory) {}

  contains(address: number, size: number): boolean {
    return address >= 0 && address + size <= this.memory.ramSize;
  }

  read8(address: number): number {
    return this.contains(address, 1) ? this.memory.u8[region.ram + address] : 0xff;
  }

  /** `address` is aligned to four bytes. */
  read32(address: number): number {
    return this.contains(address, 4) ? this.memory.u32[(region.ram + address) >>> 2] : 0xffff_ffff;
  }

  /** `address` is aligned to eight bytes. */
  read64(address: number): bigint {
    return this.contains(address, 8) ? this.memory.u64[(region.ram + address) >>> 3] : 0xffff_ffff_ffff_ffffn;
  }

  write32(address: number, value: number): void {
    if (this.contains(address, 4)) this.memory.u32[(region.ram + address) >>> 2] = value;
  }

  write64(address: number, value: bigint): void {
    if (this.contains(address, 8)) this.memory.u64[(region.ram + address) >>> 3] = value;
  }
}
