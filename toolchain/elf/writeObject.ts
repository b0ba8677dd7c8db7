import { ByteWriter } from '../byteWriter.js';
import {
  EI,
  ELFCLASS32,
  ELFCLASS64,
  ELFDATA2LSB,
  ELF_MAGIC,
  EM,
  ET,
  EV_CURRENT,
  SHF,
  SHN,
  SHT,
  STB,
  STT,
  STV,
} from './constants.js';
import type { ObjectFile, ObjectSection, ObjectSymbol, Relocation, SectionGroup } from './objectFile.js';

const GRP_COMDAT = 1;

/** Sizes of the structures of each class (gABI chapter 4), and where relocations keep their addend. */
const CLASS = {
  32: { id: ELFCLASS32, machine: EM.I386, header: 52, sectionHeader: 40, symbol: 16, relocation: 8, word: 4 },
  64: {
    id: ELFCLASS64,
    machine: EM.X86_64,
    header: 64,
    sectionHeader: 64,
    symbol: 24,
    relocation: 24,
    word: 8,
  },
} as const;

interface FileSection {
  readonly name: string;
  readonly type: number;
  readonly flags: number;
  readonly bytes: Uint8Array;
  readonly size: number;
  readonly alignment: number;
  readonly entrySize: number;
  readonly link: number;
  readonly info: number;
}

/** The bytes of a relocatable ELF: what `as -o` writes. */
export function writeObject(object: ObjectFile): Uint8Array {
  return new ObjectWriter(object).write();
}

class ObjectWriter {
  private readonly sizes;
  private readonly groupCount: number;
  private readonly symbols: readonly ObjectSymbol[];
  /** New index of each of the object's symbols: local ones come first. */
  private readonly symbolIndexes: ReadonlyMap<ObjectSymbol, number>;

  constructor(private readonly object: ObjectFile) {
    this.sizes = CLASS[object.bits];
    this.groupCount = object.groups.length;
    const all = [...object.symbols, ...this.signatures()];
    const isLocal = ({ binding }: ObjectSymbol): boolean => binding === STB.LOCAL;
    this.symbols = [...all.filter(isLocal), ...all.filter((symbol) => !isLocal(symbol))];
    this.symbolIndexes = new Map(this.symbols.map((symbol, index) => [symbol, index + 1]));
  }

  /** Groups are named by symbols; one is made for a signature that has none. */
  private signatures(): ObjectSymbol[] {
    const { groups, symbols } = this.object;
    return groups
      .filter(
        ({ signature }) => !symbols.some(({ name, type }) => name === signature && type !== STT.SECTION),
      )
      .map(({ signature }) => ({
        name: signature,
        value: 0n,
        size: 0n,
        binding: STB.LOCAL,
        type: STT.NOTYPE,
        visibility: STV.DEFAULT,
        section: 'absolute',
      }));
  }

  /** Groups stand before their members (gABI 4, "Section Groups"). */
  private fileIndex(section: number): number {
    return 1 + this.groupCount + section;
  }

  write(): Uint8Array {
    const { sections, groups } = this.object;
    const relocated = sections.flatMap((section, index) =>
      section.relocations.length > 0 ? [{ section, index }] : [],
    );
    const symbolTable = 1 + groups.length + sections.length + relocated.length;
    const strings = new StringTable();
    const symbolBytes = this.symbolTable(strings);
    const list: FileSection[] = [
      ...groups.map((group) => this.group(group, symbolTable, relocated)),
      ...sections.map((section, index) => this.content(section, index)),
      ...relocated.map(({ section, index }) => this.relocations(section, index, symbolTable)),
      {
        ...plain('.symtab', SHT.SYMTAB, symbolBytes),
        alignment: this.sizes.word,
        entrySize: this.sizes.symbol,
        link: symbolTable + 1,
        info: 1 + this.symbols.filter(({ binding }) => binding === STB.LOCAL).length,
      },
      plain('.strtab', SHT.STRTAB, strings.bytes),
    ];
    return this.file(list);
  }

  private content(section: ObjectSection, index: number): FileSection {
    const { name, type, flags, bytes, size, alignment, entrySize, linkedTo } = section;
    const isGrouped = this.object.groups.some(({ members }) => members.includes(index));
    return {
      name,
      type,
      flags: isGrouped ? flags | SHF.GROUP : flags,
      bytes,
      size,
      alignment,
      entrySize,
      link: linkedTo === undefined ? 0 : this.fileIndex(linkedTo),
      info: 0,
    };
  }

  private group(
    { signature, isComdat, members }: SectionGroup,
    symbolTable: number,
    relocated: readonly { readonly index: number }[],
  ): FileSection {
    const tables = relocated.flatMap(({ index }, position) =>
      members.includes(index) ? [this.fileIndex(this.object.sections.length + position)] : [],
    );
    const writer = new ByteWriter().u32(isComdat ? GRP_COMDAT : 0);
    for (const member of [...members.map((index) => this.fileIndex(index)), ...tables]) writer.u32(member);
    const symbol = this.symbols.find(({ name, type }) => name === signature && type !== STT.SECTION)!;
    return {
      ...plain('.group', SHT.GROUP, writer.take()),
      alignment: 4,
      entrySize: 4,
      link: symbolTable,
      info: this.symbolIndexes.get(symbol)!,
    };
  }

