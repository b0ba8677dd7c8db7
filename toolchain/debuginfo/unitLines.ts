import { DW_AT } from '../dwarf/constants.js';
import { readLineHeader } from '../dwarf/lineHeader.js';
import { runLineProgram } from '../dwarf/lineProgram.js';
import type { Sequence } from '../dwarf/lineProgram.js';
import type { Unit } from '../dwarf/unit.js';
import type { LineRow } from './debugInfo.js';
import { compareBigints, lastIndexWhere } from './search.js';

/** The line table of one unit: its files at once, its rows when they are asked for. */
export class UnitLines {
  readonly files: readonly string[];
  private sequenceList: readonly (readonly LineRow[])[] | undefined;
  private sorted: readonly LineRow[] | undefined;

  constructor(
    private readonly unit: Unit,
    private readonly isCode: (address: bigint) => boolean,
  ) {
    const offset = unit.root?.sectionOffset(DW_AT.stmt_list);
    this.files = offset === undefined ? [] : readLineHeader(unit, offset).header.files;
  }

  /** The file that DW_AT_decl_file or DW_AT_call_file names. */
  file(index: number | undefined): string | undefined {
    return index === undefined ? undefined : this.files[index];
  }

  /** The row that covers an address: the last one there, when the compiler has several. */
  rowAt(address: bigint): LineRow | undefined {
    this.sorted ??= this.sequences
      .flat()
      .filter((row) => row.address < row.endAddress)
      .sort((a, b) => compareBigints(a.address, b.address));
    const row = this.sorted[lastIndexWhere(this.sorted, (candidate) => candidate.address <= address)];
    return row !== undefined && address < row.endAddress ? row : undefined;
  }

  /** All rows, by contiguous piece of code, in the order of the program. A row may be empty. */
  get sequences(): readonly (readonly LineRow[])[] {
    this.sequenceList ??= this.readSequences();
    return this.sequenceList;
  }

  /** As `sequences`, but not kept: for a pass over the units of a large file. */
  readSequences(): readonly (readonly LineRow[])[] {
    if (this.sequenceList !== undefined) {
      return this.sequenceList;
    }
    const offset = this.unit.root?.sectionOffset(DW_AT.stmt_list);
    if (offset === undefined) {
      return [];
    }
    const { header, program } = readLineHeader(this.unit, offset);
    return runLineProgram(header, program)
      .filter(({ rows }) => rows.length > 0 && this.isCode(rows[0].address))
      .map((sequence) => this.lineRows(sequence));
  }

  private lineRows({ rows, end }: Sequence): LineRow[] {
    return rows.map((row, index) => ({
      address: row.address,
      endAddress: rows[index + 1]?.address ?? end,
      file: this.files[row.file] ?? this.unit.name,
      line: row.line,
      column: row.column,
      isStatement: row.isStatement,
      prologueEnd: row.prologueEnd,
    }));
  }
}
