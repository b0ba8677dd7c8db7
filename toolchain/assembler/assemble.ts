import type { Diagnostic } from '../diagnostic.js';
import { Assembly } from './assembly.js';
import { link } from './link.js';
import { StatementReader } from './statements.js';

export interface AssembleOptions {
  /** Absolute; `.s` is read as it is, every other name through the C preprocessor. */
  readonly fileName: string;
  readonly source: string;
  readonly bits: 32 | 64;
  /** Where the first section goes; 0x100000 when left out. */
  readonly textAddress?: bigint;
  /** Preprocessor macros. */
  readonly defines?: Readonly<Record<string, string>>;
  /** Finds a file that `fromFile` includes; undefined when there is none. */
  readonly readInclude: (
    path: string,
    fromFile: string,
  ) => { fileName: string; bytes: Uint8Array } | undefined;
}

export interface AssembleResult {
  /** A static executable, ELF64 or ELF32 by `bits`, that starts at `_start`; undefined when there are errors. */
  readonly elf: Uint8Array | undefined;
  readonly diagnostics: readonly Diagnostic[];
}

/** Assembles and links one GNU as source in AT&T syntax. Bad input becomes diagnostics; nothing is thrown. */
export function assemble(options: AssembleOptions): AssembleResult {
  const assembly = new Assembly(options);
  new StatementReader(assembly).readMain();
  const elf = link(assembly);
  return { elf, diagnostics: inReadingOrder(assembly.diagnostics.list) };
}

/** By file, in the order in which they have something to tell, then by line. */
export function inReadingOrder(list: readonly Diagnostic[]): Diagnostic[] {
  const files = [...new Set(list.map(({ file }) => file))];
  const byPlace = (left: Diagnostic, right: Diagnostic): number =>
    files.indexOf(left.file) - files.indexOf(right.file) ||
    left.line - right.line ||
    left.column - right.column;
  return [...list].sort(byPlace);
}