  private relocations(section: ObjectSection, index: number, symbolTable: number): FileSection {
    const writer = new ByteWriter();
    for (const relocation of section.relocations) this.relocation(writer, relocation);
    const isAddended = this.object.bits === 64;
    const isGrouped = this.object.groups.some(({ members }) => members.includes(index));
    return {
      ...plain(
        `${isAddended ? '.rela' : '.rel'}${section.name}`,
        isAddended ? SHT.RELA : SHT.REL,
        writer.take(),
      ),
      flags: SHF.INFO_LINK | (isGrouped ? SHF.GROUP : 0),
      alignment: this.sizes.word,
      entrySize: this.sizes.relocation,
      link: symbolTable,
      info: this.fileIndex(index),
    };
  }

  private relocation(writer: ByteWriter, { offset, type, symbol, addend }: Relocation): void {
    const index = symbol < 0 ? 0 : this.symbolIndexes.get(this.object.symbols[symbol])!;
    if (this.object.bits === 64) writer.u64(BigInt(offset)).u32(type).u32(index).u64(addend);
    else writer.u32(offset).u32(((index << 8) | type) >>> 0);
  }

  private symbolTable(strings: StringTable): Uint8Array {
    const writer = new ByteWriter().bytes(new Uint8Array(this.sizes.symbol));
    for (const { name, value, size, binding, type, visibility, section } of this.symbols) {
      const nameOffset = type === STT.SECTION ? 0 : strings.add(name);
      const info = (binding << 4) | type;
      const index = typeof section === 'number' ? this.fileIndex(section) : SPECIAL_SECTIONS[section];
      writer.u32(nameOffset);
      if (this.object.bits === 64) writer.u8(info, visibility).u16(index).u64(value).u64(size);
      else writer.address(value, 4).address(size, 4).u8(info, visibility).u16(index);
    }
    return writer.take();
  }

  private file(list: readonly FileSection[]): Uint8Array {
    const { sizes } = this;
    const names = new StringTable();
    const sections = [...list, plain('.shstrtab', SHT.STRTAB, new Uint8Array(0))];
    const nameOffsets = sections.map(({ name }) => names.add(name));
    const file = new ByteWriter().bytes(new Uint8Array(sizes.header));
    const offsets = sections.map(({ bytes, alignment, type }) => {
      file.align(Math.max(1, alignment));
      const offset = file.length;
      if (type !== SHT.NOBITS) file.bytes(bytes);
      return offset;
    });
    const nameTable = sections.length - 1;
    file.bytes(names.bytes).align(8);
    const headers = file.length;
    file.bytes(new Uint8Array(sizes.sectionHeader));
    sections.forEach((section, index) => {
      const size = index === nameTable ? names.bytes.length : section.size;
      this.sectionHeader(file, { ...section, size }, nameOffsets[index], offsets[index]);
    });
    const image = file.take();
    image.set(this.header(headers, sections.length + 1));
    return image;
  }

  private sectionHeader(file: ByteWriter, section: FileSection, name: number, offset: number): void {
    const { word } = this.sizes;
    file.u32(name).u32(section.type).address(BigInt(section.flags), word).address(0n, word);
    file
      .address(BigInt(offset), word)
      .address(BigInt(section.size), word)
      .u32(section.link)
      .u32(section.info);
    file.address(BigInt(section.alignment), word).address(BigInt(section.entrySize), word);
  }

  private header(sectionHeaders: number, count: number): Uint8Array {
    const { id, machine, word, header, sectionHeader } = this.sizes;
    const file = new ByteWriter().u8(...ELF_MAGIC, id, ELFDATA2LSB, EV_CURRENT);
    file.bytes(new Uint8Array(EI.NIDENT - file.length));
    file.u16(ET.REL).u16(machine).u32(EV_CURRENT).address(0n, word).address(0n, word);
    file.address(BigInt(sectionHeaders), word).u32(0).u16(header).u16(0).u16(0);
    return file
      .u16(sectionHeader)
      .u16(count)
      .u16(count - 1)
      .take();
  }
}

const SPECIAL_SECTIONS = { undefined: SHN.UNDEF, absolute: SHN.ABS, common: SHN.COMMON } as const;

function plain(name: string, type: number, bytes: Uint8Array): FileSection {
  return { name, type, flags: 0, bytes, size: bytes.length, alignment: 1, entrySize: 0, link: 0, info: 0 };
}

/** Names one after the other, each once. */
class StringTable {
  private readonly writer = new ByteWriter().u8(0);
  private readonly offsets = new Map<string, number>();

  add(text: string): number {
    let offset = this.offsets.get(text);
    if (offset === undefined) {
      offset = this.writer.length;
      this.writer.string(text);
      this.offsets.set(text, offset);
    }
    return offset;
  }

  get bytes(): Uint8Array {
    return this.writer.take();
  }
}
