import type { Diagnostic } from '../diagnostic.js';
import type { ObjectFile } from '../elf/objectFile.js';
import { defaultScript } from '../linker/defaultScript.js';
import { linkProgram, previewSections } from '../linker/link.js';
import { Assembly } from './assembly.js';
import type { Syntax } from './mnemonics.js';
import { makeObject } from './object.js';
import type { AssembledObject } from './object.js';
import type { Section } from './sections.js';
import { StatementReader } from './statements.js';
import { AssemblySymbol } from './symbols.js';

export interface AssembleOptions {
  /** Absolute; `.s` is read as it is, every other name through the C preprocessor. */
  readonly fileName: string;
  readonly source: string;
  readonly bits: 32 | 64;
  /** What the source starts in; AT&T when left out. */
  readonly syntax?: Syntax;
  /** Where the first section of a program goes; 0x100000 when left out. */
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

export interface AssembleObjectResult {
  /** A relocatable object; undefined when there are errors. */
  readonly object: ObjectFile | undefined;
  readonly diagnostics: readonly Diagnostic[];
}

const DEFAULT_TEXT_ADDRESS = 0x100000n;
export const ENTRY_SYMBOL = '_start';

/** Assembles and links one GNU as source to a program. Bad input becomes diagnostics; nothing is thrown. */
export function assemble(options: AssembleOptions): AssembleResult {
  const assembly = new Assembly(options);
  const { object } = assembleSource(assembly, true);
  const { diagnostics } = assembly;
  reportUndefined(assembly);
  if (!assembly.symbols.isDefined(ENTRY_SYMBOL)) {
    const place = { file: options.fileName, line: 1, column: 1, endColumn: 2 };
    const message = `no '${ENTRY_SYMBOL}': a guest starts at the label ${ENTRY_SYMBOL}, which this program does not define`;
    diagnostics.add({ severity: 'error', ...place, message });
  }
  if (diagnostics.hasErrors) return { elf: undefined, diagnostics: inReadingOrder(diagnostics.list) };
  const linked = linkObject(object, options);
  return { elf: linked.elf, diagnostics: inReadingOrder([...diagnostics.list, ...linked.diagnostics]) };
}

/** Assembles one GNU as source to a relocatable object. Bad input becomes diagnostics; nothing is thrown. */
export function assembleObject(
  options: AssembleOptions & {
    /** Adds DWARF line tables of the source. */
    readonly debug?: boolean;
  },
): AssembleObjectResult {
  const assembly = new Assembly(options);
  const { object } = assembleSource(assembly, options.debug ?? false);
  const { diagnostics } = assembly;
  return {
    object: diagnostics.hasErrors ? undefined : object,
    diagnostics: inReadingOrder(diagnostics.list),
  };
}

/** Reads the source and makes the object. */
export function assembleSource(assembly: Assembly, debug: boolean): AssembledObject {
  new StatementReader(assembly).readMain();
  return makeObject(assembly, { debug });
}

/** A section as it would be in memory. */
export interface SectionImage {
  readonly address: bigint;
  readonly bytes: Uint8Array;
}

/** What the sections of a source would be when it were a program by itself; symbols of other objects are 0. */
export function linkedSections(
  { object, contents }: AssembledObject,
  { textAddress }: AssembleOptions,
): Map<Section, SectionImage> {
  const script = defaultScript(textAddress ?? DEFAULT_TEXT_ADDRESS, undefined);
  const images = previewSections(object, script);
  return new Map(Array.from(contents.keys(), (section, index) => [section, images[index]]));
}

/** Links one object at the address that the options say. */
export function linkObject(
  object: ObjectFile,
  { textAddress }: AssembleOptions,
): ReturnType<typeof linkProgram> {
  const script = defaultScript(textAddress ?? DEFAULT_TEXT_ADDRESS, ENTRY_SYMBOL);
  return linkProgram({ objects: [object], script });
}

/** In a program by itself a symbol that nothing defines is an error, at every use. */
export function reportUndefined({ undefinedUses, diagnostics }: Assembly): void {
  for (const { symbol, source, start, end } of undefinedUses) {
    if (symbol instanceof AssemblySymbol && symbol.binding === 'weak') continue;
    diagnostics.report('error', source, `undefined symbol '${symbol.name}'`, start, end);
  }
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
