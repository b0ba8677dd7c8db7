import { DW_AT } from '../dwarf/constants.js';
import { DwarfFile } from '../dwarf/dwarfFile.js';
import { FormatError } from '../elf/byteReader.js';
import { ElfFile } from '../elf/elfFile.js';
import { codeFilter } from './codeRanges.js';
import { builtinType } from './cTypeNames.js';
import type { FrameServices } from './frameEnvironment.js';
import { Functions } from './functions.js';
import { GlobalIndex } from './globalIndex.js';
import { inlineFrames } from './inlining.js';
import { LineTable } from './lineTable.js';
import { SymbolTable } from './symbolTable.js';
import { TypeReader } from './typeReader.js';
import { Units } from './units.js';
import { Unwinder } from './unwinder.js';
import type { UnitSummary } from './unitSummary.js';
import { VariableReader } from './variables.js';
import type { FrameVariables } from './variables.js';
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
  /** Where it is declared, or where its code begins when only the line table says that. */
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
  /** Where its code or data ends: by its size, or at the next symbol or the section's end when it has none. */
  readonly end: bigint;
  /** `absolute` for a number that has a name (`.set NAME, 5`): its `address` is the number. */
  readonly kind: 'code' | 'data' | 'absolute';
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
  private readonly index: GlobalIndex;
  private readonly types: TypeReader;
  private readonly unwinder: Unwinder;
  private readonly variables: VariableReader;

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
    this.index = new GlobalIndex([...dwarf.units, ...dwarf.unitsOfTypes], this.units.isCode);
    this.types = new TypeReader((key) => this.index.type(key));
    this.unwinder = new Unwinder(elf);
    const services: FrameServices = {
      unwinder: this.unwinder,
      functionDieAt: (address) => this.functions.dieAt(address),
    };
    this.variables = new VariableReader(this.units, this.types, services);
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

  /**
   * The variables in scope at an address; inner scopes hide outer ones. `inlineDepth` chooses among the calls that are
   * inlined there: 0 is the innermost, the length of `inlineFramesAt` is the function itself.
   */
  variablesAt(address: bigint, inlineDepth = 0): FrameVariables {
    const die = this.functions.dieAt(address);
    return die === undefined
      ? { arguments: [], locals: [] }
      : this.variables.inScope(die, address, inlineDepth);
  }

  /** All variables at file scope, static ones too. In a very large file this goes through all of it. */
  globals(): Variable[] {
    return this.index.allVariables().map((die) => this.variables.read(die, undefined));
  }

  /** The variable at file scope; of several static ones of that name, the one in the unit of the code at `near`. */
  globalNamed(name: string, near?: bigint): Variable | undefined {
    const die =
      this.fromUnitAt(near, ({ variables }) => variables.get(name)) ?? this.index.variablesNamed(name)[0];
    return die && this.variables.read(die, undefined);
  }

  /**
   * A type by the name that C gives it: `struct kvm_vcpu`, `enum exit_reason`, `u64`, `unsigned long`; preferably as the
   * unit of the code at `near` defines it. The integer types of C are always known.
   */
  typeNamed(name: string, near?: bigint): Type | undefined {
    if (name.trim() === 'void') {
      return { kind: 'void' };
    }
    const die = this.fromUnitAt(near, ({ types }) => types.get(name)) ?? this.index.type(name);
    return die === undefined ? builtinType(name, this.bits) : this.types.read(die);
  }

  /** The enumerator of that name with its type. */
  enumeratorNamed(name: string): { type: Type; value: bigint } | undefined {
    const found = this.index.enumerator(name);
    return (
      found && {
        type: this.types.read(found.enumeration),
        value: found.enumerator.constant(DW_AT.const_value) ?? 0n,
      }
    );
  }

  /** The type of a function, for calls and for the names of function pointers. */
  functionType(address: bigint): Type | undefined {
    const die = this.functions.dieAt(address);
    const described = die?.withAttribute(DW_AT.prototyped) ?? die;
    return described && this.types.read(described);
  }

  /**
   * The caller's frame by call frame information; undefined when there is none for the address, or no caller. As for
   * every question about a calling frame, ask with the return address minus one, except above a signal frame.
   */
  unwind(address: bigint, context: MachineContext): UnwoundFrame | undefined {
    return this.unwinder.unwind(address, context);
  }

  private fromUnitAt<T>(
    address: bigint | undefined,
    find: (summary: UnitSummary) => T | undefined,
  ): T | undefined {
    const [unit] = address === undefined ? [] : this.units.at(address);
    return unit && find(this.functions.summary(unit));
  }

  private afterPrologue(address: bigint): bigint {
    const info = this.functions.at(address);
    return info?.low === address ? info.bodyStart : address;
  }
}
