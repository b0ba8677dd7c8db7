import { R_386, R_X86_64 } from '../elf/constants.js';
import type { Fixup, Section } from './sections.js';
import { AssemblyError } from './source.js';
import { Alias, AssemblySymbol } from './symbols.js';
import { targetOffset } from './value.js';
import type { Target, Value } from './value.js';

/** A field that the linker fills: relative to a symbol, to the start of a section, or to nothing. */
export interface PendingRelocation {
  readonly offset: number;
  readonly type: number;
  readonly symbol: AssemblySymbol | Section | undefined;
  readonly addend: bigint;
}

export interface FieldPlace {
  readonly section: Section;
  /** Offsets in the section of the field and of the end of its instruction. */
  readonly field: number;
  readonly end: number;
  /** A jump that could choose its size: GNU as binds it to a global symbol of the same section. */
  readonly isBranch: boolean;
  /** The instruction's bytes up to the field. */
  readonly before: Uint8Array;
}

/** The field's number, or the relocation that makes it. */
export type Resolution = { readonly value: bigint } | { readonly relocation: PendingRelocation };

type Types = Readonly<Record<number, number>>;
const ABSOLUTE: Readonly<Record<32 | 64, Types>> = {
  64: { 1: R_X86_64[8], 2: R_X86_64[16], 4: R_X86_64[32], 8: R_X86_64[64] },
  // An address of 32 bits in a `.quad`: the upper half stays 0.
  32: { 1: R_386[8], 2: R_386[16], 4: R_386[32], 8: R_386[32] },
};
const RELATIVE: Readonly<Record<32 | 64, Types>> = {
  64: { 1: R_X86_64.PC8, 2: R_X86_64.PC16, 4: R_X86_64.PC32, 8: R_X86_64.PC64 },
  32: { 1: R_386.PC8, 2: R_386.PC16, 4: R_386.PC32 },
};

/** The relocation operators by the width of the field (x86-64 psABI 4.4.1). */
const OPERATORS_64: Readonly<Record<string, Types>> = {
  plt: { 4: R_X86_64.PLT32 },
  pltoff: { 8: R_X86_64.PLTOFF64 },
  got: { 4: R_X86_64.GOT32, 8: R_X86_64.GOT64 },
  gotoff: { 8: R_X86_64.GOTOFF64 },
  gotpcrel: { 4: R_X86_64.GOTPCREL, 8: R_X86_64.GOTPCREL64 },
  gotplt: { 8: R_X86_64.GOTPLT64 },
  tlsgd: { 4: R_X86_64.TLSGD },
  tlsld: { 4: R_X86_64.TLSLD },
  gottpoff: { 4: R_X86_64.GOTTPOFF },
  tpoff: { 4: R_X86_64.TPOFF32, 8: R_X86_64.TPOFF64 },
  dtpoff: { 4: R_X86_64.DTPOFF32, 8: R_X86_64.DTPOFF64 },
  size: { 4: R_X86_64.SIZE32, 8: R_X86_64.SIZE64 },
  tlsdesc: { 4: R_X86_64.GOTPC32_TLSDESC },
  tlscall: { 0: R_X86_64.TLSDESC_CALL },
};
const OPERATORS_32: Readonly<Record<string, Types>> = {
  plt: { 4: R_386.PLT32 },
  got: { 4: R_386.GOT32 },
  gotoff: { 4: R_386.GOTOFF },
  tlsgd: { 4: R_386.TLS_GD },
  tlsldm: { 4: R_386.TLS_LDM },
  gottpoff: { 4: R_386.TLS_IE },
  indntpoff: { 4: R_386.TLS_IE },
  gotntpoff: { 4: R_386.TLS_GOTIE },
  tpoff: { 4: R_386.TLS_LE_32 },
  ntpoff: { 4: R_386.TLS_LE },
  dtpoff: { 4: R_386.TLS_LDO_32 },
  size: { 4: R_386.SIZE32 },
};

export const GOT_SYMBOL = '_GLOBAL_OFFSET_TABLE_';

/**
 * Decides, as GNU as does, whether a field is known now or is the linker's.
 * @throws AssemblyError for a value that no relocation can express
 */
export function resolveField(fixup: Fixup, value: Value, place: FieldPlace, bits: 32 | 64): Resolution {
  const { expression, size } = fixup;
  const [plus, ...morePlus] = value.plus;
  const [minus, ...moreMinus] = value.minus;
  const impossible = (reason: string): AssemblyError =>
    new AssemblyError(reason, expression.start, expression.end);
  if (morePlus.length > 0 || moreMinus.length > 0 || (minus && !plus)) {
    const unknown = [...value.plus, ...value.minus].find(({ location }) => !location)?.symbol;
    throw impossible(
      unknown
        ? `no relocation can express this: '${unknown.name}' is not defined in this file`
        : 'no relocation can express this sum of addresses',
    );
  }
  const isInstructionRelative =
    fixup.relative === 'target' || (fixup.relative === 'ripMemory' && plus !== undefined);
  const distance = isInstructionRelative ? place.field - place.end : 0;
  let addend = value.value + BigInt(distance);
  if (!plus) {
    if (!isInstructionRelative && !value.relocation) return { value: value.value };
    const type = typeOf(fixup, value, undefined, true, place, bits);
    return {
      relocation: {
        offset: place.field,
        type: known(type, value, size, impossible),
        symbol: undefined,
        addend,
      },
    };
  }
  if (minus) {
    if (minus.location?.chunk.section !== place.section)
      throw impossible(
        minus.location || !minus.symbol
          ? 'the difference of addresses in two other sections is not known'
          : `undefined symbol '${minus.symbol.name}' cannot be subtracted`,
      );
    addend += BigInt(place.field) - targetOffset(minus);
  }
  const isRelative = isInstructionRelative || minus !== undefined;
  if (isRelative && isKnown(plus, value, place, minus !== undefined))
    return { value: targetOffset(plus) + addend - BigInt(place.field) };
  const type = known(typeOf(fixup, value, plus, isRelative, place, bits), value, size, impossible);
  // As an immediate the GOT's distance counts from the start of the instruction.
  if (!isRelative && ownerOf(plus)?.name === GOT_SYMBOL) addend += BigInt(place.before.length);
  const { symbol, extra } = reduce(plus, value, isRelative, minus !== undefined, bits, place.section);
  return { relocation: { offset: place.field, type, symbol, addend: addend + extra } };
}

