import { ByteReader, FormatError } from './byteReader.js';
import { SHN, SHT } from './constants.js';
import type { ElfFile, Section } from './elfFile.js';

export interface ElfSymbol {
  readonly name: string;
  readonly value: bigint;
  readonly size: bigint;
  /** STB_* */
  readonly binding: number;
  /** STT_* */
  readonly type: number;
  /** STV_* */
  readonly visibility: number;
  /** SHN_UNDEF, SHN_ABS, SHN_COMMON, or the index of a section. */
  readonly sectionIndex: number;
}

/** The symbols of SHT_SYMTAB, or else of SHT_DYNSYM, in file order. The null symbol at index 0 is left out. */
export function readSymbols(elf: ElfFile): ElfSymbol[] {
  const table = symbolTable(elf);
  if (table === undefined) {
    return [];
  }
  const strings = elf.sections[table.link];
  if (strings === undefined) {
    throw new FormatError(table.name, 0, `its string table is section ${table.link}, which is not there`);
  }
  const names = elf.contentOf(strings);
  const extendedIndexes = extendedIndexTable(elf, table);
  const reader = new ByteReader(elf.contentOf(table), table.name);
  const symbols: ElfSymbol[] = [];
  for (let index = 0; !reader.atEnd; index++) {
    const symbol = elf.bits === 64 ? readSymbol64(reader) : readSymbol32(reader);
    if (index === 0) {
      continue;
    }
    symbols.push({
      name: new ByteReader(names, strings.name, symbol.nameOffset).string(),
      value: symbol.value,
      size: symbol.size,
      binding: symbol.info >> 4,
      type: symbol.info & 0xf,
      visibility: symbol.other & 3,
      sectionIndex: symbol.sectionIndex === SHN.XINDEX ? extendedIndexes(index) : symbol.sectionIndex,
    });
  }
  return symbols;
}

function symbolTable(elf: ElfFile): Section | undefined {
  return (
    elf.sections.find((section) => section.type === SHT.SYMTAB) ??
    elf.sections.find((section) => section.type === SHT.DYNSYM)
  );
}

function extendedIndexTable(elf: ElfFile, table: Section): (index: number) => number {
  const section = elf.sections.find(({ type, link }) => type === SHT.SYMTAB_SHNDX && link === table.index);
  return (index) => {
    if (section === undefined) {
      throw new FormatError(
        table.name,
        0,
        `symbol ${index} has SHN_XINDEX, but there is no SHT_SYMTAB_SHNDX section`,
      );
    }
    return new ByteReader(elf.contentOf(section), section.name, index * 4).u32();
  };
}

interface RawSymbol {
  readonly nameOffset: number;
  readonly info: number;
  readonly other: number;
  readonly sectionIndex: number;
  readonly value: bigint;
  readonly size: bigint;
}

function readSymbol64(reader: ByteReader): RawSymbol {
  const nameOffset = reader.u32();
  const info = reader.u8();
  const other = reader.u8();
  const sectionIndex = reader.u16();
  return { nameOffset, info, other, sectionIndex, value: reader.u64(), size: reader.u64() };
}

function readSymbol32(reader: ByteReader): RawSymbol {
  const nameOffset = reader.u32();
  const value = BigInt(reader.u32());
  const size = BigInt(reader.u32());
  return { nameOffset, value, size, info: reader.u8(), other: reader.u8(), sectionIndex: reader.u16() };
}
