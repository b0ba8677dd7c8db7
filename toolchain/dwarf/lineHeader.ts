import type { ByteReader } from '../elf/byteReader.js';
import { DW_FORM, DW_LNCT } from './constants.js';
import { readForm } from './forms.js';
import type { FormValue } from './forms.js';
import { joinPath } from './paths.js';
import { readInitialLength, readOffset } from './sections.js';
import type { DwarfFormat } from './sections.js';
import type { Unit } from './unit.js';

/** The header of a line number program (DWARF 5 6.2.4). */
export interface LineHeader extends DwarfFormat {
  readonly minimumInstructionLength: number;
  readonly defaultIsStatement: boolean;
  readonly lineBase: number;
  readonly lineRange: number;
  readonly opcodeBase: number;
  /** The number of LEB128 operands of each standard opcode; the first element is unused. */
  readonly standardOpcodeLengths: readonly number[];
  /** Paths by the numbers that the program uses: from 0 in version 5, from 1 before it (0 is then the unit's own name). */
  readonly files: readonly string[];
}

/** Reads the header at an offset of .debug_line; `program` is a reader of what follows it. */
export function readLineHeader(unit: Unit, offset: number): { header: LineHeader; program: ByteReader } {
  const outer = unit.file.sections.reader('.debug_line', offset);
  const { length, offsetSize } = readInitialLength(outer);
  const reader = outer.slice(length);
  const version = reader.u16();
  if (version < 2 || version > 5) {
    throw reader.error(`line program version ${version} is not supported`, offset);
  }
  let { addressSize } = unit.header;
  if (version >= 5) {
    addressSize = reader.u8();
    reader.skip(1); // segment_selector_size
  }
  const headerLength = readOffset(reader, offsetSize);
  const tables = reader.slice(headerLength);
  const minimumInstructionLength = tables.u8();
  if (version >= 4 && tables.u8() > 1) {
    throw tables.error('a line program for a VLIW machine (maximum_operations_per_instruction > 1)');
  }
  const defaultIsStatement = tables.u8() !== 0;
  const lineBase = tables.s8();
  const lineRange = tables.u8();
  const opcodeBase = tables.u8();
  if (lineRange === 0 && opcodeBase < 255) {
    throw tables.error('line_range is 0');
  }
  const standardOpcodeLengths = [0];
  for (let opcode = 1; opcode < opcodeBase; opcode++) {
    standardOpcodeLengths.push(tables.u8());
  }
  const format: DwarfFormat = { version, offsetSize, addressSize };
  const files = version >= 5 ? readFiles5(tables, unit, format) : readFiles2(tables, unit);
  return {
    header: {
      ...format,
      minimumInstructionLength,
      defaultIsStatement,
      lineBase,
      lineRange,
      opcodeBase,
      standardOpcodeLengths,
      files,
    },
    program: reader,
  };
}

/** Versions 2 to 4: two lists of strings, each ended by an empty one. Directory 0 is the compilation directory. */
function readFiles2(reader: ByteReader, unit: Unit): string[] {
  const compilationDirectory = unit.compilationDirectory;
  const directories = [compilationDirectory];
  for (let directory = reader.string(); directory !== ''; directory = reader.string()) {
    directories.push(joinPath(compilationDirectory, directory));
  }
  const files = [joinPath(compilationDirectory, unit.name)];
  for (let name = reader.string(); name !== ''; name = reader.string()) {
    const directory = directories[reader.uleb()] ?? compilationDirectory;
    reader.skipLeb(); // modification time
    reader.skipLeb(); // length
    files.push(joinPath(directory, name));
  }
  return files;
}

/** Version 5: both lists describe the format of their entries first. */
function readFiles5(reader: ByteReader, unit: Unit, format: DwarfFormat): string[] {
  const directories: string[] = [];
  readEntries(reader, format, (fields) => {
    const path = text(unit, fields.get(DW_LNCT.path));
    directories.push(joinPath(directories[0] ?? unit.compilationDirectory, path));
  });
  const files: string[] = [];
  readEntries(reader, format, (fields) => {
    const index = fields.get(DW_LNCT.directory_index);
    const directory = directories[index?.kind === 'constant' ? Number(index.value) : 0];
    files.push(joinPath(directory ?? unit.compilationDirectory, text(unit, fields.get(DW_LNCT.path))));
  });
  return files;
}

function readEntries(
  reader: ByteReader,
  format: DwarfFormat,
  add: (fields: ReadonlyMap<number, FormValue>) => void,
): void {
  const formats: { contentType: number; form: number }[] = [];
  for (let count = reader.u8(); count > 0; count--) {
    formats.push({ contentType: reader.uleb(), form: reader.uleb() });
  }
  const start = reader.offset;
  const count = reader.uleb();
  // Entries without content would make a loop of any length out of a few bytes.
  if (
    count > 0 &&
    !formats.some(({ form }) => form !== DW_FORM.flag_present && form !== DW_FORM.implicit_const)
  ) {
    throw reader.error(`${count} entries without any content`, start);
  }
  for (let index = 0; index < count; index++) {
    const fields = new Map<number, FormValue>();
    for (const { contentType, form } of formats) {
      fields.set(contentType, readForm(reader, { attribute: 0, form, implicitConstant: undefined }, format));
    }
    add(fields);
  }
}

function text(unit: Unit, value: FormValue | undefined): string {
  switch (value?.kind) {
    case 'string':
      return value.value;
    case 'stringOffset':
      return unit.file.sections.string(value.section, value.offset);
    case 'stringIndex':
      return unit.string(value.index);
    default:
      return '';
  }
}