function known(
  type: number | undefined,
  { relocation }: Value,
  size: number,
  impossible: (reason: string) => AssemblyError,
): number {
  if (type !== undefined) return type;
  const operator = relocation ? `relocation '@${relocation}'` : 'an address';
  throw impossible(`${operator} does not fit a field of ${size} byte${size === 1 ? '' : 's'}`);
}

/** The symbol that a target names; undefined for numeric labels and `.`. */
export function ownerOf({ symbol }: Target): AssemblySymbol | undefined {
  const owner = symbol instanceof Alias ? symbol.symbol : symbol;
  return owner instanceof AssemblySymbol ? owner : undefined;
}

function isKnown(target: Target, { relocation }: Value, place: FieldPlace, isDifference: boolean): boolean {
  if (target.location?.chunk.section !== place.section || (relocation && relocation !== 'plt')) return false;
  const owner = ownerOf(target);
  if (!owner || isDifference) return true;
  if (owner.binding === 'weak' || owner.type === 'ifunc') return false;
  return place.isBranch || owner.binding === 'local';
}

function typeOf(
  fixup: Fixup,
  { relocation }: Value,
  target: Target | undefined,
  isRelative: boolean,
  { before }: FieldPlace,
  bits: 32 | 64,
): number | undefined {
  const { size } = fixup;
  if (relocation) {
    const type = (bits === 64 ? OPERATORS_64 : OPERATORS_32)[relocation]?.[size];
    if (type === R_X86_64.GOTPCREL && bits === 64 && mayRelaxGot(before))
      return (before.at(-3)! & 0xf0) === 0x40 ? R_X86_64.REX_GOTPCRELX : R_X86_64.GOTPCRELX;
    if (type === R_386.GOT32 && bits === 32 && relocation === 'got' && mayRelaxGot(before))
      return R_386.GOT32X;
    return type;
  }
  const owner = target && ownerOf(target);
  if (owner?.name === GOT_SYMBOL) {
    if (bits === 32) return size === 4 ? R_386.GOTPC : undefined;
    return { 4: R_X86_64.GOTPC32, 8: R_X86_64.GOTPC64 }[size as number];
  }
  if (isRelative) {
    const mayNeedPlt = owner !== undefined && (owner.binding !== 'local' || !target?.location);
    if (bits === 64 && size === 4 && fixup.mayUsePlt && mayNeedPlt) return R_X86_64.PLT32;
    return RELATIVE[bits][size];
  }
  if (bits === 64 && size === 4 && fixup.range === 'signed') return R_X86_64['32S'];
  return ABSOLUTE[bits][size];
}

/** x86-64 psABI B.2: the loads, tests, arithmetic and indirect branches that need no GOT after all. */
function mayRelaxGot(before: Uint8Array): boolean {
  const modrm = before.at(-1)!;
  const opcode = before.at(-2);
  if (opcode === undefined || before.at(-3) === 0x0f) return false;
  if (opcode === 0xff) return [2, 4].includes((modrm >> 3) & 7);
  return opcode === 0x8b || opcode === 0x85 || (opcode & ~0x38) === 0x03;
}

/** These name the symbol itself: its GOT entry, its thread storage, its size. */
const KEEPS_SYMBOL =
  /^(got|gotoff|gotpcrel|gotplt|tls\w+|gottpoff|tpoff|ntpoff|dtpoff|gotntpoff|indntpoff|size|pltoff)$/;

/** A local symbol becomes its section and an offset, as far as the linker may still merge strings. */
function reduce(
  target: Target,
  { value, relocation }: Value,
  isRelative: boolean,
  isDifference: boolean,
  bits: 32 | 64,
  place: Section,
): { symbol: AssemblySymbol | Section; extra: bigint } {
  const owner = ownerOf(target);
  const section = target.location?.chunk.section;
  if (!section) return { symbol: owner!, extra: 0n };
  const isFixedName =
    owner !== undefined &&
    (owner.binding !== 'local' ||
      owner.type === 'ifunc' ||
      section.flags.tls ||
      // Another object's group may be the one that is kept.
      (section.flags.isComdat && section !== place) ||
      (relocation !== undefined &&
        KEEPS_SYMBOL.test(relocation) &&
        (bits === 64 || relocation !== 'gotoff')) ||
      (section.flags.merge && (value !== 0n || isDifference || (isRelative && bits === 64))));
  return isFixedName ? { symbol: owner, extra: 0n } : { symbol: section, extra: targetOffset(target) };
}
