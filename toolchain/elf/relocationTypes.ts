import { R_386, R_X86_64 } from './constants.js';

/** What a relocation type computes, in the psABI's letters: S symbol, A addend, P place, G GOT entry, GOT its base. */
export type RelocationValue =
  | 'none'
  /** S + A */
  | 'absolute'
  /** S + A - P */
  | 'relative'
  /** G + GOT + A - P: the entry's address, relative */
  | 'gotEntryRelative'
  /** G + A: the entry's offset from the GOT's base */
  | 'gotEntry'
  /** S + A - GOT */
  | 'gotOffset'
  /** GOT + A - P */
  | 'gotRelative'
  /** Z + A */
  | 'size'
  /** S + A from the thread pointer */
  | 'threadOffset'
  /** The GOT entry that holds the offset from the thread pointer, relative */
  | 'threadOffsetEntry'
  /** S + A from the start of the module's thread data */
  | 'moduleThreadOffset';

export interface RelocationType {
  readonly name: string;
  readonly value: RelocationValue;
  readonly size: 0 | 1 | 2 | 4 | 8;
  /** How an overflow is recognised. */
  readonly range: 'signed' | 'unsigned' | 'either' | 'none';
}

type Row = readonly [value: RelocationValue, size: RelocationType['size'], range: RelocationType['range']];

/** x86-64 psABI 4.4.1. */
const X86_64: Partial<Record<keyof typeof R_X86_64, Row>> = {
  NONE: ['none', 0, 'none'],
  64: ['absolute', 8, 'none'],
  PC32: ['relative', 4, 'signed'],
  GOT32: ['gotEntry', 4, 'signed'],
  PLT32: ['relative', 4, 'signed'],
  GOTPCREL: ['gotEntryRelative', 4, 'signed'],
  32: ['absolute', 4, 'unsigned'],
  '32S': ['absolute', 4, 'signed'],
  16: ['absolute', 2, 'either'],
  PC16: ['relative', 2, 'signed'],
  8: ['absolute', 1, 'either'],
  PC8: ['relative', 1, 'signed'],
  DTPOFF64: ['moduleThreadOffset', 8, 'none'],
  DTPOFF32: ['moduleThreadOffset', 4, 'signed'],
  TPOFF64: ['threadOffset', 8, 'none'],
  TPOFF32: ['threadOffset', 4, 'signed'],
  GOTTPOFF: ['threadOffsetEntry', 4, 'signed'],
  PC64: ['relative', 8, 'none'],
  GOTOFF64: ['gotOffset', 8, 'none'],
  GOTPC32: ['gotRelative', 4, 'signed'],
  GOT64: ['gotEntry', 8, 'none'],
  GOTPCREL64: ['gotEntryRelative', 8, 'none'],
  GOTPC64: ['gotRelative', 8, 'none'],
  PLTOFF64: ['gotOffset', 8, 'none'],
  SIZE32: ['size', 4, 'unsigned'],
  SIZE64: ['size', 8, 'none'],
  GOTPCRELX: ['gotEntryRelative', 4, 'signed'],
  REX_GOTPCRELX: ['gotEntryRelative', 4, 'signed'],
};

/** i386 psABI 4.4.1. */
const I386: Partial<Record<keyof typeof R_386, Row>> = {
  NONE: ['none', 0, 'none'],
  32: ['absolute', 4, 'either'],
  PC32: ['relative', 4, 'none'],
  GOT32: ['gotEntry', 4, 'none'],
  PLT32: ['relative', 4, 'none'],
  GOTOFF: ['gotOffset', 4, 'none'],
  GOTPC: ['gotRelative', 4, 'none'],
  TLS_LE: ['threadOffset', 4, 'none'],
  TLS_LDO_32: ['moduleThreadOffset', 4, 'none'],
  16: ['absolute', 2, 'either'],
  PC16: ['relative', 2, 'either'],
  8: ['absolute', 1, 'either'],
  PC8: ['relative', 1, 'signed'],
  SIZE32: ['size', 4, 'none'],
  GOT32X: ['gotEntry', 4, 'none'],
};

function byNumber(
  prefix: string,
  numbers: Readonly<Record<string, number>>,
  rows: Readonly<Record<string, Row>>,
): Map<number, RelocationType> {
  return new Map(
    Object.entries(rows).map(([name, [value, size, range]]) => [
      numbers[name],
      { name: prefix + name, value, size, range },
    ]),
  );
}

const TYPES = {
  64: byNumber('R_X86_64_', R_X86_64, X86_64),
  32: byNumber('R_386_', R_386, I386),
} as const;

/** What a type computes; undefined for one that a static link cannot have. */
export function relocationType(bits: 32 | 64, type: number): RelocationType | undefined {
  return TYPES[bits].get(type);
}

/** The width of an i386 relocation's field, which holds the addend. */
export function inPlaceSize(type: number): 0 | 1 | 2 | 4 {
  const size = TYPES[32].get(type)?.size ?? 4;
  return size === 8 ? 4 : size;
}

const NUMBERS: Readonly<Record<32 | 64, Readonly<Record<string, number>>>> = { 32: R_386, 64: R_X86_64 };
const PREFIXES = { 32: 'R_386_', 64: 'R_X86_64_' } as const;

/** The number of a relocation by its psABI name; undefined when there is none of that name. */
export function relocationNumber(bits: 32 | 64, name: string): number | undefined {
  const prefix = PREFIXES[bits];
  return name.startsWith(prefix) ? NUMBERS[bits][name.slice(prefix.length)] : undefined;
}
