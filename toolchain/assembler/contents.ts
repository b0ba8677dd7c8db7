import type { Assembly } from './assembly.js';
import { constantValue } from './expression.js';
import type { Expression, SymbolReference } from './expression.js';
import { fitsEither, fitsSigned } from './encode.js';
import { writeInteger } from './integers.js';
import { leb128Bytes } from './layout.js';
import { writeNopRun, writePadding } from './padding.js';
import type { PaddingMode } from './padding.js';
import { GOT_SYMBOL, ownerOf, resolveField } from './relocate.js';
import type { PendingRelocation, Resolution } from './relocate.js';
import { offsetOf } from './sections.js';
import type { AdvanceFragment, ExplicitRelocation, Fixup, Fragment, Section } from './sections.js';
import { AssemblyError } from './source.js';
import type { Diagnostics, SourceText } from './source.js';
import { AssemblySymbol } from './symbols.js';
import { evaluate, targetOffset } from './value.js';
import { relocationNumber } from '../elf/relocationTypes.js';

/** A relocation with the statement and the part of it that needs it. */
export interface PlacedRelocation extends PendingRelocation {
  readonly source: SourceText;
  readonly start: number;
  readonly end: number;
}

export interface SectionContents {
  readonly bytes: Uint8Array;
  /** By offset. */
  readonly relocations: readonly PlacedRelocation[];
}

/** The bytes of a section after layout; values that do not fit are reported. */
export function sectionContents(section: Section, assembly: Assembly): SectionContents {
  return new ContentWriter(section, assembly).write();
}

class ContentWriter {
  private readonly bytes: Uint8Array;
  private readonly relocations: PlacedRelocation[] = [];

  private readonly bits: 32 | 64;
  private readonly diagnostics: Diagnostics;
  private readonly padding: PaddingMode;

  constructor(
    private readonly section: Section,
    private readonly assembly: Assembly,
  ) {
    this.bits = assembly.options.bits;
    this.diagnostics = assembly.diagnostics;
    // GNU as pads at the end of its work, in the mode that the source ends in.
    this.padding = { bits: assembly.bits, objectBits: assembly.options.bits };
    this.bytes = new Uint8Array(section.flags.type === 'nobits' ? 0 : section.size);
  }

  write(): SectionContents {
    if (this.section.flags.type !== 'nobits') {
      for (const { fragments, offsets } of this.section.subsections) {
        for (let index = 0; index < fragments.length; index++)
          this.fragment(fragments[index], offsets[index]);
      }
    }
    for (const explicit of this.section.explicitRelocations)
      this.diagnostics.guard(explicit.source, () => this.explicit(explicit));
    this.relocations.sort((left, right) => left.offset - right.offset);
    return { bytes: this.bytes, relocations: this.relocations };
  }

  private explicit({ offset, name, value, source }: ExplicitRelocation): void {
    const place = evaluate(offset);
    const [base] = place.plus;
    if (
      place.plus.length > 1 ||
      place.minus.length > 0 ||
      (base && base.location?.chunk.section !== this.section)
    )
      throw new AssemblyError('.reloc needs a place in this section', offset.start, offset.end);
    const type = relocationNumber(this.bits, name);
    if (type === undefined) throw new AssemblyError(`unknown relocation '${name}'`);
    const at = Number(place.value + (base ? targetOffset(base) : 0n));
    const target = value ? evaluate(value) : undefined;
    const reference = target?.plus[0];
    const owner = reference && ownerOf(reference);
    const isByName = owner !== undefined && (owner.binding !== 'local' || !reference?.location);
    const symbol = isByName ? owner : reference?.location?.chunk.section;
    const addend = (target?.value ?? 0n) + (reference?.location && !isByName ? targetOffset(reference) : 0n);
    this.relocations.push({ offset: at, type, symbol, addend, source, start: 0, end: source.text.length });
  }

  private fragment(fragment: Fragment, offset: number): void {
    if (fragment.kind === 'bytes') {
      this.bytes.set(fragment.bytes, offset);
      for (const fixup of fragment.fixups) this.fixup(fixup, fragment, offset, false);
      return;
    }
    if (fragment.kind === 'branch') {
      const form = fragment.isNear ? fragment.near : fragment.short;
      this.bytes.set(form.bytes, offset);
      this.fixup(form.fixup, fragment, offset, true);
      return;
    }
    const part = this.bytes.subarray(offset, offset + fragment.size);
    this.diagnostics.guard(fragment.source, () => this.variable(part, fragment));
  }

  private variable(part: Uint8Array, fragment: Exclude<Fragment, { kind: 'bytes' | 'branch' }>): void {
    switch (fragment.kind) {
      case 'fill':
        for (let at = 0; at < part.length; at += fragment.pattern.length) part.set(fragment.pattern, at);
        break;
      case 'align':
        writePadding(part, fragment.pattern, this.section.flags.execute, this.padding);
        break;
      case 'nops':
        writeNopRun(part, this.padding);
        break;
      case 'org':
        part.fill(fragment.fill);
        break;
      case 'leb128':
        part.set(leb128Bytes(fragment));
        break;
      case 'advance':
        writeAdvance(part, fragment);
    }
  }

