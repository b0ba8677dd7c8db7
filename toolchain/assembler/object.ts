import { R_386, R_X86_64, SHF, SHT, STB, STT, STV } from '../elf/constants.js';
import type {
  ObjectFile,
  ObjectPlace,
  ObjectSection,
  ObjectSymbol,
  Relocation,
  SectionGroup,
} from '../elf/objectFile.js';
import { writeLineDebugInfo } from '../dwarf/writeLines.js';
import type { DebugSection, LineRow, LineSequence } from '../dwarf/writeLines.js';
import type { Assembly } from './assembly.js';
import { sectionContents } from './contents.js';
import type { PlacedRelocation, SectionContents } from './contents.js';
import { layOut } from './layout.js';
import type { Section } from './sections.js';
import { offsetOf } from './sections.js';
import { AssemblyError, SourceText } from './source.js';
import { Alias, AssemblySymbol } from './symbols.js';
import { evaluate, evaluateNumber, targetOffset } from './value.js';

const SECTION_TYPES = {
  progbits: SHT.PROGBITS,
  nobits: SHT.NOBITS,
  note: SHT.NOTE,
  init_array: SHT.INIT_ARRAY,
  fini_array: SHT.FINI_ARRAY,
  preinit_array: SHT.PREINIT_ARRAY,
  // GNU as marks its frame tables as plain data.
  unwind: SHT.PROGBITS,
} as const;
const BINDINGS = { local: STB.LOCAL, global: STB.GLOBAL, weak: STB.WEAK } as const;
const SYMBOL_TYPES = {
  notype: STT.NOTYPE,
  object: STT.OBJECT,
  function: STT.FUNC,
  section: STT.SECTION,
  file: STT.FILE,
  common: STT.OBJECT,
  tls: STT.TLS,
  ifunc: STT.GNU_IFUNC,
  unique: STT.OBJECT,
} as const;
const VISIBILITIES = {
  default: STV.DEFAULT,
  internal: STV.INTERNAL,
  hidden: STV.HIDDEN,
  protected: STV.PROTECTED,
} as const;
/** Relocations that make their symbol one of thread storage. */
const THREAD_RELOCATIONS = {
  64: new Set<number>([
    ...[R_X86_64.TLSGD, R_X86_64.TLSLD, R_X86_64.GOTTPOFF, R_X86_64.TPOFF32, R_X86_64.TPOFF64],
    ...[R_X86_64.DTPOFF32, R_X86_64.DTPOFF64, R_X86_64.GOTPC32_TLSDESC, R_X86_64.TLSDESC_CALL],
  ]),
  32: new Set<number>([
    ...[R_386.TLS_LDM, R_386.TLS_IE, R_386.TLS_GOTIE, R_386.TLS_LE, R_386.TLS_GD],
    ...[R_386.TLS_LDO_32, R_386.TLS_LE_32],
  ]),
} as const;

export interface ObjectOptions {
  /** Adds DWARF line tables of the assembly source. */
  readonly debug: boolean;
}

/** An assembled file: the object, and each section's content for views of single statements. */
export interface AssembledObject {
  readonly object: ObjectFile;
  readonly contents: ReadonlyMap<Section, SectionContents>;
}

/** Lays out and writes what was assembled. Errors become diagnostics; the object is then not to be used. */
export function makeObject(assembly: Assembly, options: ObjectOptions): AssembledObject {
  return new ObjectMaker(assembly).make(options);
}

class ObjectMaker {
  private readonly sections: Section[] = [];
  private readonly sectionIndexes = new Map<Section, number>();
  private readonly symbols: ObjectSymbol[] = [];
  private readonly sectionSymbols = new Map<number, number>();
  private readonly symbolIndexes = new Map<AssemblySymbol, number>();

  constructor(private readonly assembly: Assembly) {}

