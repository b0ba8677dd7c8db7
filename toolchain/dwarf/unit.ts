import type { ByteReader } from '../elf/byteReader.js';
import type { AbbreviationTable } from './abbreviations.js';
import { DW_AT, DW_UT } from './constants.js';
import { Die } from './die.js';
import type { DwarfFile } from './dwarfFile.js';
import { readInitialLength, readOffset } from './sections.js';
import type { DwarfFormat } from './sections.js';

export type InfoSection = '.debug_info' | '.debug_types';

/** DWARF 5 7.5.1; offsets are into the section that the unit is in. */
export interface UnitHeader extends DwarfFormat {
  readonly section: InfoSection;
  readonly offset: number;
  readonly end: number;
  readonly unitType: number;
  readonly abbreviationsOffset: number;
  readonly rootOffset: number;
  /** A type unit's signature and the offset, from the unit's start, of its type. */
  readonly typeUnit: { readonly signature: bigint; readonly typeOffset: number } | undefined;
}

/** The headers of all units of a section; a section with a malformed header throws. */
export function readUnitHeaders(reader: ByteReader, section: InfoSection): UnitHeader[] {
  const headers: UnitHeader[] = [];
  while (!reader.atEnd) {
    const offset = reader.offset;
    const { length, offsetSize } = readInitialLength(reader);
    headers.push(readUnitHeader(reader.slice(length), section, offset, offsetSize));
  }
  return headers;
}

function readUnitHeader(
  reader: ByteReader,
  section: InfoSection,
  offset: number,
  offsetSize: 4 | 8,
): UnitHeader {
  const version = reader.u16();
  if (version < 2 || version > 5) {
    throw reader.error(`DWARF version ${version} is not supported`, offset);
  }
  let unitType: number = section === '.debug_types' ? DW_UT.type : DW_UT.compile;
  let addressSize: number;
  let abbreviationsOffset: number;
  if (version >= 5) {
    unitType = reader.u8();
    addressSize = reader.u8();
    abbreviationsOffset = readOffset(reader, offsetSize);
  } else {
    abbreviationsOffset = readOffset(reader, offsetSize);
    addressSize = reader.u8();
  }
  if (addressSize !== 4 && addressSize !== 8) {
    throw reader.error(`a unit with addresses of ${addressSize} bytes`, offset);
  }
  let typeUnit: UnitHeader['typeUnit'];
  if (unitType === DW_UT.skeleton || unitType === DW_UT.split_compile) {
    reader.skip(8); // dwo_id
  } else if (unitType === DW_UT.type || unitType === DW_UT.split_type) {
    typeUnit = { signature: reader.u64(), typeOffset: readOffset(reader, offsetSize) };
  }
  return {
    section,
    offset,
    end: reader.end,
    version,
    offsetSize,
    addressSize,
    unitType,
    abbreviationsOffset,
    rootOffset: reader.offset,
    typeUnit,
  };
}

/** A unit of .debug_info or .debug_types. Its entries are read when they are asked for. */
export class Unit {
  private abbreviationTable: AbbreviationTable | undefined;
  private rootDie: Die | undefined;
  private readonly bases = new Map<number, number>();

  constructor(
    readonly file: DwarfFile,
    readonly header: UnitHeader,
  ) {}

  /** The unit's own entry; undefined for a unit with no entries at all. */
  get root(): Die | undefined {
    this.rootDie ??=
      this.header.rootOffset < this.header.end ? this.dieAt(this.header.rootOffset) : undefined;
    return this.rootDie;
  }

  get abbreviations(): AbbreviationTable {
    this.abbreviationTable ??= this.file.abbreviations(this.header.abbreviationsOffset, this.header);
    return this.abbreviationTable;
  }

  reader(offset: number): ByteReader {
    return this.file.sections.reader(this.header.section, offset, this.header.end);
  }

  /** The entry at an offset of the section, or undefined for the null entry that ends a list of siblings. */
  dieAt(offset: number): Die | undefined {
    const reader = this.reader(offset);
    const code = reader.uleb();
    if (code === 0) {
      return undefined;
    }
    const abbreviation = this.abbreviations.get(code);
    if (abbreviation === undefined) {
      throw reader.error(`abbreviation ${code} is not in the table of its unit`, offset);
    }
    return new Die(this, offset, abbreviation, reader.offset);
  }

  /** Entry `index` of the unit's part of .debug_addr (DWARF 5 7.27). */
  address(index: number): bigint {
    const base = this.base(DW_AT.addr_base, 8);
    const { addressSize } = this.header;
    return this.file.sections.reader('.debug_addr', base + index * addressSize).unsigned(addressSize);
  }

  /** The string that entry `index` of the unit's part of .debug_str_offsets refers to (DWARF 5 7.26). */
  string(index: number): string {
    const base = this.base(DW_AT.str_offsets_base, this.header.offsetSize * 2);
    const { offsetSize } = this.header;
    const reader = this.file.sections.reader('.debug_str_offsets', base + index * offsetSize);
    return this.file.sections.string('.debug_str', readOffset(reader, offsetSize));
  }

  /** The section offset of list `index` of the unit's part of .debug_rnglists or .debug_loclists (DWARF 5 7.28, 7.29). */
  listOffset(section: '.debug_rnglists' | '.debug_loclists', index: number): number {
    const { offsetSize } = this.header;
    const attribute = section === '.debug_rnglists' ? DW_AT.rnglists_base : DW_AT.loclists_base;
    const base = this.base(attribute, offsetSize === 8 ? 20 : 12);
    return base + readOffset(this.file.sections.reader(section, base + index * offsetSize), offsetSize);
  }

  /** The source file it was compiled from, as it was given to the compiler. */
  get name(): string {
    return this.root?.string(DW_AT.name) ?? '';
  }

  /** The directory that relative paths of the unit start from; '' when it is not recorded. */
  get compilationDirectory(): string {
    return this.root?.string(DW_AT.comp_dir) ?? '';
  }

  /** What addresses in lists are relative to until a list says otherwise (DWARF 5 2.17.3). */
  get baseAddress(): bigint {
    return this.root?.address(DW_AT.low_pc) ?? 0n;
  }

  /** A base attribute of the unit; without it, the first table of the section, after its header. */
  private base(attribute: number, firstTable: number): number {
    let base = this.bases.get(attribute);
    if (base === undefined) {
      base = this.root?.sectionOffset(attribute) ?? firstTable;
      this.bases.set(attribute, base);
    }
    return base;
  }
}
