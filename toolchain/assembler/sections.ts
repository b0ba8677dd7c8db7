import type { Expression } from './expression.js';
import type { SourceText } from './source.js';

/** A field of a fragment whose value is known only when addresses are. */
export interface Fixup {
  /** Bytes from the start of the fragment. */
  readonly offset: number;
  readonly size: 1 | 2 | 4 | 8 | 16;
  readonly expression: Expression;
  /**
   * `target`: the field holds the distance from the end of the instruction. `ripMemory`: so it does when the
   * expression is an address; a number stands for itself.
   */
  readonly relative: 'no' | 'target' | 'ripMemory';
  /**
   * `signed`: the processor extends the sign; `either`: what fits as a signed or as an unsigned number; `warn`: data
   * that is cut with a warning.
   */
  readonly range: 'signed' | 'either' | 'truncate' | 'warn';
  /** A branch of 64-bit code: it may go through the procedure linkage table. */
  readonly mayUsePlt?: boolean;
}

interface FragmentBase {
  readonly source: SourceText;
  /** Bytes; what the last layout pass said. */
  size: number;
  /** Instructions get a row in the line table. */
  readonly isInstruction?: boolean;
}

export interface BytesFragment extends FragmentBase {
  readonly kind: 'bytes';
  readonly bytes: Uint8Array;
  readonly fixups: readonly Fixup[];
}

/** A jump that starts in its short form and grows to the near form when the target is too far. */
export interface BranchFragment extends FragmentBase {
  readonly kind: 'branch';
  readonly short: { readonly bytes: Uint8Array; readonly fixup: Fixup };
  readonly near: { readonly bytes: Uint8Array; readonly fixup: Fixup };
  isNear: boolean;
}

export interface FillFragment extends FragmentBase {
  readonly kind: 'fill';
  readonly count: Expression;
  readonly pattern: Uint8Array;
}

export interface AlignFragment extends FragmentBase {
  readonly kind: 'align';
  readonly alignment: number;
  /** undefined: zeros, in code NOPs. */
  readonly pattern: Uint8Array | undefined;
  /** Do not align when it takes more bytes than this. */
  readonly limit: number;
}

export interface OrgFragment extends FragmentBase {
  readonly kind: 'org';
  readonly target: Expression;
  readonly fill: number;
}

/** `.nops`: bytes of NOPs, each no longer than `longest`. */
export interface NopsFragment extends FragmentBase {
  readonly kind: 'nops';
  readonly count: Expression;
}

export interface Leb128Fragment extends FragmentBase {
  readonly kind: 'leb128';
  readonly value: Expression;
  readonly signed: boolean;
}

/** DW_CFA_advance_loc in its shortest form (DWARF 5, 6.4.2.1). */
export interface AdvanceFragment extends FragmentBase {
  readonly kind: 'advance';
  readonly from: Location;
  readonly to: Location;
}

export type Fragment =
  | BytesFragment
  | BranchFragment
  | FillFragment
  | AlignFragment
  | OrgFragment
  | NopsFragment
  | Leb128Fragment
  | AdvanceFragment;

/** Every form that makes a fragment's size independent of addresses. */
export function hasFixedSize(fragment: Fragment): boolean {
  return fragment.kind === 'bytes' || (fragment.kind === 'fill' && fragment.count.kind === 'constant');
}

export interface SectionFlags {
  readonly allocate: boolean;
  readonly write: boolean;
  readonly execute: boolean;
  readonly type: 'progbits' | 'nobits' | 'note' | 'init_array' | 'fini_array' | 'preinit_array' | 'unwind';
  readonly merge?: boolean;
  readonly strings?: boolean;
  readonly tls?: boolean;
  readonly exclude?: boolean;
  readonly retain?: boolean;
  /** Bytes of one entry of a mergeable section. */
  readonly entrySize?: number;
  /** Signature of the section group. */
  readonly group?: string;
  readonly isComdat?: boolean;
  /** The section of SHF_LINK_ORDER. */
  readonly linkedTo?: string;
}

/** The fragments of `.subsection number`: subsections stand one after the other in the order of their numbers. */
export class Subsection {
  readonly fragments: Fragment[] = [];
  /** Offsets in the section of the fragments, and of the end; valid after layout. */
  offsets: number[] = [0];
  /** By fragment: bytes of all fixed fragments before it, and how many of variable size. */
  private readonly fixedBefore: number[] = [0];
  private readonly variableBefore: number[] = [0];

