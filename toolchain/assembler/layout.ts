import { ByteWriter } from '../byteWriter.js';
import { constantValue, evaluate } from './expression.js';
import type { Expression, Value } from './expression.js';
import type { Fragment, Leb128Fragment, Section } from './sections.js';
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
  const reported = new Set<Fragment>();
  for (let pass = 0; pass < MAX_PASSES; pass++) {
    const moved = assignAddresses(sections, textAddress);
    let changed = moved;
    for (const section of sections) {
      for (const [index, fragment] of section.fragments.entries()) {
        changed = resize(fragment, section, index, diagnostics, reported) || changed;
      }
    }
    if (!changed) return;
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

function assignAddresses(sections: readonly Section[], textAddress: bigint): boolean {
  let address = textAddress;
  let changed = false;
  for (const section of sections) {
    let offset = 0;
    const offsets = section.fragments.map((fragment) => {
      const at = offset;
      offset += fragment.size;
      return at;
    });
    offsets.push(offset);
    if (section.flags.allocate) {
      const alignment = BigInt(section.alignment) > PAGE_SIZE ? BigInt(section.alignment) : PAGE_SIZE;
      address = ((address + alignment - 1n) / alignment) * alignment;
      if (address !== section.address) changed = true;
      section.address = address;
      address += BigInt(offset);
    }
    if (offset !== section.size) changed = true;
    section.offsets = offsets;
    section.size = offset;
  }
  return changed;
}

function resize(
  fragment: Fragment,
  section: Section,
  index: number,
  diagnostics: Diagnostics,
  reported: Set<Fragment>,
): boolean {
  if (fragment.kind === 'bytes') return false;
  const before = fragment.size;
  try {
    fragment.size = sizeOf(fragment, section, index);
  } catch (error) {
    if (!(error instanceof AssemblyError)) throw error;
    if (!reported.has(fragment))
      diagnostics.report('error', fragment.source, error.message, error.start, error.end);
    reported.add(fragment);
  }
  return fragment.size !== before;
}

function sizeOf(fragment: Exclude<Fragment, { kind: 'bytes' }>, section: Section, index: number): number {
  const offset = section.offsets[index];
  switch (fragment.kind) {
    case 'branch':
      if (!fragment.isNear)
        fragment.isNear = !reachesShort(
          fragment.short.fixup.expression,
          section,
          offset + fragment.short.bytes.length,
        );
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

/** A target that is not defined gets its error when the bytes are written. */
function reachesShort(expression: Expression, section: Section, end: number): boolean {
  let target: bigint;
  try {
    target = evaluate(expression).value;
  } catch (error) {
    if (error instanceof AssemblyError) return true;
    throw error;
  }
  const distance = BigInt.asIntN(64, target - (section.address + BigInt(end)));
  return distance >= -128n && distance <= 127n;
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
