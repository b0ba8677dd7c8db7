import type { AssembleOptions } from './assemble.js';
import type { Expression, SymbolReference } from './expression.js';
import { constantValue } from './expression.js';
import type { Bits } from './match.js';
import type { Syntax } from './mnemonics.js';
import { CallFrames } from './callFrames.js';
import { Section, defaultSectionFlags } from './sections.js';
import type { Fixup, Fragment, SectionFlags, Subsection } from './sections.js';
import { AssemblyError, Diagnostics } from './source.js';
import type { SourceText } from './source.js';
import { SymbolTable } from './symbols.js';
import type { AssemblyTrace } from './trace.js';

/** A part of a statement that refers to what this source does not define. */
export interface UndefinedUse {
  readonly symbol: SymbolReference;
  readonly source: SourceText;
  readonly start: number;
  readonly end: number;
}

/** What the statements read so far have made. */
export class Assembly {
  readonly diagnostics = new Diagnostics();
  readonly sections: Section[] = [];
  readonly symbols = new SymbolTable(() => this.chunk.here());
  readonly callFrames = new CallFrames();
  /** Every place that needs a symbol of another object; filled when the object is made. */
  readonly undefinedUses: UndefinedUse[] = [];
  /** Where statements put their bytes. */
  chunk: Subsection;
  bits: Bits;
  syntax: Syntax = { name: 'att', registerPrefix: true };
  /** `.file` with a name, for the symbol table. */
  fileName: string | undefined;
  private readonly sectionsByKey = new Map<string, Section>();
  private previousChunk: Subsection;
  private readonly sectionStack: { chunk: Subsection; previous: Subsection }[] = [];

  constructor(
    readonly options: AssembleOptions,
    /** Told everything that an editor wants to know; left out when only the result counts. */
    readonly trace?: AssemblyTrace,
  ) {
    this.bits = options.bits;
    if (options.syntax) this.syntax = options.syntax;
    this.chunk = this.previousChunk = this.sectionNamed('.text').subsection(0);
    this.sectionNamed('.data');
    this.sectionNamed('.bss');
  }

  get section(): Section {
    return this.chunk.section;
  }

  /** The section of that name (and group), made when it is new. */
  sectionNamed(name: string, flags?: SectionFlags): Section {
    const key = flags?.group === undefined ? name : `${name} ${flags.group}`;
    const existing = this.sectionsByKey.get(key);
    if (existing) return existing;
    const section = new Section(name, flags ?? defaultSectionFlags(name));
    this.sections.push(section);
    this.sectionsByKey.set(key, section);
    // A later `.section` without a group means the first section of that name.
    if (!this.sectionsByKey.has(name)) this.sectionsByKey.set(name, section);
    return section;
  }

  enterSection(section: Section, subsection = 0): void {
    this.previousChunk = this.chunk;
    this.chunk = section.subsection(subsection);
  }

  pushSection(section: Section, subsection = 0): void {
    this.sectionStack.push({ chunk: this.chunk, previous: this.previousChunk });
    this.enterSection(section, subsection);
  }

  /** @throws AssemblyError without a `.pushsection` */
  popSection(): void {
    const saved = this.sectionStack.pop();
    if (!saved) throw new AssemblyError('.popsection without .pushsection');
    this.chunk = saved.chunk;
    this.previousChunk = saved.previous;
  }

  swapSections(): void {
    const { chunk } = this;
    this.chunk = this.previousChunk;
    this.previousChunk = chunk;
  }

  /** @throws AssemblyError when the section has no room in the file */
  emit(fragment: Fragment): void {
    if (this.section.flags.type === 'nobits' && !isZeroFill(fragment)) {
      throw new AssemblyError(
        `section '${this.section.name}' holds no bytes: only space can be reserved in it`,
      );
    }
    this.chunk.add(fragment);
  }

  emitBytes(source: SourceText, bytes: Uint8Array, fixups: readonly Fixup[] = []): void {
    this.emit({ kind: 'bytes', source, bytes, fixups, size: bytes.length });
  }

  emitFill(source: SourceText, count: Expression, pattern: Uint8Array): void {
    const constant = constantValue(count);
    if (constant !== undefined && (constant < 0n || constant > MAX_FILL)) {
      throw new AssemblyError(`cannot reserve ${constant} bytes`, count.start, count.end);
    }
    const bound: Expression =
      constant === undefined
        ? count
        : { kind: 'constant', value: constant, start: count.start, end: count.end };
    this.emit({ kind: 'fill', source, count: bound, pattern, size: Number(constant ?? 0n) * pattern.length });
  }
}

const MAX_FILL = 0x40000000n;

function isZeroFill(fragment: Fragment): boolean {
  switch (fragment.kind) {
    case 'fill':
      return fragment.pattern.every((byte) => byte === 0);
    case 'bytes':
      return fragment.fixups.length === 0 && fragment.bytes.every((byte) => byte === 0);
    case 'align':
      return fragment.pattern?.every((byte) => byte === 0) ?? true;
    case 'org':
      return fragment.fill === 0;
    default:
      return false;
  }
}