  constructor(
    readonly section: Section,
    readonly number: number,
  ) {}

  add(fragment: Fragment): void {
    const count = this.fragments.push(fragment);
    const isFixed = hasFixedSize(fragment);
    this.fixedBefore.push(this.fixedBefore[count - 1] + (isFixed ? fragment.size : 0));
    this.variableBefore.push(this.variableBefore[count - 1] + (isFixed ? 0 : 1));
  }

  /** The place where the next fragment will stand. */
  here(): Location {
    return { chunk: this, index: this.fragments.length };
  }

  /** Bytes between two of its fragments when nothing between them can change its size. */
  fixedDistance(from: number, to: number): number | undefined {
    if (this.variableBefore[from] !== this.variableBefore[to]) return undefined;
    return this.fixedBefore[to] - this.fixedBefore[from];
  }
}

/** What `.reloc` asks for. */
export interface ExplicitRelocation {
  readonly offset: Expression;
  readonly name: string;
  readonly value: Expression | undefined;
  readonly source: SourceText;
}

export class Section {
  readonly subsections: Subsection[] = [];
  readonly explicitRelocations: ExplicitRelocation[] = [];
  alignment = 1;
  size = 0;

  constructor(
    readonly name: string,
    readonly flags: SectionFlags,
  ) {}

  /** The subsection of that number, made when it is new. */
  subsection(number: number): Subsection {
    const existing = this.subsections.find((chunk) => chunk.number === number);
    if (existing) return existing;
    const chunk = new Subsection(this, number);
    const after = this.subsections.findIndex((other) => other.number > number);
    this.subsections.splice(after < 0 ? this.subsections.length : after, 0, chunk);
    return chunk;
  }
}

/** A place in a section: the start of fragment number `index` of a subsection. */
export interface Location {
  readonly chunk: Subsection;
  readonly index: number;
}

/** From the start of the section; valid after layout. */
export function offsetOf({ chunk, index }: Location): number {
  return chunk.offsets[index] ?? chunk.offsets.at(-1)!;
}

/** Bytes from `from` to `to` when no fragment between them can change its size, else undefined. */
export function fixedDistance(from: Location, to: Location): bigint | undefined {
  if (from.chunk !== to.chunk) return undefined;
  const distance = from.chunk.fixedDistance(from.index, to.index);
  return distance === undefined ? undefined : BigInt(distance);
}

const named = (
  allocate: boolean,
  write: boolean,
  execute: boolean,
  type: SectionFlags['type'] = 'progbits',
): SectionFlags => ({
  allocate,
  write,
  execute,
  type,
});

/** What a section is when `.section` gives no flags, by the start of its name (gABI 4, "Special Sections"). */
const DEFAULT_FLAGS: readonly (readonly [prefix: string, flags: SectionFlags])[] = [
  ['.text', named(true, false, true)],
  ['.init_array', named(true, true, false, 'init_array')],
  ['.fini_array', named(true, true, false, 'fini_array')],
  ['.preinit_array', named(true, true, false, 'preinit_array')],
  ['.init', named(true, false, true)],
  ['.fini', named(true, false, true)],
  ['.data', named(true, true, false)],
  ['.data1', named(true, true, false)],
  ['.bss', named(true, true, false, 'nobits')],
  ['.tbss', { ...named(true, true, false, 'nobits'), tls: true }],
  ['.tdata', { ...named(true, true, false), tls: true }],
  ['.rodata', named(true, false, false)],
  ['.rodata1', named(true, false, false)],
  ['.eh_frame', named(true, false, false, 'unwind')],
  ['.note', named(false, false, false, 'note')],
];

/** Boot loaders look for these, so a guest's linked image has them even when the source forgets the flags. */
const BOOT_HEADERS: readonly (readonly [name: RegExp, flags: SectionFlags])[] = [
  [/^\.head\.text/, named(true, false, true)],
  [/^\.(head|multiboot)/, named(true, false, false)],
];

/** The flags that a section has by its name. */
export function defaultSectionFlags(name: string): SectionFlags {
  const entry = DEFAULT_FLAGS.find(([prefix]) => name === prefix || name.startsWith(`${prefix}.`));
  if (entry) return entry[1];
  return BOOT_HEADERS.find(([pattern]) => pattern.test(name))?.[1] ?? named(false, false, false);
}
