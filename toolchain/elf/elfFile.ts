import { ByteReader, FormatError } from './byteReader.js';
import { EI, ELFCLASS64, ELFCLASS32, ELFDATA2LSB, ELF_MAGIC, SHF, SHN, SHT } from './constants.js';
import { readNotes } from './notes.js';
import type { ElfNote } from './notes.js';
import { applyRelocations } from './relocations.js';
import { readSymbols } from './symbols.js';
import type { ElfSymbol } from './symbols.js';

export interface ProgramHeader {
  readonly type: number;
  readonly flags: number;
  readonly offset: number;
  readonly virtualAddress: bigint;
  readonly physicalAddress: bigint;
  readonly fileSize: number;
  readonly memorySize: bigint;
  readonly align: bigint;
}

export interface Section {
  readonly index: number;
  readonly name: string;
  readonly type: number;
  readonly flags: number;
  readonly address: bigint;
  readonly offset: number;
  readonly size: number;
  readonly link: number;
  readonly info: number;
  readonly alignment: number;
  readonly entrySize: number;
}

interface RawSection extends Omit<Section, 'name'> {
  readonly nameOffset: number;
}

/**
 * A little-endian ELF32 or ELF64 file: its headers are read and checked at once, symbols and section contents when they
 * are asked for. Throws a FormatError for a file that is not such an ELF.
 */
export class ElfFile {
  readonly bits: 32 | 64;
  readonly type: number;
  readonly machine: number;
  readonly entry: bigint;
  readonly programHeaders: readonly ProgramHeader[];
  readonly sections: readonly Section[];
  private readonly contents = new Map<number, Uint8Array>();
  private symbolTable: readonly ElfSymbol[] | undefined;

  constructor(readonly bytes: Uint8Array) {
    this.bits = readIdentification(bytes);
    const header = readHeader(bytes, this.bits);
    this.type = header.type;
    this.machine = header.machine;
    this.entry = header.entry;
    const rawSections = readSectionHeaders(bytes, this.bits, header);
    this.programHeaders = readProgramHeaders(bytes, this.bits, header, rawSections[0]);
    this.sections = this.nameSections(rawSections, header.sectionNameIndex);
  }

  /** The first section of that name. */
  section(name: string): Section | undefined {
    return this.sections.find((section) => section.name === name);
  }

  /**
   * The section's bytes in the file, not to be written to: empty for SHT_NOBITS; with relocations applied in the debug
   * sections of a relocatable file, whose sections are then all at their sh_addr (0).
   */
  contentOf(section: Section): Uint8Array {
    let content = this.contents.get(section.index);
    if (content === undefined) {
      content = applyRelocations(this, section, this.rawContentOf(section));
      this.contents.set(section.index, content);
    }
    return content;
  }

  /** The bytes of the section of that name; empty when there is none. */
  content(name: string): Uint8Array {
    const section = this.section(name);
    return section === undefined ? new Uint8Array(0) : this.contentOf(section);
  }

  /** SHT_SYMTAB, or SHT_DYNSYM in a file that is stripped of it, in file order without the null symbol. */
  get symbols(): readonly ElfSymbol[] {
    this.symbolTable ??= readSymbols(this);
    return this.symbolTable;
  }

  get notes(): readonly ElfNote[] {
    return readNotes(this);
  }

  /** As in the file, no relocation applied; empty for SHT_NOBITS. */
  rawContentOf(section: Section): Uint8Array {
    if (section.type === SHT.NOBITS || section.type === SHT.NULL) {
      return new Uint8Array(0);
    }
    if ((section.flags & SHF.COMPRESSED) !== 0) {
      throw new FormatError(section.name, 0, 'compressed sections are not supported; link with -gz=none');
    }
    return fileRange(this.bytes, section.offset, section.size, `section ${section.name}`);
  }

  private nameSections(raw: readonly RawSection[], nameIndex: number): Section[] {
    const index = nameIndex === SHN.XINDEX ? raw[0].link : nameIndex;
    const nameSection = raw[index];
    if (raw.length > 0 && index !== SHN.UNDEF && nameSection === undefined) {
      throw new FormatError('ELF header', 0, `e_shstrndx ${index} is not one of the ${raw.length} sections`);
    }
    const names =
      nameSection === undefined || index === SHN.UNDEF
        ? new Uint8Array(1)
        : fileRange(this.bytes, nameSection.offset, nameSection.size, 'section names');
    return raw.map(({ nameOffset, ...section }) => ({
      ...section,
      name: new ByteReader(names, 'section names', nameOffset).string(),
    }));
  }
}

interface Header {
  readonly type: number;
  readonly machine: number;
  readonly entry: bigint;
  readonly programHeaderOffset: number;
  readonly sectionHeaderOffset: number;
  readonly programHeaderSize: number;
  readonly programHeaderCount: number;
  readonly sectionHeaderSize: number;
  readonly sectionCount: number;
  readonly sectionNameIndex: number;
}

