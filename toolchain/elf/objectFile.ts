import { FormatError, ByteReader } from './byteReader.js';
import { EM, ET, SHF, SHN, SHT } from './constants.js';
import { ElfFile } from './elfFile.js';
import type { Section } from './elfFile.js';
import { inPlaceSize } from './relocationTypes.js';

/** A relocatable object in memory: what an assembler makes and a linker takes. */
export interface ObjectFile {
  /** For messages: the object's own file or, of an archive's member, `archive(member)`. */
  readonly name: string;
  readonly bits: 32 | 64;
  readonly sections: readonly ObjectSection[];
  /** Without the null symbol: symbol table index 1 is at 0. */
  readonly symbols: readonly ObjectSymbol[];
  readonly groups: readonly SectionGroup[];
  /** The index in the file of each of `sections`. */
  readonly fileIndexes?: readonly number[];
  /** The place in the source that a byte of a section comes from, where it is known. */
  readonly locate?: (section: number, offset: number) => ObjectPlace | undefined;
  /** The place in the source that defines a symbol (its index in `symbols`), where it is known. */
  readonly locateSymbol?: (symbol: number) => ObjectPlace | undefined;
}

export interface ObjectPlace {
  readonly file: string;
  readonly line: number;
  readonly column?: number;
  readonly endColumn?: number;
}

export interface ObjectSection {
  readonly name: string;
  /** SHT.* */
  readonly type: number;
  /** SHF.* */
  readonly flags: number;
  readonly alignment: number;
  readonly entrySize: number;
  /** Empty for SHT.NOBITS. */
  readonly bytes: Uint8Array;
  readonly size: number;
  /** By offset. */
  readonly relocations: readonly Relocation[];
  /** Index in `sections` of the section of SHF_LINK_ORDER. */
  readonly linkedTo?: number;
}

export interface Relocation {
  /** In the section. */
  readonly offset: number;
  /** R_X86_64.* or R_386.* */
  readonly type: number;
  /** Index in `symbols`; -1: none, the value 0. */
  readonly symbol: number;
  /** For i386 what stands in the field. */
  readonly addend: bigint;
}

export interface ObjectSymbol {
  readonly name: string;
  /** Offset in the section; for 'common' the alignment. */
  readonly value: bigint;
  readonly size: bigint;
  /** STB.*, STT.*, STV.* */
  readonly binding: number;
  readonly type: number;
  readonly visibility: number;
  /** Index in `sections`. */
  readonly section: number | 'undefined' | 'absolute' | 'common';
}

/** gABI 4, "Section Groups" */
export interface SectionGroup {
  readonly signature: string;
  /** Only one group of that signature is kept. */
  readonly isComdat: boolean;
  /** Indexes in `sections`. */
  readonly members: readonly number[];
}

const GRP_COMDAT = 1;
const BOOKKEEPING: ReadonlySet<number> = new Set([
  SHT.NULL,
  SHT.SYMTAB,
  SHT.STRTAB,
  SHT.RELA,
  SHT.REL,
  SHT.GROUP,
  SHT.SYMTAB_SHNDX,
]);

/**
 * Reads a relocatable x86 object.
 * @throws FormatError for anything else
 */
export function readObject(name: string, bytes: Uint8Array): ObjectFile {
  const elf = new ElfFile(bytes);
  if (elf.type !== ET.REL) throw new FormatError(name, 0, 'not a relocatable object');
  if (elf.machine !== EM.X86_64 && elf.machine !== EM.I386)
    throw new FormatError(name, 0, `an object for another machine (e_machine ${elf.machine})`);
  const contents = elf.sections.filter(({ type }) => !BOOKKEEPING.has(type));
  const indexes = new Map(contents.map(({ index }, position) => [index, position]));
  const relocations = relocationsByTarget(elf, name);
  const sections = contents.map((section): ObjectSection => {
    const content = section.type === SHT.NOBITS ? new Uint8Array(0) : elf.rawContentOf(section);
    const linkedTo = section.flags & SHF.LINK_ORDER ? indexes.get(section.link) : undefined;
    return {
      name: section.name,
      type: section.type,
      flags: section.flags,
      alignment: Math.max(1, section.alignment),
      entrySize: section.entrySize,
      bytes: content,
      size: section.size,
      relocations: relocations.get(section.index) ?? [],
      ...(linkedTo === undefined ? {} : { linkedTo }),
    };
  });
  const symbols = elf.symbols.map((symbol): ObjectSymbol => {
    const section = contents[indexes.get(symbol.sectionIndex) ?? -1];
    return {
      name: symbol.name === '' && section ? section.name : symbol.name,
      value: symbol.value,
      size: symbol.size,
      binding: symbol.binding,
      type: symbol.type,
      visibility: symbol.visibility,
      section: symbolSection(symbol.sectionIndex, indexes),
    };
  });
  const fileIndexes = contents.map(({ index }) => index);
  return { name, bits: elf.bits, sections, symbols, groups: readGroups(elf, indexes), fileIndexes };
}

function symbolSection(index: number, indexes: ReadonlyMap<number, number>): ObjectSymbol['section'] {
  if (index === SHN.UNDEF) return 'undefined';
  if (index === SHN.COMMON) return 'common';
  return indexes.get(index) ?? 'absolute';
}

function relocationsByTarget(elf: ElfFile, name: string): Map<number, Relocation[]> {
  const tables = new Map<number, Relocation[]>();
  for (const table of elf.sections) {
    if (table.type !== SHT.RELA && table.type !== SHT.REL) continue;
    const list = readRelocations(elf, table, elf.sections[table.info], name);
    tables.set(table.info, [...(tables.get(table.info) ?? []), ...list]);
  }
  for (const list of tables.values()) list.sort((left, right) => left.offset - right.offset);
  return tables;
}

function readRelocations(elf: ElfFile, table: Section, target: Section, name: string): Relocation[] {
  const reader = new ByteReader(elf.rawContentOf(table), table.name);
  const content = target.type === SHT.NOBITS ? new Uint8Array(0) : elf.rawContentOf(target);
  const list: Relocation[] = [];
  while (!reader.atEnd) {
    const offset = Number(reader.unsigned(elf.bits / 8));
    const info = reader.unsigned(elf.bits / 8);
    const type = Number(elf.bits === 64 ? info & 0xffffffffn : info & 0xffn);
    const symbol = Number(info >> (elf.bits === 64 ? 32n : 8n)) - 1;
    let addend: bigint;
    if (table.type === SHT.RELA) {
      addend = elf.bits === 64 ? reader.s64() : BigInt(reader.s32());
    } else {
      const size = inPlaceSize(type);
      if (offset + size > content.length)
        throw new FormatError(name, offset, `a relocation outside of section ${target.name}`);
      addend =
        size === 0 ? 0n : BigInt.asIntN(size * 8, new ByteReader(content, name, offset).unsigned(size));
    }
    list.push({ offset, type, symbol, addend });
  }
  return list;
}

function readGroups(elf: ElfFile, indexes: ReadonlyMap<number, number>): SectionGroup[] {
  return elf.sections
    .filter(({ type }) => type === SHT.GROUP)
    .map((group) => {
      const reader = new ByteReader(elf.rawContentOf(group), group.name);
      const isComdat = (reader.u32() & GRP_COMDAT) !== 0;
      const members: number[] = [];
      while (!reader.atEnd) {
        const member = indexes.get(reader.u32());
        if (member !== undefined) members.push(member);
      }
      const signature = elf.symbols[group.info - 1];
      const name = signature.name || elf.sections[signature.sectionIndex]?.name;
      return { signature: name ?? '', isComdat, members };
    });
}
