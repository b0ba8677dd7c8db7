import { ByteWriter } from '../byteWriter.js';
import {
  EM,
  ELFCLASS32,
  ELFCLASS64,
  ELFDATA2LSB,
  ELF_MAGIC,
  ET,
  EV_CURRENT,
  PF,
  PT,
  SHF,
  SHN,
  SHT,
} from './constants.js';

export interface ElfSectionInput {
  readonly name: string;
  /** SHT.* */
  readonly type: number;
  /** SHF.* */
  readonly flags: number;
  readonly address: bigint;
  /** The physical address; the same when left out. */
  readonly loadAddress?: bigint;
  readonly alignment: number;
  /** undefined for SHT.NOBITS. */
  readonly bytes: Uint8Array | undefined;
  /** Bytes in memory. */
  readonly size: number;
}

export interface ElfSymbolInput {
  readonly name: string;
  readonly value: bigint;
  readonly size: bigint;
  /** STB.*, STT.*, STV.* */
  readonly binding: number;
  readonly type: number;
  readonly visibility: number;
  /** Index in `sections`, or 'absolute'. */
  readonly section: number | 'absolute';
}

export interface ElfInput {
  readonly bits: 32 | 64;
  readonly entry: bigint;
  /** Allocated sections in the order of their addresses, then the others. */
  readonly sections: readonly ElfSectionInput[];
  readonly symbols: readonly ElfSymbolInput[];
}

const PAGE_SIZE = 0x1000;

/** Sizes of the structures of each class (gABI chapters 4 and 5). */
const CLASS = {
  32: {
    header: 52,
    programHeader: 32,
    sectionHeader: 40,
    symbol: 16,
    address: 4,
    machine: EM.I386,
    id: ELFCLASS32,
  },
  64: {
    header: 64,
    programHeader: 56,
    sectionHeader: 64,
    symbol: 24,
    address: 8,
    machine: EM.X86_64,
    id: ELFCLASS64,
  },
} as const;

interface PlacedSection {
  readonly input: ElfSectionInput;
  readonly link: number;
  readonly info: number;
  readonly entrySize: number;
  offset: number;
}

/** Writes a static executable with one PT_LOAD for each allocated section. */
export function writeElf(input: ElfInput): Uint8Array {
  const sizes = CLASS[input.bits];
  const loads = input.sections.filter(({ flags, size }) => (flags & SHF.ALLOC) !== 0 && size > 0);
  const sections = input.sections.map((section): PlacedSection => ({
    input: section,
    link: 0,
    info: 0,
    entrySize: 0,
    offset: 0,
  }));
  sections.push(...symbolSections(input));
  const names = new ByteWriter().u8(0);
  const nameOffsets = [...sections.map(({ input: { name } }) => name), '.shstrtab'].map((name) => {
    const offset = names.length;
    names.string(name);
    return offset;
  });
  sections.push(table('.shstrtab', SHT.STRTAB, names.take()));

  const file = new ByteWriter();
  file.bytes(new Uint8Array(sizes.header + sizes.programHeader * loads.length));
  for (const section of sections) placeSection(file, section);
  file.align(8);
  const sectionHeaders = file.length;
  writeSectionHeader(file, input.bits, 0, undefined);
  sections.forEach((section, index) => writeSectionHeader(file, input.bits, nameOffsets[index], section));

  const image = file.take();
  const header = headerBytes(input, loads.length, sectionHeaders, sections.length + 1);
  const programHeaders = sections
    .filter(({ input: section }) => loads.includes(section))
    .map((section) => programHeader(input.bits, section));
  let at = 0;
  for (const part of [header, ...programHeaders]) {
    image.set(part, at);
    at += part.length;
  }
  return image;
}

function table(
  name: string,
  type: number,
  bytes: Uint8Array,
  link = 0,
  info = 0,
  entrySize = 0,
): PlacedSection {
  const input = {
    name,
    type,
    flags: 0,
    address: 0n,
    alignment: entrySize ? 8 : 1,
    bytes,
    size: bytes.length,
  };
  return { input, link, info, entrySize, offset: 0 };
}

