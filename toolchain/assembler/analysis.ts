import type { Diagnostic, SourcePlace } from '../diagnostic.js';
import type { LineSyntax } from './syntax.js';

/**
 * What the assembler knows of a source, for tools that show it: the API of the language server. `analyze` in
 * analyze.ts makes it. Lines and columns are 1-based, `endColumn` is exclusive. Whatever is costly is made when it is
 * asked for the first time.
 */
export interface Analysis {
  /** The main file. */
  readonly file: string;
  /** In reading order; those of included files too. */
  readonly diagnostics: readonly Diagnostic[];
  /** Every statement that was assembled, in order: one in a macro body stands here once for each expansion. */
  readonly statements: readonly AnalyzedStatement[];
  /** Labels and assigned names; names that are only used are here with the kind `undefined`. */
  readonly symbols: ReadonlyMap<string, AnalyzedSymbol>;
  /** `.macro` definitions; of one that is purged or defined twice the last. */
  readonly macros: ReadonlyMap<string, AnalyzedMacro>;
  /** `#define` definitions in the order of their names' first definition. */
  readonly preprocessorMacros: ReadonlyMap<string, AnalyzedPreprocessorMacro>;
  readonly sections: readonly AnalyzedSection[];
  /** Every `#include`, `.include` and `.incbin` that was followed. */
  readonly includes: readonly IncludeEdge[];
  /** Names of the files that were read, the main file first. */
  readonly files: readonly string[];
  /** The text of a file that was read, by its line. */
  lineText(file: string, line: number): string | undefined;
  /** Tokens and statements of a line as it is written: macro bodies and inactive code too. */
  lineSyntax(file: string, line: number): LineSyntax | undefined;
  /** The state in which a line is assembled; of a line that is not, the state of the last one before it. */
  stateAt(file: string, line: number): LineState;
  /** Every use and the definitions of a name in the files that were read, as written there. */
  references(name: string): readonly NameReference[];
  /** The places of the numeric label that is written at a place (`1:`, `1f`, `1b`), its definition first. */
  localLabel(file: string, line: number, column: number): readonly NameReference[];
  /** The places of the macro argument (`\name`, or its parameter) that is written at a place, its parameter first. */
  macroArgument(file: string, line: number, column: number): readonly NameReference[];
  /** The statements that come from a line, in the order of assembly. */
  statementsAt(file: string, line: number): readonly AnalyzedStatement[];
}

/** A piece of one line. */
export interface SourceRange extends SourcePlace {
  readonly column: number;
  readonly endColumn: number;
}

export interface NameReference extends SourceRange {
  readonly isDefinition: boolean;
}

export type AssemblerBits = 16 | 32 | 64;

/** How the assembler reads a line. */
export interface LineState {
  readonly bits: AssemblerBits;
  readonly syntax: 'att' | 'intel';
  /** Registers are written with `%`. */
  readonly registerPrefix: boolean;
  readonly section: string;
  /** Name of the macro whose body the line is in. */
  readonly inMacro: string | undefined;
  /** False in a branch of `#if` or `.if` that is not taken. */
  readonly isActive: boolean;
}

export interface AnalyzedStatement extends SourceRange {
  /** Statement as it was assembled, macro arguments put in. */
  readonly text: string;
  readonly kind: 'instruction' | 'directive' | 'macro' | 'label' | 'assignment';
  readonly bits: AssemblerBits;
  readonly syntax: 'att' | 'intel';
  /** The lines inside macro bodies that led here, outermost first; the range is the outermost use. */
  readonly expansion: readonly SourcePlace[] | undefined;
  readonly section: string;
  /** From the start of the section. */
  readonly offset: number;
  /** In the image that a session would load, when the source is a program by itself. */
  readonly address: bigint;
  readonly size: number;
  /** With addresses put in; those of other objects are 0. */
  readonly bytes: Uint8Array;
}

export interface AnalyzedSymbol {
  readonly name: string;
  readonly kind: 'label' | 'assignment' | 'common' | 'undefined';
  readonly binding: 'local' | 'global' | 'weak';
  readonly type: string;
  readonly visibility: string;
  /** Where the name stands; inside a macro where the outermost macro is used. */
  readonly definition: SourceRange | undefined;
  readonly section: string | undefined;
  /** The address of a label, the value of an assignment; undefined when it has none yet. */
  readonly value: bigint | undefined;
}

export interface AnalyzedMacro {
  readonly name: string;
  readonly parameters: readonly {
    readonly name: string;
    readonly defaultValue: string;
    readonly isRequired: boolean;
    readonly isVararg: boolean;
  }[];
  /** The line of `.macro`; columns of the name. */
  readonly definition: SourceRange;
  /** The line of `.endm`. */
  readonly endLine: number;
}

export interface AnalyzedPreprocessorMacro {
  readonly name: string;
  /** undefined: object-like. */
  readonly parameters: readonly string[] | undefined;
  readonly body: string;
  /** undefined: defined from outside. */
  readonly definition: SourceRange | undefined;
}

export interface AnalyzedSection {
  readonly name: string;
  readonly address: bigint;
  readonly size: number;
  readonly alignment: number;
  readonly allocate: boolean;
  readonly write: boolean;
  readonly execute: boolean;
}

export interface IncludeEdge extends SourceRange {
  readonly kind: 'include' | 'incbin';
  /** As written. */
  readonly path: string;
  /** The file that was found. */
  readonly target: string;
}
