import type { AssembleOptions } from './assemble.js';
import type { Expression } from './expression.js';
import { constantValue } from './expression.js';
import type { Bits } from './match.js';
import { Section, defaultSectionFlags } from './sections.js';
import type { Fixup, Fragment, SectionFlags } from './sections.js';
import { AssemblyError, Diagnostics } from './source.js';
import type { SourceText } from './source.js';
import { SymbolTable } from './symbols.js';
import type { AssemblyTrace } from './trace.js';

/** What the statements read so far have made. */
export class Assembly {
  readonly diagnostics = new Diagnostics();
  readonly sections: Section[] = [];
  readonly symbols = new SymbolTable(() => this.section.here());
  section: Section;
  bits: Bits;
  private previousSection: Section;
  private readonly sectionStack: { section: Section; previous: Section }[] = [];

  constructor(
    readonly options: AssembleOptions,
    /** Told everything that an editor wants to know; left out when only the result counts. */
    readonly trace?: AssemblyTrace,
  ) {
    this.bits = options.bits;
    this.section = this.previousSection = this.sectionNamed('.text');
  }

  /** The section of that name, made when it is new. */
  sectionNamed(name: string, flags?: SectionFlags): Section {
    const existing = this.sections.find((section) => section.name === name);
    if (existing) return existing;
    const section = new Section(name, flags ?? defaultSectionFlags(name));
    this.sections.push(section);
    return section;
  }

  enterSection(section: Section): void {
    this.previousSection = this.section;
    this.section = section;
  }

  pushSection(section: Section): void {
    this.sectionStack.push({ section: this.section, previous: this.previousSection });
    this.enterSection(section);
  }

  /** @throws AssemblyError without a `.pushsection` */
  popSection(): void {
    const saved = this.sectionStack.pop();
    if (!saved) throw new AssemblyError('.popsection without .pushsection');
    this.section = saved.section;
    this.previousSection = saved.previous;
  }

  swapSections(): void {
    this.enterSection(this.previousSection);
  }

  /** @throws AssemblyError when the section has no room in the file */
  emit(fragment: Fragment): void {
    if (this.section.flags.type === 'nobits' && !isZeroFill(fragment)) {
      throw new AssemblyError(
        `section '${this.section.name}' holds no bytes: only space can be reserved in it`,
      );
    }
    this.section.fragments.push(fragment);
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
