import { DwarfFile } from '../dwarf/dwarfFile.js';
import { FormatError } from '../elf/byteReader.js';
import { ElfFile } from '../elf/elfFile.js';
import { codeFilter } from './codeRanges.js';
import { Functions } from './functions.js';
import { inlineFrames } from './inlining.js';
import { LineTable } from './lineTable.js';
import { SymbolTable } from './symbolTable.js';
import { Units } from './units.js';
import type { Location } from './location.js';
import type { MachineContext } from './machineContext.js';
import type { Type } from './types.js';

export type { MachineContext } from './machineContext.js';
export type { Location } from './location.js';
export type { Type } from './types.js';

export interface SourceLocation {
  /** Absolute where the debug information has it. */
  readonly file: string;
  readonly line: number;
  /** 1-based; 0 when the compiler gives none. */
  readonly column: number;
}

/** One row of the line table: the code from `address` up to `endAddress` belongs to this place in the source. */
export interface LineRow extends SourceLocation {
  readonly address: bigint;
  readonly endAddress: bigint;
  readonly isStatement: boolean;
  readonly prologueEnd: boolean;
}

export interface AddressRange {
  readonly low: bigint;
  /** One past the last byte. */
  readonly high: bigint;
}

export interface FunctionInfo {
  readonly name: string;
  readonly low: bigint;
  readonly high: bigint;
  /** All of its code; more than one range when the compiler split off cold parts. */
  readonly ranges: readonly AddressRange[];
  /** Where it is declared. Undefined for a function known from the symbol table only. */
  readonly location: SourceLocation | undefined;
  /** The address after the prologue, where a function breakpoint belongs. */
  readonly bodyStart: bigint;
}

export interface InlineFrame {
  readonly name: string;
  /** Where it was inlined. */
  readonly call: SourceLocation | undefined;
}

export interface Variable {
  readonly name: string;
  readonly type: Type;
  readonly declaration: SourceLocation | undefined;
  /** Where the variable is when the code at `address` is about to run in this frame. */
  locate(address: bigint, context: MachineContext): Location;
}

export interface SymbolInfo {
  readonly name: string;
  readonly address: bigint;
  readonly size: bigint;
}

/** The caller's frame, as the call frame information restores it. */
export interface UnwoundFrame {
  readonly cfa: bigint;
  readonly returnAddress: bigint;
  /** By DWARF number, including the stack pointer; a register whose value is lost is not in it. */
  readonly registers: Map<number, bigint>;
  readonly isSignalFrame: boolean;
}

/** What the debugger asks about one ELF file. Addresses are those of the file; everything is read when it is needed. */
export class DebugInfo {
  readonly bits: 32 | 64;
  private readonly units: Units;
  private readonly lineTable: LineTable;
  private readonly symbols: SymbolTable;
  private readonly functions: Functions;

  private constructor(
    readonly elf: ElfFile,
    readonly fileName: string,
  ) {
    this.bits = elf.bits;
    const dwarf = new DwarfFile(elf);
    this.units = new Units(dwarf, codeFilter(elf));
    this.lineTable = new LineTable(this.units);
    this.symbols = new SymbolTable(elf);
    this.functions = new Functions(this.units, this.symbols);
  }

  /** Throws an error that names the file, the section and the offset when the file is malformed. */
  static load(elfBytes: Uint8Array, fileName: string): DebugInfo {
    try {
      return new DebugInfo(new ElfFile(elfBytes), fileName);
    } catch (error) {
      throw error instanceof FormatError
        ? new Error(`${fileName}: ${error.message}`, { cause: error })
        : error;
    }
  }

  /** All files that the line tables name, with normalized paths. */
  get sourceFiles(): readonly string[] {
    return this.lineTable.sourceFiles;
  }

  lineAt(address: bigint): LineRow | undefined {
    return this.lineTable.rowAt(address);
  }

  /**
   * The nearest line at or after `line` that has code, with every address where it starts as a statement. A line that
   * starts a function stands for the start of its body, where the arguments are in place.
   */
  addressesOfLine(file: string, line: number): { line: number; addresses: bigint[] } | undefined {
    const found = this.lineTable.addressesOf(file, line);
    return (
      found && { line: found.line, addresses: found.addresses.map((address) => this.afterPrologue(address)) }
    );
  }

  /** The lines of a file where a breakpoint can be, ascending. */
  linesIn(file: string): number[] {
    return this.lineTable.linesOf(file);
  }

  functionAt(address: bigint): FunctionInfo | undefined {
    return this.functions.at(address);
  }

  functionsNamed(name: string): FunctionInfo[] {
    return this.functions.named(name);
  }

  allFunctions(): readonly FunctionInfo[] {
    return this.functions.all();
  }

  /** The calls inlined at an address, innermost first; empty when there is none. */
  inlineFramesAt(address: bigint): InlineFrame[] {
    const die = this.functions.dieAt(address);
    return die === undefined ? [] : inlineFrames(die, address, this.units);
  }

  symbolAt(address: bigint): SymbolInfo | undefined {
    return this.symbols.at(address);
  }

  symbolNamed(name: string): SymbolInfo | undefined {
    return this.symbols.named(name);
  }

  /** Ascending by address. */
  allSymbols(): readonly SymbolInfo[] {
    return this.symbols.sorted;
  }

  private afterPrologue(address: bigint): bigint {
    const info = this.functions.at(address);
    return info?.low === address ? info.bodyStart : address;
  }
}
