import { ByteWriter } from '../byteWriter.js';
import type { Assembly } from './assembly.js';
import { constantValue, splitLocation } from './expression.js';
import { evaluate, evaluateNumber, targetOffset } from './value.js';
import type { Target, Value } from './value.js';
import { offsetOf } from './sections.js';
import type { BranchFragment, Fragment, Leb128Fragment, Section, Subsection } from './sections.js';
import { AssemblyError } from './source.js';
import { Alias, AssemblySymbol } from './symbols.js';

/** Sizes only grow, so a source that keeps changing is one whose sizes depend on themselves. */
const MAX_PASSES = 200;

/**
 * Gives every fragment its offset in its section and its size. Jumps grow from their short form as far as they must.
 * Errors in expressions that decide sizes are reported.
 */
export function layOut({ sections, diagnostics, options }: Assembly): void {
  const errors = new Map<Fragment, AssemblyError>();
  for (const section of sections) setFirstOffsets(section);
  for (let pass = 0; pass < MAX_PASSES; pass++) {
    let changed = false;
    for (const section of sections) changed = resizeSection(section, errors) || changed;
    if (changed) continue;
    for (const [{ source }, error] of errors)
      diagnostics.report('error', source, error.message, error.start, error.end);
    return;
  }
  diagnostics.add({
    severity: 'error',
    file: options.fileName,
    line: 1,
    column: 1,
    endColumn: 2,
    message: 'the layout does not settle: a size depends on itself',
  });
}

/** Every fragment in its smallest size. */
function setFirstOffsets(section: Section): void {
  let offset = 0;
  for (const chunk of section.subsections) {
    const { fragments } = chunk;
    const offsets = new Array<number>(fragments.length + 1);
    for (let index = 0; index < fragments.length; index++) {
      offsets[index] = offset;
      offset += fragments[index].size;
    }
    offsets[fragments.length] = offset;
    chunk.offsets = offsets;
  }
  section.size = offset;
}

/** Goes through a section once, from its start; what was moved so far moves what follows. */
function resizeSection(section: Section, errors: Map<Fragment, AssemblyError>): boolean {
  let offset = 0;
  let changed = false;
  for (const chunk of section.subsections) {
    const { fragments, offsets } = chunk;
    for (let index = 0; index < fragments.length; index++) {
      const fragment = fragments[index];
      const stretch = offset - offsets[index];
      offsets[index] = offset;
      if (stretch !== 0) changed = true;
      if (fragment.kind !== 'bytes' && resize(fragment, chunk, index, stretch, errors)) changed = true;
      offset += fragment.size;
    }
    offsets[fragments.length] = offset;
  }
  if (section.size !== offset) changed = true;
  section.size = offset;
  return changed;
}

type Resizable = Exclude<Fragment, { kind: 'bytes' }>;

function resize(
  fragment: Resizable,
  chunk: Subsection,
  index: number,
  stretch: number,
  errors: Map<Fragment, AssemblyError>,
): boolean {
  const before = fragment.size;
  if (errors.size > 0) errors.delete(fragment);
  try {
    fragment.size = sizeOf(fragment, chunk, index, stretch);
  } catch (error) {
    if (!(error instanceof AssemblyError)) throw error;
    errors.set(fragment, error);
  }
  return fragment.size !== before;
}

function sizeOf(fragment: Resizable, chunk: Subsection, index: number, stretch: number): number {
  const offset = chunk.offsets[index];
  switch (fragment.kind) {
    case 'branch':
      fragment.isNear ||= !reachesShort(fragment, chunk, index, stretch);
      return fragment.isNear ? fragment.near.bytes.length : fragment.short.bytes.length;
    case 'fill':
    case 'nops': {
      const count = constantValue(fragment.count) ?? evaluateNumber(fragment.count);
      if (count < 0n || count > 0x40000000n) throw new AssemblyError(`cannot reserve ${count} bytes`);
      return Number(count) * (fragment.kind === 'fill' ? fragment.pattern.length : 1);
    }
    case 'align': {
      const padding = -offset & (fragment.alignment - 1);
      return padding > fragment.limit ? 0 : padding;
    }
    case 'org': {
      const target = offsetInSection(evaluate(fragment.target), chunk.section);
      if (target < offset)
        throw new AssemblyError(
          `.org cannot move back: 0x${offset.toString(16)} to 0x${target.toString(16)}`,
        );
      return target - offset;
    }
    case 'leb128':
      return Math.max(fragment.size, leb128Bytes(fragment).length);
    case 'advance':
      return advanceSize(offsetOf(fragment.to) - offsetOf(fragment.from));
  }
}

/** DW_CFA_advance_loc holds 6 bits, its longer forms 8, 16 and 32 (DWARF 5, 6.4.2.1). */
function advanceSize(distance: number): number {
  if (distance === 0) return 0;
  if (distance < 0x40) return 1;
  return distance < 0x100 ? 2 : distance < 0x10000 ? 3 : 5;
}

function offsetInSection({ value, plus: [only, ...more], minus }: Value, section: Section): number {
  if (more.length > 0 || minus.length > 0 || (only && only.location?.chunk.section !== section))
    throw new AssemblyError('.org needs a place in this section');
  const offset = Number(value + (only ? targetOffset(only) : 0n));
  if (offset < 0 || offset > 0x40000000) throw new AssemblyError('.org goes outside of the section');
  return offset;
}

/**
 * Is the target a place of this file, whatever other files define? A weak symbol may be replaced; a global one may not
 * in a static link.
 */
export function isBoundHere({ symbol, location }: Target): boolean {
  if (!location) return false;
  const owner = symbol instanceof Alias ? symbol.symbol : symbol;
  return !(owner instanceof AssemblySymbol) || (owner.binding !== 'weak' && owner.type !== 'ifunc');
}

/**
 * Does the short form reach its target? What lies ahead has moved by `stretch` since its offset was noted, as far as
 * no alignment between takes the movement up.
 */
function reachesShort(
  { short: { bytes, fixup } }: BranchFragment,
  chunk: Subsection,
  index: number,
  stretch: number,
): boolean {
  const { expression } = fixup;
  const { value, plus, minus, relocation } = evaluate(expression);
  const [target] = plus;
  if (plus.length !== 1 || minus.length > 0 || !isBoundHere(target)) return false;
  if (target.location!.chunk.section !== chunk.section || (relocation && relocation !== 'plt')) return false;
  const from = chunk.offsets[index] + bytes.length;
  const distance = Number(value + targetOffset(target)) - from;
  if (distance < -128 - Math.abs(stretch) || distance > 127 + Math.abs(stretch)) return false;
  const location = stretch === 0 ? undefined : splitLocation(expression)?.location;
  const isAhead = location?.chunk === chunk && location.index > index;
  const moved = isAhead ? distance + stretchAt(chunk, index, location.index, stretch) : distance;
  return moved >= -128 && moved <= 127;
}

function stretchAt({ fragments }: Subsection, from: number, to: number, stretch: number): number {
  let rest = stretch;
  for (let index = from; index < to && rest !== 0; index++) {
    const fragment = fragments[index];
    if (fragment.kind === 'align') rest = Math.trunc(rest / fragment.alignment) * fragment.alignment;
  }
  return rest;
}

/** A LEB128 number; when it turns out shorter than its place, it is padded with continuation bytes. */
export function leb128Bytes({ value, signed, size }: Leb128Fragment): Uint8Array {
  const constant = constantValue(value) ?? evaluateNumber(value);
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
