import { ByteWriter } from '../byteWriter.js';
import { constantValue, evaluate, splitLocation } from './expression.js';
import type { Value } from './expression.js';
import type { BranchFragment, Fragment, Leb128Fragment, Section } from './sections.js';
import { AssemblyError } from './source.js';
import type { Diagnostics } from './source.js';

const PAGE_SIZE = 0x1000n;
/** Sizes only grow, so a source that keeps changing is one whose sizes depend on themselves. */
const MAX_PASSES = 200;

/** Headers that boot loaders look for come first, then code, then the rest; .bss last. */
function rank({ name, flags }: Section): number {
  if (!flags.allocate) return 4;
  if (/^\.(multiboot|head)/.test(name)) return 0;
  if (flags.type === 'nobits') return 3;
  return flags.execute ? 1 : 2;
}

/** The sections in the order of their addresses. */
export function orderSections(sections: readonly Section[]): Section[] {
  return [...sections].sort((left, right) => rank(left) - rank(right));
}

/**
 * Gives every section its address and every fragment its offset and size. Jumps grow from their short form as far
 * as they must. Errors in expressions that decide sizes are reported by the later writing of the bytes.
 */
export function layOut(sections: readonly Section[], textAddress: bigint, diagnostics: Diagnostics): void {
  const errors = new Map<Fragment, AssemblyError>();
  for (const section of sections) setFirstOffsets(section);
  for (let pass = 0; pass < MAX_PASSES; pass++) {
    let changed = assignAddresses(sections, textAddress);
    for (const section of sections) changed = resizeFragments(section, errors) || changed;
    if (changed) continue;
    for (const [{ source }, error] of errors)
      diagnostics.report('error', source, error.message, error.start, error.end);
    return;
  }
  diagnostics.add({
    severity: 'error',
    file: '',
    line: 1,
    column: 1,
    endColumn: 1,
    message: 'the layout does not settle: a size depends on itself',
  });
}

/** Every fragment in its smallest size. */
function setFirstOffsets(section: Section): void {
  let offset = 0;
  section.offsets = [0];
  for (const { size } of section.fragments) section.offsets.push((offset += size));
  section.size = offset;
}

/** Moves the sections that have a place in memory, each to a page of its own. */
function assignAddresses(sections: readonly Section[], textAddress: bigint): boolean {
  let address = textAddress;
  let changed = false;
  for (const section of sections) {
    if (!section.flags.allocate) continue;
    const alignment = BigInt(section.alignment) > PAGE_SIZE ? BigInt(section.alignment) : PAGE_SIZE;
    address = ((address + alignment - 1n) / alignment) * alignment;
    if (address !== section.address) changed = true;
    section.address = address;
    address += BigInt(section.size);
  }
  return changed;
}

/** Goes through a section once, from its start; what was moved so far moves what follows. */
function resizeFragments(section: Section, errors: Map<Fragment, AssemblyError>): boolean {
  let offset = 0;
  let changed = false;
  section.fragments.forEach((fragment, index) => {
    const stretch = offset - section.offsets[index];
    section.offsets[index] = offset;
    const before = fragment.size;
    errors.delete(fragment);
    try {
      if (fragment.kind !== 'bytes') fragment.size = sizeOf(fragment, section, index, stretch);
    } catch (error) {
      if (!(error instanceof AssemblyError)) throw error;
      errors.set(fragment, error);
    }
    if (fragment.size !== before || stretch !== 0) changed = true;
    offset += fragment.size;
  });
  if (section.size !== offset) changed = true;
  section.offsets[section.fragments.length] = offset;
  section.size = offset;
  return changed;
}

function sizeOf(
  fragment: Exclude<Fragment, { kind: 'bytes' }>,
  section: Section,
  index: number,
  stretch: number,
): number {
  const offset = section.offsets[index];
  switch (fragment.kind) {
    case 'branch':
      fragment.isNear ||= !reachesShort(fragment, section, index, stretch);
      return fragment.isNear ? fragment.near.bytes.length : fragment.short.bytes.length;
    case 'fill': {
      const count = evaluate(fragment.count).value;
      if (count < 0n || count > 0x40000000n) throw new AssemblyError(`cannot reserve ${count} bytes`);
      return Number(count) * fragment.pattern.length;
    }
    case 'align': {
      const padding = Number(-(section.address + BigInt(offset)) & BigInt(fragment.alignment - 1));
      return padding > fragment.limit ? 0 : padding;
    }
    case 'org': {
      const target = offsetInSection(evaluate(fragment.target), section);
      if (target < offset)
        throw new AssemblyError(
          `.org cannot move back: 0x${offset.toString(16)} to 0x${target.toString(16)}`,
        );
      return target - offset;
    }
    case 'leb128':
      return Math.max(fragment.size, leb128Bytes(fragment).length);
  }
}

function offsetInSection({ value, isAddress }: Value, section: Section): number {
  const offset = Number(isAddress ? value - section.address : value);
  if (offset < 0 || offset > 0x40000000) throw new AssemblyError('.org goes outside of the section');
  return offset;
}

/**
 * Does the short form reach its target? What lies ahead has moved by `stretch` since its offset was noted, as far as
 * no alignment between takes the movement up. A target that is not defined gets its error when the bytes are written.
 */
function reachesShort(fragment: BranchFragment, section: Section, index: number, stretch: number): boolean {
  const { expression } = fragment.short.fixup;
  let target: bigint;
  try {
    target = evaluate(expression).value;
  } catch (error) {
    if (error instanceof AssemblyError) return true;
    throw error;
  }
  const location = splitLocation(expression)?.location;
  if (location?.section === section && location.index > index) {
    target += BigInt(stretchAt(section, index, location.index, stretch));
  }
  const end = section.address + BigInt(section.offsets[index] + fragment.short.bytes.length);
  const distance = BigInt.asIntN(64, target - end);
  return distance >= -128n && distance <= 127n;
}

function stretchAt(section: Section, from: number, to: number, stretch: number): number {
  let rest = stretch;
  for (let index = from; index < to && rest !== 0; index++) {
    const fragment = section.fragments[index];
    if (fragment.kind === 'align') rest = Math.trunc(rest / fragment.alignment) * fragment.alignment;
  }
  return rest;
}

/** A LEB128 number; when it turns out shorter than its place, it is padded with continuation bytes. */
export function leb128Bytes({ value, signed, size }: Leb128Fragment): Uint8Array {
  const constant = constantValue(value) ?? evaluate(value).value;
  const writer = new ByteWriter();
  const bytes = (signed ? writer.sleb(constant) : writer.uleb(BigInt.asUintN(64, constant))).take();
  if (bytes.length >= size) return bytes;
  const padded = new Uint8Array(size);
  padded.fill(signed && constant < 0n ? 0xff : 0x80);
  padded.set(bytes);
  padded[bytes.length - 1] |= 0x80;
  padded[size - 1] &= 0x7f;
  return padded;
}