  make({ debug }: ObjectOptions): AssembledObject {
    const { assembly } = this;
    const { options } = assembly;
    assembly.callFrames.write(assembly);
    this.defineSectionNames();
    layOut(assembly);
    // A compiler's debug information is about the lines of its `.loc`; ours is about the assembly that the user sees.
    this.sections.push(...assembly.sections.filter(({ name }) => !debug || !/^\.debug_(?!frame)/.test(name)));
    this.sections.forEach((section, index) => this.sectionIndexes.set(section, index));
    const contents = new Map(this.sections.map((section) => [section, sectionContents(section, assembly)]));
    this.markThreadSymbols(contents);
    this.addSymbols(contents);
    const code = this.sections.map((section) => this.section(section, contents.get(section)!));
    const sections = [...code, ...(debug ? this.debugSections(code.length) : [])];
    const object: ObjectFile = {
      name: options.fileName,
      bits: options.bits,
      sections,
      symbols: this.symbols,
      groups: this.groups(),
      locate: (section, offset) => this.locate(contents, section, offset),
      locateSymbol: (symbol) => this.locateSymbol(symbol),
    };
    return { object, contents };
  }

  /** The name of a section that nothing else defines is its start. */
  private defineSectionNames(): void {
    const { sections, symbols } = this.assembly;
    for (const section of sections) {
      const symbol = symbols.symbols.get(section.name);
      if (!symbol || isKnown(symbol)) continue;
      symbol.location = { chunk: section.subsection(-Infinity), index: 0 };
      symbol.type = 'section';
    }
  }

  private markThreadSymbols(contents: ReadonlyMap<Section, SectionContents>): void {
    const types = THREAD_RELOCATIONS[this.assembly.options.bits];
    for (const { relocations } of contents.values()) {
      for (const { symbol, type } of relocations) {
        if (symbol instanceof AssemblySymbol && types.has(type)) symbol.type = 'tls';
      }
    }
  }

  /** Local symbols first, as the gABI demands. */
  private addSymbols(contents: ReadonlyMap<Section, SectionContents>): void {
    const needed = new Set<AssemblySymbol>();
    for (const { relocations } of contents.values()) {
      for (const { symbol } of relocations) if (symbol instanceof AssemblySymbol) needed.add(symbol);
    }
    const all = [...this.assembly.symbols.symbols.values()];
    const wanted = all.filter((symbol) => needed.has(symbol) || (isListed(symbol) && !isOtherName(symbol)));
    const isLocal = (symbol: AssemblySymbol): boolean => symbol.binding === 'local' && isKnown(symbol);
    const { fileName } = this.assembly;
    if (fileName !== undefined) this.symbols.push(fileSymbol(fileName));
    this.sections.forEach((section, index) => this.addSectionSymbol(section.name, index));
    for (const symbol of [...wanted.filter(isLocal), ...wanted.filter((symbol) => !isLocal(symbol))])
      this.addSymbol(symbol);
  }

  private addSectionSymbol(name: string, section: number): number {
    const index = this.symbols.length;
    this.sectionSymbols.set(section, index);
    this.symbols.push({
      name,
      value: 0n,
      size: 0n,
      binding: STB.LOCAL,
      type: STT.SECTION,
      visibility: STV.DEFAULT,
      section,
    });
    return index;
  }

  private addSymbol(symbol: AssemblySymbol): void {
    this.symbolIndexes.set(symbol, this.symbols.length);
    const { name, common, visibility, type } = symbol;
    // What is not defined here is another object's.
    const binding = symbol.binding === 'local' && !isKnown(symbol) ? STB.GLOBAL : BINDINGS[symbol.binding];
    const fixed = {
      name,
      binding,
      type: SYMBOL_TYPES[type],
      visibility: VISIBILITIES[visibility],
      size: 0n,
    };
    this.symbols.push({ ...fixed, value: 0n, section: 'undefined' });
    const { diagnostics, options } = this.assembly;
    const source = symbol.definedAt ?? new SourceText(options.fileName, 1, name);
    diagnostics.guard(source, () => {
      const model = aliased(symbol);
      const { sizeExpression } = symbol.sizeExpression ? symbol : model;
      const size = common ? common.size : sizeExpression ? evaluateNumber(sizeExpression) : 0n;
      const ownType = SYMBOL_TYPES[type === 'notype' ? model.type : type];
      const made = { ...fixed, type: ownType, size, ...this.valueOf(symbol) };
      this.symbols[this.symbols.length - 1] = made;
      for (const version of symbol.versions) this.symbols.push({ ...made, name: version });
    });
  }

