/** What register values mean: named bits, segment access rights. */
import { Cr0, Cr4, Efer, Rflags, SegmentAccess } from '../../emulator/cpu/registerBits.js';

type Bits = Readonly<Record<string, bigint>>;

const flags = Object.fromEntries(Object.entries(Rflags).filter(([name]) => name !== 'FIXED'));

/** Registers whose bits have names. */
const bitTables: Readonly<Record<string, Bits>> = {
  cr0: Cr0,
  cr4: Cr4,
  efer: Efer,
  rflags: flags,
};

export interface NamedBit {
  readonly name: string;
  readonly mask: bigint;
}

/** The named bits of a register, ascending; empty when it has none. */
export function bitsOfRegister(name: string): readonly NamedBit[] {
  return Object.entries(bitTables[name] ?? {}).map(([bit, mask]) => ({ name: bit, mask }));
}

// SDM 3A table 3-1.
const DATA_TYPES = ['read-only', 'read/write', 'read-only, expand-down', 'read/write, expand-down'] as const;
const CODE_TYPES = [
  'execute-only',
  'execute/read',
  'execute-only, conforming',
  'execute/read, conforming',
] as const;
// SDM 3A table 3-2.
const SYSTEM_TYPES: Readonly<Record<number, string>> = {
  1: '16-bit TSS',
  2: 'LDT',
  3: 'busy 16-bit TSS',
  9: 'TSS',
  11: 'busy TSS',
};

function typeText(access: number): string {
  const type = access & SegmentAccess.TYPE;
  if (!(access & SegmentAccess.S)) return SYSTEM_TYPES[type] ?? `system type ${type}`;
  const index = (type >> 1) & 3;
  return type & 8 ? `code, ${CODE_TYPES[index]}` : `data, ${DATA_TYPES[index]}`;
}

/** Access rights in the format of the VMCS in words: `code, execute/read, 64-bit, DPL 0`. */
export function accessText(access: number): string {
  if (access & SegmentAccess.UNUSABLE) return 'unusable';
  const size = access & SegmentAccess.L ? '64-bit' : access & SegmentAccess.DB ? '32-bit' : '16-bit';
  const present = access & SegmentAccess.P ? '' : ', not present';
  const isMemory = (access & SegmentAccess.S) !== 0;
  const dpl = `DPL ${(access >> SegmentAccess.DPL_SHIFT) & 3}`;
  return `${typeText(access)}${isMemory ? `, ${size}` : ''}, ${dpl}${present}`;
}

/** The meaning of a register's value in words, or undefined where the number says it all. */
export function registerDetail(name: string, value: bigint): string | undefined {
  if (name.endsWith('access')) return accessText(Number(value));
  const bits = bitsOfRegister(name);
  if (bits.length === 0) return undefined;
  const set = bits.filter(({ mask }) => value & mask).map((bit) => bit.name);
  return set.join(' ');
}