/** .symtab with local symbols first, as the gABI demands, and .strtab. */
function symbolSections({ bits, symbols, sections }: ElfInput): PlacedSection[] {
  const strings = new ByteWriter().u8(0);
  const entries = new ByteWriter().bytes(new Uint8Array(CLASS[bits].symbol));
  const ordered = [...symbols].sort(
    (left, right) => Number(left.binding !== 0) - Number(right.binding !== 0),
  );
  for (const symbol of ordered) {
    const name = strings.length;
    strings.string(symbol.name);
    const info = (symbol.binding << 4) | symbol.type;
    const section = symbol.section === 'absolute' ? SHN.ABS : symbol.section + 1;
    entries.u32(name);
    if (bits === 64) entries.u8(info, symbol.visibility).u16(section).u64(symbol.value).u64(symbol.size);
    else entries.address(symbol.value, 4).address(symbol.size, 4).u8(info, symbol.visibility).u16(section);
  }
  const firstGlobal = 1 + symbols.filter(({ binding }) => binding === 0).length;
  const stringTable = sections.length + 2;
  return [
    table('.symtab', SHT.SYMTAB, entries.take(), stringTable, firstGlobal, CLASS[bits].symbol),
    table('.strtab', SHT.STRTAB, strings.take()),
  ];
}

/** The file offset of what is loaded is congruent to its address modulo the page size. */
function placeSection(file: ByteWriter, section: PlacedSection): void {
  const { flags, address, bytes, alignment } = section.input;
  if ((flags & SHF.ALLOC) !== 0) {
    const wanted = Number(address % BigInt(PAGE_SIZE));
    const padding = (wanted - (file.length % PAGE_SIZE) + PAGE_SIZE) % PAGE_SIZE;
    // Also before .bss: loaders may insist that every segment begins inside the file.
    file.bytes(new Uint8Array(padding));
    section.offset = file.length;
  } else {
    file.align(Math.max(1, alignment));
    section.offset = file.length;
  }
  if (bytes) file.bytes(bytes);
}

function writeSectionHeader(
  file: ByteWriter,
  bits: 32 | 64,
  name: number,
  section: PlacedSection | undefined,
): void {
  const width = CLASS[bits].address;
  if (!section) {
    file.bytes(new Uint8Array(CLASS[bits].sectionHeader));
    return;
  }
  const { input, link, info, entrySize, offset } = section;
  file.u32(name).u32(input.type);
  file.address(BigInt(input.flags), width).address(input.address, width);
  file.address(BigInt(offset), width).address(BigInt(input.size), width);
  file.u32(link).u32(info);
  file.address(BigInt(Math.max(1, input.alignment)), width).address(BigInt(entrySize), width);
}

function programHeader(bits: 32 | 64, { input, offset }: PlacedSection): Uint8Array {
  const width = CLASS[bits].address;
  const flags = PF.R | (input.flags & SHF.WRITE ? PF.W : 0) | (input.flags & SHF.EXECINSTR ? PF.X : 0);
  const file = new ByteWriter().u32(PT.LOAD);
  if (bits === 64) file.u32(flags);
  const physical = input.loadAddress ?? input.address;
  file.address(BigInt(offset), width).address(input.address, width).address(physical, width);
  file.address(BigInt(input.bytes?.length ?? 0), width).address(BigInt(input.size), width);
  if (bits === 32) file.u32(flags);
  return file.address(BigInt(PAGE_SIZE), width).take();
}

function headerBytes(
  { bits, entry }: ElfInput,
  loads: number,
  sectionHeaders: number,
  sectionCount: number,
): Uint8Array {
  const sizes = CLASS[bits];
  const file = new ByteWriter()
    .u8(...ELF_MAGIC, sizes.id, ELFDATA2LSB, EV_CURRENT, 0)
    .bytes(new Uint8Array(8));
  file.u16(ET.EXEC).u16(sizes.machine).u32(EV_CURRENT);
  file
    .address(entry, sizes.address)
    .address(BigInt(sizes.header), sizes.address)
    .address(BigInt(sectionHeaders), sizes.address);
  file.u32(0).u16(sizes.header).u16(sizes.programHeader).u16(loads);
  return file
    .u16(sizes.sectionHeader)
    .u16(sectionCount)
    .u16(sectionCount - 1)
    .take();
}
