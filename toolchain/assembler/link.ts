import { SHF, SHT, STB, STT, STV } from '../elf/constants.js';
import { writeElf } from '../elf/write.js';
import type { ElfSectionInput, ElfSymbolInput } from '../elf/write.js';
import { writeLineDebugInfo } from '../dwarf/writeLines.js';
import type { LineRow, LineSequence } from '../dwarf/writeLines.js';
import type { Assembly } from './assembly.js';
import { evaluate } from './expression.js';
import { sectionBytes } from './image.js';
import { layOut, orderSections } from './layout.js';
import type { Section } from './sections.js';
import { addressOf } from './sections.js';
import type { AssemblySymbol } from './symbols.js';

const DEFAULT_TEXT_ADDRESS = 0x100000n;
const ENTRY_SYMBOL = '_start';
const SECTION_TYPES = { progbits: SHT.PROGBITS, nobits: SHT.NOBITS, note: SHT.NOTE } as const;
const BINDINGS = { local: STB.LOCAL, global: STB.GLOBAL, weak: STB.WEAK } as const;
const SYMBOL_TYPES = {
  notype: STT.NOTYPE,
  object: STT.OBJECT,
  function: STT.FUNC,
  section: STT.SECTION,
  file: STT.FILE,
  common: STT.OBJECT,
  tls: STT.TLS,
} as const;
const VISIBILITIES = {
  default: STV.DEFAULT,
  internal: STV.INTERNAL,
  hidden: STV.HIDDEN,
  protected: STV.PROTECTED,
} as const;

/** Lays a source out as a program and fills its sections in, as far as errors let it. */
export function linkedImage({ sections, options, diagnostics }: Assembly): Map<Section, Uint8Array> {
  const ordered = orderSections(sections);
  layOut(ordered, options.textAddress ?? DEFAULT_TEXT_ADDRESS, diagnostics);
  return new Map(ordered.map((section) => [section, sectionBytes(section, diagnostics)]));
}

/** Links what was assembled into a static executable; undefined, with diagnostics, when that cannot be. */
export function link(assembly: Assembly): Uint8Array | undefined {
  const { options, diagnostics, symbols } = assembly;
  // A compiler's debug information is about the lines of its `.loc`; ours is about the assembly that the user sees.
  const sections = orderSections(assembly.sections.filter(({ name }) => !name.startsWith('.debug_')));
  layOut(sections, options.textAddress ?? DEFAULT_TEXT_ADDRESS, diagnostics);
  const contents = sections.map((section) => sectionBytes(section, diagnostics));
  const start = symbols.symbols.get(ENTRY_SYMBOL);
  if (!start?.isDefined) reportNoStart(assembly);
  if (diagnostics.hasErrors || !start?.isDefined) return undefined;

  const kept = sections.filter((section) => section.size > 0 || section.name === '.text');
  const outputs = kept.map((section) => outputSection(section, contents[sections.indexOf(section)]));
  const table = symbolTable(assembly, kept);
  const entry = evaluate({ kind: 'symbol', symbol: start, start: 0, end: 0 }).value;
  if (diagnostics.hasErrors) return undefined;
  return writeElf({
    bits: options.bits,
    entry,
    sections: [...outputs, ...debugSections(assembly, kept)],
    symbols: table,
  });
}

function reportNoStart({ options, diagnostics }: Assembly): void {
  diagnostics.add({
    severity: 'error',
    file: options.fileName,
    line: 1,
    column: 1,
    endColumn: 2,
    message: `no '${ENTRY_SYMBOL}': a guest starts at the label ${ENTRY_SYMBOL}, which this program does not define`,
  });
}

function outputSection(
  { name, flags, address, alignment, size }: Section,
  bytes: Uint8Array,
): ElfSectionInput {
  const { allocate, write, execute, type } = flags;
  return {
    name,
    type: SECTION_TYPES[type],
    flags: (allocate ? SHF.ALLOC : 0) | (write ? SHF.WRITE : 0) | (execute ? SHF.EXECINSTR : 0),
    address,
    alignment,
    bytes: type === 'nobits' ? undefined : bytes,
    size,
  };
}

function symbolTable({ symbols, diagnostics }: Assembly, sections: readonly Section[]): ElfSymbolInput[] {
  const table: ElfSymbolInput[] = [];
  for (const symbol of symbols.symbols.values()) {
    if (!symbol.isDefined || symbol.name.startsWith('.L')) continue;
    diagnostics.guard(symbol.definedAt!, () => {
      const section = symbol.location ? sections.indexOf(symbol.location.section) : -1;
      table.push({
        name: symbol.name,
        value: symbolValue(symbol),
        size: symbol.sizeExpression ? evaluate(symbol.sizeExpression).value : 0n,
        binding: BINDINGS[symbol.binding],
        type: SYMBOL_TYPES[symbol.type],
        visibility: VISIBILITIES[symbol.visibility],
        section: section < 0 ? 'absolute' : section,
      });
    });
  }
  return table;
}

function symbolValue(symbol: AssemblySymbol): bigint {
  return symbol.location ? addressOf(symbol.location) : evaluate(symbol.value!).value;
}

function debugSections({ options }: Assembly, sections: readonly Section[]): ElfSectionInput[] {
  const sequences = sections.filter(({ flags }) => flags.allocate && flags.execute).flatMap(lineSequences);
  if (sequences.length === 0) return [];
  const file = options.fileName;
  const debug = writeLineDebugInfo({
    addressBytes: options.bits === 64 ? 8 : 4,
    file,
    directory: /^(.*)[/\\][^/\\]*$/.exec(file)?.[1] || '/',
    producer: 'Hyperstep assembler',
    sequences,
  });
  return [...debug].map(([name, bytes]) => ({
    name,
    type: SHT.PROGBITS,
    flags: 0,
    address: 0n,
    alignment: 1,
    bytes,
    size: bytes.length,
  }));
}

/** One row for each run of instructions of one line. */
function lineSequences(section: Section): LineSequence[] {
  const rows: LineRow[] = [];
  section.fragments.forEach((fragment, index) => {
    if (!fragment.isInstruction) return;
    const { file, line } = fragment.source;
    const last = rows.at(-1);
    if (last?.file === file && last.line === line) return;
    rows.push({ address: section.address + BigInt(section.offsets[index]), file, line });
  });
  return rows.length > 0 ? [{ rows, end: section.address + BigInt(section.size) }] : [];
}