  private valueOf(symbol: AssemblySymbol): Pick<ObjectSymbol, 'value' | 'section'> {
    const { location, common } = symbol;
    if (location)
      return { value: BigInt(offsetOf(location)), section: this.sectionIndex(location.chunk.section) };
    if (common) return { value: BigInt(common.alignment), section: 'common' };
    if (!symbol.value) return { value: 0n, section: 'undefined' };
    const { value, plus, minus } = evaluate(symbol.value);
    if (plus.length === 0 && minus.length === 0) return { value, section: 'absolute' };
    const [only] = plus;
    if (plus.length > 1 || minus.length > 0 || !only.location)
      throw new AssemblyError(`the value of '${symbol.name}' depends on symbols of other objects`);
    return { value: value + targetOffset(only), section: this.sectionIndex(only.location.chunk.section) };
  }

  private sectionIndex(section: Section): number | 'absolute' {
    return this.sectionIndexes.get(section) ?? 'absolute';
  }

  private section(section: Section, { bytes, relocations }: SectionContents): ObjectSection {
    const { name, flags, alignment, size } = section;
    const linkedTo = flags.linkedTo ? this.sections.findIndex((other) => other.name === flags.linkedTo) : -1;
    return {
      name,
      type: SECTION_TYPES[flags.type],
      flags: flagBits(section),
      alignment,
      entrySize: flags.entrySize ?? (/_array$/.test(flags.type) ? this.assembly.options.bits / 8 : 0),
      bytes,
      size,
      relocations: relocations.map((relocation) => this.relocation(relocation)),
      ...(linkedTo >= 0 ? { linkedTo } : {}),
    };
  }

  private relocation({ offset, type, symbol, addend }: PlacedRelocation): Relocation {
    return { offset, type, symbol: this.symbolIndex(symbol), addend };
  }

  private symbolIndex(symbol: PlacedRelocation['symbol']): number {
    if (!symbol) return -1;
    if (symbol instanceof AssemblySymbol) return this.symbolIndexes.get(symbol)!;
    return this.sectionSymbols.get(this.sectionIndexes.get(symbol) ?? -1) ?? -1;
  }

  private groups(): SectionGroup[] {
    const groups = new Map<string, { isComdat: boolean; members: number[] }>();
    this.sections.forEach(({ flags: { group, isComdat } }, index) => {
      if (group === undefined) return;
      const known = groups.get(group) ?? { isComdat: isComdat ?? false, members: [] };
      known.members.push(index);
      groups.set(group, known);
    });
    return Array.from(groups, ([signature, group]) => ({ signature, ...group }));
  }

  private locate(
    contents: ReadonlyMap<Section, SectionContents>,
    section: number,
    offset: number,
  ): ObjectPlace | undefined {
    const found = contents
      .get(this.sections[section])
      ?.relocations.find((relocation) => relocation.offset === offset);
    if (!found) return undefined;
    const { source, start, end } = found;
    return { file: source.file, line: source.line, ...source.columns(start, end) };
  }

  private locateSymbol(index: number): ObjectPlace | undefined {
    for (const [symbol, position] of this.symbolIndexes) {
      if (position !== index || !symbol.definedAt) continue;
      const { file, line, text } = symbol.definedAt;
      return { file, line, ...symbol.definedAt.columns(0, text.length) };
    }
    return undefined;
  }

  private debugSections(first: number): ObjectSection[] {
    const sequences = this.sections.flatMap((section, index) =>
      section.flags.allocate && section.flags.execute ? lineSequences(section, index) : [],
    );
    if (sequences.length === 0) return [];
    const { fileName: file, bits } = this.assembly.options;
    const debug = writeLineDebugInfo({
      addressBytes: bits === 64 ? 8 : 4,
      file,
      directory: /^(.*)[/\\][^/\\]*$/.exec(file)?.[1] || '/',
      producer: 'Hyperstep assembler',
      sequences,
    });
    const names = [...debug.keys()];
    for (const [position, name] of names.entries()) this.addSectionSymbol(name, first + position);
    return [...debug].map(([name, content]) => this.debugSection(name, content, names, first));
  }

