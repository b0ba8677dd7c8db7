/** CPUID (SDM 2A): a part like Skylake, and exactly what is implemented. */
import { Cr4, PHYSICAL_ADDRESS_BITS } from '../registerBits.js';
import type { Processor } from '../seams.js';
import { Cold } from '../seams.js';
import type { ColdTable } from './semantics.js';

/** EAX, EBX, ECX, EDX as unsigned numbers. */
export type CpuidResult = readonly [eax: number, ebx: number, ecx: number, edx: number];

const NOTHING: CpuidResult = [0, 0, 0, 0];
const bit = (...numbers: number[]): number => numbers.reduce((value, n) => value | (1 << n), 0) >>> 0;

/** Four characters, little-endian. */
const letters = (text: string): number =>
  [...text].reduce((value, letter, i) => value | (letter.charCodeAt(0) << (8 * i)), 0) >>> 0;

/** Family 6, model 0x5E, stepping 3. */
export const SIGNATURE = 0x0005_06e3;
export const MAX_BASIC_LEAF = 0x15;
export const MAX_EXTENDED_LEAF = 0x8000_0008;
/** The TSC counts virtual nanoseconds: leaf 0x15 says a 1 GHz crystal at ratio 1/1. */
export const TSC_HZ = 1_000_000_000;

/** Leaf 1 ECX: VMX, CMPXCHG16B, x2APIC, MOVBE, POPCNT, TSC deadline. */
const FEATURES_ECX = bit(5, 13, 21, 22, 23, 24);
/** Leaf 1 EDX: DE, PSE, TSC, MSR, PAE, CX8, SEP, PGE, CMOV, PAT, PSE-36, CLFSH. */
const FEATURES_EDX = bit(2, 3, 4, 5, 6, 8, 11, 13, 15, 16, 17, 19);
const APIC_EDX = bit(9);
/** More than one logical processor in the package. */
const HTT_EDX = bit(28);
const OSXSAVE_ECX = bit(27);
/** Leaf 7 EBX: FSGSBASE, IA32_TSC_ADJUST, SMEP, SMAP. */
const STRUCTURED_EBX = bit(0, 1, 7, 20);
/** Leaf 7 ECX: UMIP, RDPID. */
const STRUCTURED_ECX = bit(2, 22);
/** Leaf 0x80000001. ECX: LAHF in 64-bit mode, PREFETCHW. EDX: SYSCALL, XD, 1-GByte pages, RDTSCP, Intel 64. */
const EXTENDED_ECX = bit(0, 8);
const EXTENDED_EDX = bit(11, 20, 26, 27, 29);
const INVARIANT_TSC = bit(8);
/** Leaf 6 EAX: the APIC timer always runs. */
const ARAT = bit(2);
/** Leaf 1 EBX: CLFLUSH line of 8 * 8 bytes, number of logical processors, initial APIC ID. */
const identity = ({ apic, processorCount }: Processor): number =>
  ((8 << 8) | (processorCount << 16) | (apic.id << 24)) >>> 0;
const BRAND = 'Hyperstep virtual x86-64 processor'.padEnd(48, '\0');

type Leaf = (processor: Processor, subleaf: number) => CpuidResult;

const brand =
  (part: number): Leaf =>
  () => {
    const text = BRAND.slice(part * 16, part * 16 + 16);
    return [
      letters(text.slice(0, 4)),
      letters(text.slice(4, 8)),
      letters(text.slice(8, 12)),
      letters(text.slice(12)),
    ];
  };

/** Extended topology (SDM 2A table 3-8): one thread a core, all cores in one package. */
const topology: Leaf = ({ apic, processorCount }, subleaf) => {
  const [THREAD, CORE] = [1, 2];
  const packageShift = Math.ceil(Math.log2(processorCount));
  if (subleaf === 0) return [0, 1, THREAD << 8, apic.id];
  if (subleaf === 1) return [packageShift, processorCount, 1 | (CORE << 8), apic.id];
  return [0, 0, subleaf & 0xff, apic.id];
};

const APIC_GLOBAL_ENABLE = 1n << 11n;

const leaves: ReadonlyMap<number, Leaf> = new Map<number, Leaf>([
  [0x0, () => [MAX_BASIC_LEAF, letters('Genu'), letters('ntel'), letters('ineI')]],
  [
    0x1,
    (processor) => {
      const { state } = processor;
      const apic = (state.apicBase & APIC_GLOBAL_ENABLE) !== 0n ? APIC_EDX : 0;
      const osxsave = (state.cr4 & Cr4.OSXSAVE) !== 0n ? OSXSAVE_ECX : 0;
      const many = processor.processorCount > 1 ? HTT_EDX : 0;
      return [SIGNATURE, identity(processor), FEATURES_ECX | osxsave, FEATURES_EDX | apic | many];
    },
  ],
  // No cache information here: see leaf 4 (SDM 2A table 3-12, descriptor FF).
  [0x2, () => [0x0000_ff01, 0, 0, 0]],
  [0x6, () => [ARAT, 0, 0, 0]],
  [0x7, (_, subleaf) => (subleaf === 0 ? [0, STRUCTURED_EBX, STRUCTURED_ECX, 0] : NOTHING)],
  [0xb, topology],
  [0x15, () => [1, 1, TSC_HZ, 0]],
  [0x8000_0000, () => [MAX_EXTENDED_LEAF, 0, 0, 0]],
  [0x8000_0001, () => [0, 0, EXTENDED_ECX, EXTENDED_EDX]],
  [0x8000_0002, brand(0)],
  [0x8000_0003, brand(1)],
  [0x8000_0004, brand(2)],
  [0x8000_0007, () => [0, 0, 0, INVARIANT_TSC]],
  // Physical and linear address widths.
  [0x8000_0008, () => [PHYSICAL_ADDRESS_BITS | (48 << 8), 0, 0, 0]],
]);

/** The answer of a leaf. One beyond the ranges answers as the highest basic leaf (SDM 2A CPUID). */
export function cpuid(processor: Processor, leaf: number, subleaf: number): CpuidResult {
  const basic = leaf <= MAX_BASIC_LEAF;
  const extended = leaf >= 0x8000_0000 && leaf <= MAX_EXTENDED_LEAF;
  const effective = basic || extended ? leaf : MAX_BASIC_LEAF;
  return leaves.get(effective)?.(processor, subleaf) ?? NOTHING;
}

export const cpuidInstructions: ColdTable = {
  cpuid: {
    execute: (processor) => {
      const { state } = processor;
      const leaf = Number(state.rax & 0xffff_ffffn);
      const subleaf = Number(state.rcx & 0xffff_ffffn);
      const [eax, ebx, ecx, edx] = cpuid(processor, leaf, subleaf);
      state.rax = BigInt(eax >>> 0);
      state.rbx = BigInt(ebx >>> 0);
      state.rcx = BigInt(ecx >>> 0);
      state.rdx = BigInt(edx >>> 0);
      return Cold.RETIRED;
    },
  },
};
