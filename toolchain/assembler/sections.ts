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
  /** `either`: what fits as a signed or as an unsigned number; `warn`: data that is cut with a warning. */
  readonly range: 'signed' | 'either' | 'truncate' | 'warn';
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
  readonly bits: 16 | 32 | 64;
}

export interface OrgFragment extends FragmentBase {
  readonly kind: 'org';
  readonly target: Expression;
  readonly fill: number;
}

export interface Leb128Fragment extends FragmentBase {
  readonly kind: 'leb128';
  readonly value: Expression;
  readonly signed: boolean;
}

export type Fragment =
  BytesFragment | BranchFragment | FillFragment | AlignFragment | OrgFragment | Leb128Fragment;

/** Every form that makes a fragment's size independent of addresses. */
export function hasFixedSize(fragment: Fragment): boolean {
  return (
    fragment.kind === 'bytes' ||
    (fragment.kind === 'fill' && fragment.size >= 0 && fragment.count.kind === 'constant')
  );
}

export interface SectionFlags {
  readonly allocate: boolean;
  readonly write: boolean;
  readonly execute: boolean;
  readonly type: 'progbits' | 'nobits' | 'note';
}

export class Section {
  readonly fragments: Fragment[] = [];
  alignment = 1;
  address = 0n;
  size = 0;
  /** Offsets of the fragments, and of the end; valid after layout. */
  offsets: number[] = [0];

  constructor(
    readonly name: string,
    readonly flags: SectionFlags,
  ) {}

  /** The place where the next fragment will stand. */
  here(): Location {
    return { section: this, index: this.fragments.length };
  }
}

/** A place in a section: the start of its fragment number `index`. */
export interface Location {
  readonly section: Section;
  readonly index: number;
}

/** The address of a location; valid after layout. */
export function addressOf(location: Location): bigint {
  return location.section.address + BigInt(location.section.offsets[location.index]);
}

/** Bytes from `from` to `to` when no fragment between them can change its size, else undefined. */
export function fixedDistance(from: Location, to: Location): bigint | undefined {
  if (from.section !== to.section) return undefined;
  if (from.index > to.index) {
    const backward = fixedDistance(to, from);
    return backward === undefined ? undefined : -backward;
  }
  let distance = 0;
  for (let index = from.index; index < to.index; index++) {
    const fragment = from.section.fragments[index];
    if (!hasFixedSize(fragment)) return undefined;
    distance += fragment.size;
  }
  return BigInt(distance);
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

/** What a section is when `.section` gives no flags, by the start of its name. */
const DEFAULT_FLAGS: readonly (readonly [prefix: string, flags: SectionFlags])[] = [
  ['.text', named(true, false, true)],
  ['.init', named(true, false, true)],
  ['.fini', named(true, false, true)],
  ['.head.text', named(true, false, true)],
  ['.head', named(true, false, false)],
  ['.multiboot', named(true, false, false)],
  ['.data', named(true, true, false)],
  ['.bss', named(true, true, false, 'nobits')],
  ['.rodata', named(true, false, false)],
  ['.note', named(false, false, false, 'note')],
];

/** The flags that a section has by its name. */
export function defaultSectionFlags(name: string): SectionFlags {
  const entry = DEFAULT_FLAGS.find(
    ([prefix]) => name === prefix || name.startsWith(`${prefix}.`) || name.startsWith(`${prefix}_`),
  );
  return entry?.[1] ?? named(false, false, false);
}