  private debugSection(
    name: string,
    { bytes, references }: DebugSection,
    names: readonly string[],
    first: number,
  ): ObjectSection {
    const { bits } = this.assembly.options;
    const relocations = references.map(({ offset, size, target, addend }): Relocation => {
      const section = typeof target === 'number' ? target : first + names.indexOf(target);
      const type = bits === 32 ? R_386[32] : R_X86_64[size === 8 ? 64 : 32];
      return { offset, type, symbol: this.sectionSymbols.get(section)!, addend: BigInt(addend) };
    });
    if (bits === 32) {
      const view = new DataView(bytes.buffer, bytes.byteOffset);
      for (const { offset, addend } of references) view.setUint32(offset, addend, true);
    }
    return {
      name,
      type: SHT.PROGBITS,
      flags: 0,
      alignment: 1,
      entrySize: 0,
      bytes,
      size: bytes.length,
      relocations,
    };
  }
}

/** `alias = name`: the alias has the type and the size of what it names. */
function aliased(symbol: AssemblySymbol, depth = 0): AssemblySymbol {
  const { value } = symbol;
  const target = value?.kind === 'symbol' ? value.symbol : undefined;
  const owner = target instanceof Alias ? target.symbol : target;
  return owner instanceof AssemblySymbol && depth < 100 ? aliased(owner, depth + 1) : symbol;
}

const isKnown = ({ location, value, common }: AssemblySymbol): boolean =>
  location !== undefined || value !== undefined || common !== undefined;

/** GNU as leaves names that start with `.L` out, and names that nothing defines or uses. */
function isListed(symbol: AssemblySymbol): boolean {
  if (symbol.name.startsWith('.L') || symbol.type === 'section') return false;
  return isKnown(symbol) || symbol.binding !== 'local' || symbol.type !== 'notype';
}

/** `name = undefined + 4`: uses of the name refer to the other symbol. */
function isOtherName({ value }: AssemblySymbol): boolean {
  if (!value || value.kind === 'constant') return false;
  try {
    const { plus, minus } = evaluate(value);
    return minus.length === 0 && plus.length === 1 && !plus[0].location;
  } catch (error) {
    // What is wrong is told when the symbol gets its value.
    if (error instanceof AssemblyError) return false;
    throw error;
  }
}

function fileSymbol(name: string): ObjectSymbol {
  return {
    name,
    value: 0n,
    size: 0n,
    binding: STB.LOCAL,
    type: STT.FILE,
    visibility: STV.DEFAULT,
    section: 'absolute',
  };
}

function flagBits({ flags }: Section): number {
  const { allocate, write, execute, merge, strings, tls, exclude, retain, group, linkedTo } = flags;
  const bits: readonly (readonly [boolean | undefined, number])[] = [
    [allocate, SHF.ALLOC],
    [write, SHF.WRITE],
    [execute, SHF.EXECINSTR],
    [merge, SHF.MERGE],
    [strings, SHF.STRINGS],
    [tls, SHF.TLS],
    [exclude, SHF.EXCLUDE],
    [retain, SHF.GNU_RETAIN],
    [group !== undefined, SHF.GROUP],
    [linkedTo !== undefined, SHF.LINK_ORDER],
  ];
  return bits.reduce((sum, [isSet, bit]) => (isSet ? sum + bit : sum), 0);
}

/** One row for each run of instructions of one line. */
function lineSequences(section: Section, index: number): LineSequence[] {
  const rows: LineRow[] = [];
  for (const { fragments, offsets } of section.subsections) {
    fragments.forEach((fragment, position) => {
      if (!fragment.isInstruction) return;
      const { file, line } = fragment.source;
      const last = rows.at(-1);
      if (last?.file === file && last.line === line) return;
      rows.push({ offset: offsets[position], file, line });
    });
  }
  return rows.length > 0 ? [{ section: index, rows, end: section.size }] : [];
}
