/** What the processor has, as far as reserved bits of its registers follow from it. `cold/cpuid.ts` tells the program. */
import { Cr0, Cr4, Efer, PHYSICAL_ADDRESS_BITS } from './registerBits.js';

/** CR0 bits that exist; others are reserved and stay 0. */
export const CR0_SUPPORTED =
  Cr0.PE | Cr0.MP | Cr0.EM | Cr0.TS | Cr0.ET | Cr0.NE | Cr0.WP | Cr0.AM | Cr0.NW | Cr0.CD | Cr0.PG;

/** CR4 bits that may be set; setting another is #GP(0). */
export const CR4_SUPPORTED =
  Cr4.TSD |
  Cr4.DE |
  Cr4.PSE |
  Cr4.PAE |
  Cr4.PGE |
  Cr4.OSFXSR |
  Cr4.OSXMMEXCPT |
  Cr4.VMXE |
  Cr4.FSGSBASE |
  Cr4.SMEP |
  Cr4.SMAP |
  Cr4.UMIP;

/** IA32_EFER bits that may be set. */
export const EFER_SUPPORTED = Efer.SCE | Efer.LME | Efer.LMA | Efer.NXE;

/** Bits of a physical address that do not exist. */
export const PHYSICAL_RESERVED = ~((1n << BigInt(PHYSICAL_ADDRESS_BITS)) - 1n) & 0xffff_ffff_ffff_ffffn;
