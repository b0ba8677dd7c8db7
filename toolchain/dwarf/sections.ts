import { ByteReader } from '../elf/byteReader.js';
import type { ElfFile } from '../elf/elfFile.js';

export type DwarfSectionName =
  | '.debug_abbrev'
  | '.debug_addr'
  | '.debug_info'
  | '.debug_line'
  | '.debug_line_str'
  | '.debug_loc'
  | '.debug_loclists'
  | '.debug_ranges'
  | '.debug_rnglists'
  | '.debug_str'
  | '.debug_str_offsets'
  | '.debug_types';

/** The debug sections of one file; one that is missing reads as empty. */
export class DwarfSections {
  private readonly contents = new Map<DwarfSectionName, Uint8Array>();

  constructor(readonly elf: ElfFile) {}

  reader(name: DwarfSectionName, offset = 0, end?: number): ByteReader {
    const content = this.content(name);
    return new ByteReader(content, name, offset, end ?? content.length);
  }

  content(name: DwarfSectionName): Uint8Array {
    let content = this.contents.get(name);
    if (content === undefined) {
      content = this.elf.content(name);
      this.contents.set(name, content);
    }
    return content;
  }

  /** The NUL-terminated string at an offset of a string section. */
  string(name: '.debug_str' | '.debug_line_str', offset: number): string {
    return this.reader(name, offset).string();
  }
}

/** How a unit or line program encodes offsets and addresses (DWARF 5 7.4). */
export interface DwarfFormat {
  readonly version: number;
  /** 4 in the 32-bit DWARF format, 8 in the 64-bit one. */
  readonly offsetSize: 4 | 8;
  readonly addressSize: number;
}

/** The initial length field of a unit, with what it implies; the reader is then at the first byte it counts. */
export function readInitialLength(reader: ByteReader): { length: number; offsetSize: 4 | 8 } {
  const start = reader.offset;
  const length = reader.u32();
  if (length === 0xffffffff) {
    return { length: reader.u64AsNumber(), offsetSize: 8 };
  }
  if (length >= 0xfffffff0) {
    throw reader.error(`the reserved unit length 0x${length.toString(16)}`, start);
  }
  return { length, offsetSize: 4 };
}

/** An offset into another section. */
export function readOffset(reader: ByteReader, offsetSize: 4 | 8): number {
  return offsetSize === 8 ? reader.u64AsNumber() : reader.u32();
}