  private fixup(fixup: Fixup, fragment: Fragment, offset: number, isBranch: boolean): void {
    try {
      this.applyFixup(fixup, fragment, offset, isBranch);
    } catch (error) {
      if (!(error instanceof AssemblyError)) throw error;
      this.diagnostics.report('error', fragment.source, error.message, error.start, error.end);
    }
  }

  private applyFixup(fixup: Fixup, fragment: Fragment, offset: number, isBranch: boolean): void {
    const { expression, size } = fixup;
    const field = offset + fixup.offset;
    const constant = fixup.relative === 'target' ? undefined : constantValue(expression);
    const resolution =
      constant === undefined
        ? this.resolve(fixup, fragment, { field, start: offset, isBranch })
        : { value: constant };
    if ('value' in resolution) {
      checkRange(BigInt.asIntN(64, resolution.value), fixup, fragment.source, this.diagnostics);
      writeInteger(this.bytes, field, size, resolution.value);
      return;
    }
    const { relocation } = resolution;
    const { start, end } = expression;
    this.relocations.push({ ...relocation, source: fragment.source, start, end });
    // Without an explicit addend the field holds it.
    writeInteger(this.bytes, field, size, this.bits === 32 ? relocation.addend : 0n);
  }

  private resolve(
    fixup: Fixup,
    { source, size }: Fragment,
    {
      field,
      start,
      isBranch,
    }: { readonly field: number; readonly start: number; readonly isBranch: boolean },
  ): Resolution {
    const value = evaluate(fixup.expression);
    for (const { symbol, location } of [...value.plus, ...value.minus]) {
      if (location || !symbol || symbol.name === GOT_SYMBOL) continue;
      if (symbol instanceof AssemblySymbol && symbol.common) continue;
      const range = rangeOf(fixup.expression, symbol);
      this.assembly.undefinedUses.push({ symbol, source, start: range.start, end: range.end });
      // Nobody else can define a numeric label.
      if (!(symbol instanceof AssemblySymbol))
        throw new AssemblyError(`undefined symbol '${symbol.name}'`, range.start, range.end);
    }
    const before = this.bytes.subarray(start, field);
    const place = { section: this.section, field, end: start + size, isBranch, before };
    return resolveField(fixup, value, place, this.bits);
  }
}

/** @throws AssemblyError when the value does not fit the field */
function checkRange(
  value: bigint,
  { expression: { start, end }, range, relative, size }: Fixup,
  source: SourceText,
  diagnostics: Diagnostics,
): void {
  const bits = size * 8;
  const shown = `0x${BigInt.asUintN(64, value).toString(16)}`;
  if (range === 'signed' && !fitsSigned(value, bits)) {
    throw new AssemblyError(
      relative === 'no'
        ? `value ${shown} does not fit ${bits} signed bits`
        : `target is ${value} bytes away, out of reach of ${bits} bits`,
      start,
      end,
    );
  }
  if ((range === 'either' || range === 'warn') && !fitsEither(value, bits)) {
    const message = `value ${shown} does not fit ${bits} bits`;
    if (range === 'either') throw new AssemblyError(message, start, end);
    diagnostics.report('warning', source, message, start, end);
  }
}

/** DWARF 5, 6.4.2.1: DW_CFA_advance_loc, _loc1, _loc2, _loc4. */
function writeAdvance(part: Uint8Array, { from, to }: AdvanceFragment): void {
  const distance = offsetOf(to) - offsetOf(from);
  if (part.length === 0) return;
  if (part.length === 1) {
    part[0] = 0x40 | distance;
    return;
  }
  part[0] = { 2: 0x02, 3: 0x03, 5: 0x04 }[part.length]!;
  writeInteger(part, 1, part.length - 1, BigInt(distance));
}

/** Where in an expression a symbol stands; all of it when another definition brought the symbol in. */
function rangeOf(expression: Expression, symbol: SymbolReference): { start: number; end: number } {
  switch (expression.kind) {
    case 'symbol':
      return expression;
    case 'relocated':
    case 'unary':
      return rangeOf(expression.operand, symbol);
    case 'binary': {
      const parts = [expression.left, expression.right].filter((part) => mentions(part, symbol));
      return parts.length === 1 ? rangeOf(parts[0], symbol) : expression;
    }
    default:
      return expression;
  }
}

function mentions(expression: Expression, symbol: SymbolReference): boolean {
  switch (expression.kind) {
    case 'symbol':
      return expression.symbol === symbol;
    case 'relocated':
    case 'unary':
      return mentions(expression.operand, symbol);
    case 'binary':
      return mentions(expression.left, symbol) || mentions(expression.right, symbol);
    default:
      return false;
  }
}
