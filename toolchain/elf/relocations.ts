import { ByteReader, FormatError } from './byteReader.js';
import { EM, ET, R_386, R_X86_64, SHT } from './constants.js';
import type { ElfFile, Section } from './elfFile.js';
import type { ElfSymbol } from './symbols.js';

/** How a relocation changes its field: S + A, or S + A - P for a relative one (x86-64 psABI 4.4, i386 psABI 4.4). */
interface FieldRule {
  readonly size: 1 | 2 | 4 | 8;
  readonly relative: boolean;
}

const RULES_X86_64: Readonly<Record<number, FieldRule>> = {
  [R_X86_64[64]]: { size: 8, relative: false },
  [R_X86_64[32]]: { size: 4, relative: false },
  [R_X86_64['32S']]: { size: 4, relative: false },
  [R_X86_64[16]]: { size: 2, relative: false },
  [R_X86_64[8]]: { size: 1, relative: false },
  [R_X86_64.PC64]: { size: 8, relative: true },
  [R_X86_64.PC32]: { size: 4, relative: true },
  [R_X86_64.PLT32]: { size: 4, relative: true },
  [R_X86_64.DTPOFF64]: { size: 8, relative: false },
  [R_X86_64.DTPOFF32]: { size: 4, relative: false },
};

const RULES_386: Readonly<Record<number, FieldRule>> = {
  [R_386[32]]: { size: 4, relative: false },
  [R_386.PC32]: { size: 4, relative: true },
};

/**
 * The content of a debug section of a relocatable file with its relocations applied, in a copy; any other content as it
 * is. Only these sections are read before a link, and they need no layout: every section of the file is at its sh_addr.
 */
export function applyRelocations(elf: ElfFile, section: Section, content: Uint8Array): Uint8Array {
  if (elf.type !== ET.REL || !/^\.(debug_|eh_frame)/.test(section.name)) {
    return content;
  }
  const tables = elf.sections.filter(
    ({ type, info }) => (type === SHT.RELA || type === SHT.REL) && info === section.index,
  );
  if (tables.length === 0) {
    return content;
  }
  const relocated = content.slice();
  for (const table of tables) {
    applyTable(elf, table, section, relocated);
  }
  return relocated;
}

function applyTable(elf: ElfFile, table: Section, section: Section, content: Uint8Array): void {
  const rules = elf.machine === EM.X86_64 ? RULES_X86_64 : RULES_386;
  const reader = new ByteReader(elf.contentOf(table), table.name);
  while (!reader.atEnd) {
    const start = reader.offset;
    const offset = Number(reader.unsigned(elf.bits / 8));
    const info = reader.unsigned(elf.bits / 8);
    const addend =
      table.type === SHT.RELA ? (elf.bits === 64 ? reader.s64() : BigInt(reader.s32())) : undefined;
    const type = Number(elf.bits === 64 ? info & 0xffffffffn : info & 0xffn);
    const symbolIndex = Number(info >> (elf.bits === 64 ? 32n : 8n));
    if (type === R_X86_64.NONE) {
      continue;
    }
    const rule = rules[type];
    if (rule === undefined) {
      throw new FormatError(table.name, start, `relocation type ${type} is not supported in ${section.name}`);
    }
    const symbol = symbolIndex === 0 ? undefined : elf.symbols[symbolIndex - 1];
    const place = section.address + BigInt(offset);
    const base = symbolAddress(elf, symbol) - (rule.relative ? place : 0n);
    addToField(content, section.name, offset, rule.size, base, addend);
  }
}

function symbolAddress(elf: ElfFile, symbol: ElfSymbol | undefined): bigint {
  if (symbol === undefined) {
    return 0n;
  }
  return symbol.value + (elf.sections[symbol.sectionIndex]?.address ?? 0n);
}

/** Without an explicit addend (SHT_REL) the field holds it. */
function addToField(
  content: Uint8Array,
  sectionName: string,
  offset: number,
  size: 1 | 2 | 4 | 8,
  base: bigint,
  addend: bigint | undefined,
): void {
  const inPlace = new ByteReader(content, sectionName, offset).unsigned(size);
  let value = base + (addend ?? inPlace);
  for (let index = 0; index < size; index++) {
    content[offset + index] = Number(value & 0xffn);
    value >>= 8n;
  }
}
