import type { ElfFile } from '../elf/elfFile.js';
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

/** What the debugger asks about one ELF file. This is the announced contract; its implementation follows. */
export declare class DebugInfo {
  readonly elf: ElfFile;
  readonly bits: 32 | 64;
  readonly sourceFiles: readonly string[];
  static load(elfBytes: Uint8Array, fileName: string): DebugInfo;
  lineAt(address: bigint): LineRow | undefined;
  /** The nearest line at or after `line` that has code, with every address where it starts as a statement. */
  addressesOfLine(file: string, line: number): { line: number; addresses: bigint[] } | undefined;
  linesIn(file: string): number[];
  functionAt(address: bigint): FunctionInfo | undefined;
  functionsNamed(name: string): FunctionInfo[];
  allFunctions(): readonly FunctionInfo[];
  inlineFramesAt(address: bigint): InlineFrame[];
  symbolAt(address: bigint): SymbolInfo | undefined;
  symbolNamed(name: string): SymbolInfo | undefined;
  allSymbols(): readonly SymbolInfo[];
  variablesAt(address: bigint): { arguments: Variable[]; locals: Variable[] };
  globals(): Variable[];
  globalNamed(name: string): Variable | undefined;
  typeNamed(name: string): Type | undefined;
  unwind(address: bigint, context: MachineContext): UnwoundFrame | undefined;
}
