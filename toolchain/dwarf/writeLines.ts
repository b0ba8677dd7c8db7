import { ByteWriter } from '../byteWriter.js';

export interface LineRow {
  /** From the start of the section. */
  readonly offset: number;
  /** Absolute name. */
  readonly file: string;
  /** 1-based. */
  readonly line: number;
}

/** Rows of one section of code, by offset. */
export interface LineSequence {
  /** Tells the section's relocations from others. */
  readonly section: number;
  readonly rows: readonly LineRow[];
  /** The first offset after the code. */
  readonly end: number;
}

/** A field that gets the address of a code section (a number) or a place in a debug section (its name). */
export interface DebugReference {
  readonly offset: number;
  readonly size: 4 | 8;
  readonly target: number | string;
  readonly addend: number;
}

export interface DebugSection {
  readonly bytes: Uint8Array;
  readonly references: readonly DebugReference[];
}

export interface LineInput {
  readonly addressBytes: 4 | 8;
  /** Absolute name of the main file. */
  readonly file: string;
  readonly directory: string;
  readonly producer: string;
  readonly sequences: readonly LineSequence[];
}

/** DWARF 5, 7.5.1, 7.4. */
const DWARF_VERSION = 5;
const ARANGES_VERSION = 2;
const DW_UT_compile = 1;
const DW_TAG_compile_unit = 0x11;
const DW_CHILDREN_no = 0;
const DW_AT = {
  name: 0x03,
  stmt_list: 0x10,
  low_pc: 0x11,
  high_pc: 0x12,
  language: 0x13,
  comp_dir: 0x1b,
  producer: 0x25,
  ranges: 0x55,
} as const;
const DW_FORM = { addr: 0x01, data2: 0x05, string: 0x08, udata: 0x0f, sec_offset: 0x17 } as const;
/** What GNU as and LLVM say: an assembler for MIPS, for want of another. */
const DW_LANG_Mips_Assembler = 0x8001;
const DW_LNCT = { path: 1, directory_index: 2 } as const;
const DW_LNS = { copy: 1, advance_pc: 2, advance_line: 3, set_file: 4 } as const;
const DW_LNE = { end_sequence: 1, set_address: 2 } as const;
const DW_RLE = { end_of_list: 0, start_length: 7 } as const;
/** Operand counts of the standard opcodes 1 to 12 (DWARF 5, 6.2.5.2). */
const STANDARD_OPCODE_LENGTHS = [0, 1, 1, 1, 1, 0, 0, 0, 1, 0, 0, 1];
const OPCODE_BASE = STANDARD_OPCODE_LENGTHS.length + 1;
const LINE_BASE = -5;
const LINE_RANGE = 14;

/** Bytes with fields for the linker. */
class DebugWriter extends ByteWriter {
  readonly references: DebugReference[] = [];

  reference(target: number | string, addend: number, size: 4 | 8): this {
    this.references.push({ offset: this.length, size, target, addend });
    return this.address(0n, size);
  }
}

/** The debug sections, by name, that show source lines for assembled code. */
export function writeLineDebugInfo(input: LineInput): Map<string, DebugSection> {
  const abbreviationTable = { bytes: abbreviations(), references: [] };
  return new Map([
    ['.debug_line', withLength(lineUnit(input))],
    ['.debug_abbrev', abbreviationTable],
    ['.debug_info', withLength(compileUnit(input))],
    ['.debug_aranges', withLength(addressRanges(input))],
    ['.debug_rnglists', withLength(rangeLists(input))],
  ]);
}

const LENGTH_BYTES = 4;

function withLength(unit: DebugWriter): DebugSection {
  const bytes = new ByteWriter().u32(unit.length).bytes(unit.take()).take();
  const references = unit.references.map((reference) => ({
    ...reference,
    offset: reference.offset + LENGTH_BYTES,
  }));
  return { bytes, references };
}

function lineUnit(input: LineInput): DebugWriter {
  const files = [
    ...new Set([input.file, ...input.sequences.flatMap(({ rows }) => rows.map(({ file }) => file))]),
  ];
  const header = new ByteWriter();
  header.u8(1 /* minimum_instruction_length */, 1 /* maximum_operations */, 1 /* default_is_stmt */);
  header.u8(LINE_BASE & 0xff, LINE_RANGE, OPCODE_BASE, ...STANDARD_OPCODE_LENGTHS);
  header.u8(1).uleb(DW_LNCT.path).uleb(DW_FORM.string);
  header.uleb(1).string(input.directory);
  header.u8(2).uleb(DW_LNCT.path).uleb(DW_FORM.string).uleb(DW_LNCT.directory_index).uleb(DW_FORM.udata);
  header.uleb(files.length);
  for (const file of files) header.string(file).uleb(0);

  const unit = new DebugWriter().u16(DWARF_VERSION).u8(input.addressBytes, 0 /* segment_selector_size */);
  unit.u32(header.length).bytes(header.take());
  const fileNumbers = new Map(files.map((file, index) => [file, index]));
  for (const sequence of input.sequences) lineSequence(unit, sequence, fileNumbers, input.addressBytes);
  return unit;
}

