import { fitsEither, fitsSigned } from './encode.js';
import { writeInteger } from './directivesData.js';
import { evaluate } from './expression.js';
import { leb128Bytes } from './layout.js';
import type { AlignFragment, Fixup, Fragment, Section } from './sections.js';
import { AssemblyError } from './source.js';
import type { Diagnostics } from './source.js';

/** SDM 2B, NOP: the recommended sequences of 1 to 9 bytes. */
const NOPS = [
  [0x90],
  [0x66, 0x90],
  [0x0f, 0x1f, 0x00],
  [0x0f, 0x1f, 0x40, 0x00],
  [0x0f, 0x1f, 0x44, 0x00, 0x00],
  [0x66, 0x0f, 0x1f, 0x44, 0x00, 0x00],
  [0x0f, 0x1f, 0x80, 0x00, 0x00, 0x00, 0x00],
  [0x0f, 0x1f, 0x84, 0x00, 0x00, 0x00, 0x00, 0x00],
  [0x66, 0x0f, 0x1f, 0x84, 0x00, 0x00, 0x00, 0x00, 0x00],
];

/** The bytes of a section after layout; values that do not fit are reported. */
export function sectionBytes(section: Section, diagnostics: Diagnostics): Uint8Array {
  const bytes = new Uint8Array(section.size);
  section.fragments.forEach((fragment, index) => {
    const offset = section.offsets[index];
    const part = bytes.subarray(offset, offset + fragment.size);
    diagnostics.guard(fragment.source, () => writeFragment(part, fragment, section, offset, diagnostics));
  });
  return bytes;
}

function writeFragment(
  part: Uint8Array,
  fragment: Fragment,
  section: Section,
  offset: number,
  diagnostics: Diagnostics,
): void {
  const end = section.address + BigInt(offset + fragment.size);
  switch (fragment.kind) {
    case 'bytes':
      part.set(fragment.bytes);
      for (const fixup of fragment.fixups) {
        diagnostics.guard(fragment.source, () => applyFixup(part, fixup, end, fragment, diagnostics));
      }
      break;
    case 'branch': {
      const form = fragment.isNear ? fragment.near : fragment.short;
      part.set(form.bytes);
      applyFixup(part, form.fixup, end, fragment, diagnostics);
      break;
    }
    case 'fill':
      for (let at = 0; at < part.length; at += fragment.pattern.length) part.set(fragment.pattern, at);
      break;
    case 'align':
      writePadding(part, fragment, section);
      break;
    case 'org':
      part.fill(fragment.fill);
      break;
    case 'leb128':
      part.set(leb128Bytes(fragment));
  }
}

function writePadding(part: Uint8Array, { pattern, bits }: AlignFragment, section: Section): void {
  if (pattern) {
    for (let at = part.length; at >= pattern.length; at -= pattern.length)
      part.set(pattern, at - pattern.length);
    return;
  }
  if (!section.flags.execute) return;
  const longest = bits === 16 ? 1 : NOPS.length;
  for (let at = 0; at < part.length;) {
    const length = Math.min(longest, part.length - at);
    part.set(NOPS[length - 1], at);
    at += length;
  }
}

/** @throws AssemblyError when the value does not fit the field */
function applyFixup(
  part: Uint8Array,
  fixup: Fixup,
  end: bigint,
  fragment: Fragment,
  diagnostics: Diagnostics,
): void {
  const { expression, relative, offset, size, range } = fixup;
  const { value: target, isAddress } = evaluate(expression);
  const isRelative = relative === 'target' || (relative === 'ripMemory' && isAddress);
  const value = BigInt.asIntN(64, isRelative ? target - end : target);
  const bits = size * 8;
  if (range === 'signed' && !fitsSigned(value, bits)) {
    throw new AssemblyError(
      isRelative
        ? `target is ${value} bytes away, out of reach of ${bits} bits`
        : `value 0x${BigInt.asUintN(64, value).toString(16)} does not fit ${bits} signed bits`,
      expression.start,
      expression.end,
    );
  }
  if ((range === 'either' || range === 'warn') && !fitsEither(value, bits)) {
    const message = `value 0x${BigInt.asUintN(64, value).toString(16)} does not fit ${bits} bits`;
    if (range === 'either') throw new AssemblyError(message, expression.start, expression.end);
    diagnostics.report('warning', fragment.source, message, expression.start, expression.end);
  }
  writeInteger(part, offset, size, value);
}
