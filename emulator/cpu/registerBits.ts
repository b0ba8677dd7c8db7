/** Bits of the control registers, RFLAGS and segment access rights, and the processor modes that follow from them. */
import { layout } from './layout.js';
import type { LinearMemory, ProcessorState } from './state.js';

const bits = <Name extends string>(table: Record<Name, number>): Readonly<Record<Name, bigint>> => {
  const values = {} as Record<Name, bigint>;
  for (const name of Object.keys(table) as Name[]) values[name] = 1n << BigInt(table[name]);
  return values;
};

/** SDM 3A 2.5. */
export const Cr0 = bits({
  PE: 0,
  MP: 1,
  EM: 2,
  TS: 3,
  ET: 4,
  NE: 5,
  WP: 16,
  AM: 18,
  NW: 29,
  CD: 30,
  PG: 31,
});

/** SDM 3A 2.5. */
export const Cr4 = bits({
  VME: 0,
  PVI: 1,
  TSD: 2,
  DE: 3,
  PSE: 4,
  PAE: 5,
  MCE: 6,
  PGE: 7,
  PCE: 8,
  OSFXSR: 9,
  OSXMMEXCPT: 10,
  UMIP: 11,
  LA57: 12,
  VMXE: 13,
  SMXE: 14,
  FSGSBASE: 16,
  PCIDE: 17,
  OSXSAVE: 18,
  SMEP: 20,
  SMAP: 21,
  PKE: 22,
});

/** IA32_EFER, SDM 3A 2.2.1. */
export const Efer = bits({ SCE: 0, LME: 8, LMA: 10, NXE: 11 });

/** SDM 1 3.4.3 and 3A 2.3. */
export const Rflags = bits({
  CF: 0,
  FIXED: 1,
  PF: 2,
  AF: 4,
  ZF: 6,
  SF: 7,
  TF: 8,
  IF: 9,
  DF: 10,
  OF: 11,
  NT: 14,
  RF: 16,
  VM: 17,
  AC: 18,
  VIF: 19,
  VIP: 20,
  ID: 21,
});
export const RFLAGS_IOPL_SHIFT = 12n;
export const RFLAGS_IOPL = 3n << RFLAGS_IOPL_SHIFT;

/** DR6 and DR7, SDM 3B 18.2. */
export const Dr6 = bits({ BD: 13, BS: 14, BT: 15 });
export const DR6_RESET = 0xffff_0ff0n;
export const DR7_RESET = 0x400n;
export const DR7_GD = 1n << 13n;
/** L0, G0 to L3, G3. */
export const DR7_ENABLES = 0xffn;

/** Guest interruptibility state, SDM 3C table 25-3. */
export const Interruptibility = { STI: 1, MOV_SS: 2, SMI: 4, NMI: 8 } as const;

/** Guest activity state, SDM 3C 25.4.2. */
export const Activity = { ACTIVE: 0, HLT: 1, SHUTDOWN: 2, WAIT_FOR_SIPI: 3 } as const;

/** Segment access rights in the format of the VMCS, SDM 3C table 25-2. */
export const SegmentAccess = {
  TYPE: 0xf,
  S: 1 << 4,
  DPL_SHIFT: 5,
  P: 1 << 7,
  AVL: 1 << 12,
  L: 1 << 13,
  DB: 1 << 14,
  G: 1 << 15,
  UNUSABLE: 1 << 16,
} as const;

/** IA-32e mode is active: EFER.LMA. */
export const isLongMode = (state: ProcessorState): boolean => (state.efer & Efer.LMA) !== 0n;

/** 64-bit mode: EFER.LMA and CS.L. */
export const is64BitMode = (state: ProcessorState): boolean =>
  (state.csAccess & SegmentAccess.L) !== 0 && isLongMode(state);

/** Protected mode (also as a part of IA-32e mode): CR0.PE. */
export const isProtectedMode = (state: ProcessorState): boolean => (state.cr0 & Cr0.PE) !== 0n;

/** Default operand and address size of the running code in bits. */
export const codeBits = (state: ProcessorState): 16 | 32 | 64 => {
  if (is64BitMode(state)) return 64;
  return (state.csAccess & SegmentAccess.DB) !== 0 ? 32 : 16;
};

/** Bytes of the stack pointer in use: RSP, ESP or SP (SDM 1 6.2.3). */
export const stackAddressSize = (state: ProcessorState): 2 | 4 | 8 => {
  if (is64BitMode(state)) return 8;
  return (state.ssAccess & SegmentAccess.DB) !== 0 ? 4 : 2;
};

/** IOPL of RFLAGS. */
export const ioPrivilegeLevel = (state: ProcessorState): number =>
  Number((state.rflagsSystem & RFLAGS_IOPL) >> RFLAGS_IOPL_SHIFT);

/** Physical address width that CPUID 0x80000008 tells: bits 51:40 of paging-structure entries are reserved. */
export const PHYSICAL_ADDRESS_BITS = 40;

/** A 48-bit linear address is canonical when bits 63:47 are equal (SDM 1 3.3.7.1). */
export const isCanonical = (linear: bigint): boolean =>
  BigInt.asUintN(64, BigInt.asIntN(48, linear)) === linear;

/** The same on int32 halves. */
export const isCanonicalHalves = (high: number): boolean => {
  const sign = high >> 15;
  return sign === 0 || sign === -1;
};

/**
 * What the page walker must know of the control registers, as one int32: TLB entries made under another value do not
 * count (cached permissions are what the walk found, after CR0.WP and the rest were applied).
 */
export const PagingMode = {
  PG: 1,
  PAE: 2,
  LONG: 4,
  PSE: 8,
  WP: 16,
  SMEP: 32,
  SMAP: 64,
  NXE: 128,
} as const;

/** Reads the paging mode from the control registers in `memory`, without a bigint. */
export function currentPagingMode(memory: LinearMemory): number {
  const cr0 = memory.i32[layout.cr0 >> 2];
  const cr4 = memory.i32[layout.cr4 >> 2];
  const efer = memory.i32[layout.efer >> 2];
  return pagingMode(cr0, cr4, efer);
}

/** The paging mode of the low halves of CR0, CR4 and IA32_EFER. */
export function pagingMode(cr0: number, cr4: number, efer: number): number {
  const test = (value: number, bit: number, flag: number): number => ((value >>> bit) & 1 ? flag : 0);
  return (
    test(cr0, 31, PagingMode.PG) |
    test(cr0, 16, PagingMode.WP) |
    test(cr4, 4, PagingMode.PSE) |
    test(cr4, 5, PagingMode.PAE) |
    test(cr4, 20, PagingMode.SMEP) |
    test(cr4, 21, PagingMode.SMAP) |
    test(efer, 10, PagingMode.LONG) |
    test(efer, 11, PagingMode.NXE)
  );
}