/** DWARF 5, 6.2.5: the line number program of one sequence. */
function lineSequence(
  program: DebugWriter,
  { section, rows, end }: LineSequence,
  fileNumbers: ReadonlyMap<string, number>,
  addressBytes: 4 | 8,
): void {
  let address = rows[0].offset;
  let line = 1;
  let file = 1;
  program
    .u8(0)
    .uleb(1 + addressBytes)
    .u8(DW_LNE.set_address)
    .reference(section, address, addressBytes);
  for (const row of rows) {
    const number = fileNumbers.get(row.file)!;
    if (number !== file) program.u8(DW_LNS.set_file).uleb(number);
    file = number;
    let lineAdvance = row.line - line;
    if (lineAdvance < LINE_BASE || lineAdvance >= LINE_BASE + LINE_RANGE) {
      program.u8(DW_LNS.advance_line).sleb(lineAdvance);
      lineAdvance = 0;
    }
    let addressAdvance = row.offset - address;
    const maximum = Math.floor((255 - OPCODE_BASE - (lineAdvance - LINE_BASE)) / LINE_RANGE);
    if (addressAdvance > maximum) {
      program.u8(DW_LNS.advance_pc).uleb(addressAdvance);
      addressAdvance = 0;
    }
    program.u8(lineAdvance - LINE_BASE + LINE_RANGE * addressAdvance + OPCODE_BASE);
    address = row.offset;
    line = row.line;
  }
  program.u8(DW_LNS.advance_pc).uleb(end - address);
  program.u8(0).uleb(1).u8(DW_LNE.end_sequence);
}

function abbreviations(): Uint8Array {
  const attributes: readonly (readonly [attribute: number, form: number])[] = [
    [DW_AT.stmt_list, DW_FORM.sec_offset],
    [DW_AT.low_pc, DW_FORM.addr],
    [DW_AT.ranges, DW_FORM.sec_offset],
    [DW_AT.name, DW_FORM.string],
    [DW_AT.comp_dir, DW_FORM.string],
    [DW_AT.producer, DW_FORM.string],
    [DW_AT.language, DW_FORM.data2],
    [0, 0],
  ];
  const table = new ByteWriter().uleb(1).uleb(DW_TAG_compile_unit).u8(DW_CHILDREN_no);
  for (const [attribute, form] of attributes) table.uleb(attribute).uleb(form);
  return table.u8(0).take();
}

/** Offset of the first list in .debug_rnglists, behind its header with no offset table. */
const FIRST_RANGE_LIST = 12;

function compileUnit({ addressBytes, file, directory, producer }: LineInput): DebugWriter {
  const unit = new DebugWriter().u16(DWARF_VERSION).u8(DW_UT_compile, addressBytes);
  unit.reference('.debug_abbrev', 0, 4).uleb(1).reference('.debug_line', 0, 4).address(0n, addressBytes);
  unit.reference('.debug_rnglists', FIRST_RANGE_LIST, 4);
  return unit.string(file).string(directory).string(producer).u16(DW_LANG_Mips_Assembler);
}

function addressRanges({ addressBytes, sequences }: LineInput): DebugWriter {
  const table = new DebugWriter().u16(ARANGES_VERSION);
  table.reference('.debug_info', 0, 4).u8(addressBytes, 0);
  // Tuples are aligned to their size from the start of the section, where the 4-byte length stands.
  const misaligned = (table.length + LENGTH_BYTES) % (2 * addressBytes);
  table.bytes(new Uint8Array((2 * addressBytes - misaligned) % (2 * addressBytes)));
  for (const { section, rows, end } of sequences) {
    const start = rows[0].offset;
    table.reference(section, start, addressBytes).address(BigInt(end - start), addressBytes);
  }
  return table.address(0n, addressBytes).address(0n, addressBytes);
}

function rangeLists({ addressBytes, sequences }: LineInput): DebugWriter {
  const table = new DebugWriter().u16(DWARF_VERSION).u8(addressBytes, 0).u32(0 /* offset_entry_count */);
  for (const { section, rows, end } of sequences) {
    const start = rows[0].offset;
    table
      .u8(DW_RLE.start_length)
      .reference(section, start, addressBytes)
      .uleb(end - start);
  }
  table.u8(DW_RLE.end_of_list);
  return table;
}