function readIdentification(bytes: Uint8Array): 32 | 64 {
  if (bytes.length < EI.NIDENT || ELF_MAGIC.some((byte, index) => bytes[index] !== byte)) {
    throw new FormatError('ELF header', 0, 'not an ELF file');
  }
  if (bytes[EI.DATA] !== ELFDATA2LSB) {
    throw new FormatError('ELF header', EI.DATA, 'not little-endian');
  }
  switch (bytes[EI.CLASS]) {
    case ELFCLASS32:
      return 32;
    case ELFCLASS64:
      return 64;
    default:
      throw new FormatError('ELF header', EI.CLASS, `EI_CLASS ${bytes[EI.CLASS]}`);
  }
}

function readHeader(bytes: Uint8Array, bits: 32 | 64): Header {
  const reader = new ByteReader(bytes, 'ELF header', EI.NIDENT);
  const type = reader.u16();
  const machine = reader.u16();
  reader.skip(4); // e_version
  const entry = reader.unsigned(bits / 8);
  const programHeaderOffset = offsetField(reader, bits);
  const sectionHeaderOffset = offsetField(reader, bits);
  reader.skip(6); // e_flags, e_ehsize
  return {
    type,
    machine,
    entry,
    programHeaderOffset,
    sectionHeaderOffset,
    programHeaderSize: reader.u16(),
    programHeaderCount: reader.u16(),
    sectionHeaderSize: reader.u16(),
    sectionCount: reader.u16(),
    sectionNameIndex: reader.u16(),
  };
}

function readSectionHeaders(bytes: Uint8Array, bits: 32 | 64, header: Header): RawSection[] {
  const sections: RawSection[] = [];
  if (header.sectionHeaderOffset === 0) {
    return sections;
  }
  // gABI 4, e_shnum: with 0xff00 sections or more, the count is in the size field of section 0.
  let count = header.sectionCount === 0 ? 1 : header.sectionCount;
  for (let index = 0; index < count; index++) {
    const offset = header.sectionHeaderOffset + index * header.sectionHeaderSize;
    const section = readSectionHeader(new ByteReader(bytes, 'section headers', offset), bits, index);
    if (index === 0 && header.sectionCount === 0) {
      count = section.size;
    }
    sections.push(section);
  }
  return sections;
}

function readSectionHeader(reader: ByteReader, bits: 32 | 64, index: number): RawSection {
  const nameOffset = reader.u32();
  const type = reader.u32();
  const flags = offsetField(reader, bits);
  const address = reader.unsigned(bits / 8);
  const offset = offsetField(reader, bits);
  const size = offsetField(reader, bits);
  const link = reader.u32();
  const info = reader.u32();
  const alignment = offsetField(reader, bits);
  return {
    index,
    nameOffset,
    type,
    flags,
    address,
    offset,
    size,
    link,
    info,
    alignment,
    entrySize: offsetField(reader, bits),
  };
}

/** gABI 4, e_phnum: the count PN_XNUM (0xffff) means that the info field of section 0 has it. */
const PN_XNUM = 0xffff;

function readProgramHeaders(
  bytes: Uint8Array,
  bits: 32 | 64,
  header: Header,
  firstSection: RawSection | undefined,
): ProgramHeader[] {
  const extended = header.programHeaderCount === PN_XNUM && firstSection !== undefined;
  const count = extended ? firstSection.info : header.programHeaderCount;
  const headers: ProgramHeader[] = [];
  for (let index = 0; index < count; index++) {
    const offset = header.programHeaderOffset + index * header.programHeaderSize;
    headers.push(readProgramHeader(new ByteReader(bytes, 'program headers', offset), bits));
  }
  return headers;
}

function readProgramHeader(reader: ByteReader, bits: 32 | 64): ProgramHeader {
  const type = reader.u32();
  // The 64-bit header has the flags here for alignment, the 32-bit one before the last field.
  const flags64 = bits === 64 ? reader.u32() : 0;
  const offset = offsetField(reader, bits);
  const virtualAddress = reader.unsigned(bits / 8);
  const physicalAddress = reader.unsigned(bits / 8);
  const fileSize = offsetField(reader, bits);
  const memorySize = reader.unsigned(bits / 8);
  const flags = bits === 64 ? flags64 : reader.u32();
  const align = reader.unsigned(bits / 8);
  return { type, flags, offset, virtualAddress, physicalAddress, fileSize, memorySize, align };
}

function offsetField(reader: ByteReader, bits: 32 | 64): number {
  return bits === 64 ? reader.u64AsNumber() : reader.u32();
}

/** Throws a FormatError that names `what` when the range is not all in the file. */
export function fileRange(bytes: Uint8Array, offset: number, size: number, what: string): Uint8Array {
  if (offset + size > bytes.length) {
    throw new FormatError(
      what,
      0,
      `reaches to 0x${(offset + size).toString(16)} in a file of 0x${bytes.length.toString(16)} bytes`,
    );
  }
  return bytes.subarray(offset, offset + size);
}
