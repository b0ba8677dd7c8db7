import type { ByteReader } from '../elf/byteReader.js';
import { DW_FORM, dwarfName } from './constants.js';
import { readOffset } from './sections.js';
import type { DwarfFormat } from './sections.js';

/**
 * A value as its form encodes it, before it is looked up in other sections. An index refers to the table that the
 * unit's base attributes point to.
 */
export type FormValue =
  | { readonly kind: 'address'; readonly value: bigint }
  | { readonly kind: 'addressIndex'; readonly index: number }
  | { readonly kind: 'constant'; readonly value: bigint }
  | { readonly kind: 'block'; readonly bytes: Uint8Array }
  | { readonly kind: 'flag'; readonly value: boolean }
  | { readonly kind: 'unitReference'; readonly offset: number }
  | { readonly kind: 'infoReference'; readonly offset: number }
  | { readonly kind: 'signature'; readonly value: bigint }
  | { readonly kind: 'string'; readonly value: string }
  | {
      readonly kind: 'stringOffset';
      readonly section: '.debug_str' | '.debug_line_str';
      readonly offset: number;
    }
  | { readonly kind: 'stringIndex'; readonly index: number }
  | { readonly kind: 'sectionOffset'; readonly offset: number }
  | { readonly kind: 'listIndex'; readonly index: number };

/** The bytes a form takes: a count, or the field that says it. */
type Layout =
  number | 'address' | 'offset' | 'infoOffset' | 'leb' | 'string' | 'block1' | 'block2' | 'block4' | 'block';

interface FormRule {
  readonly layout: Layout;
  /** Undefined for a form that points into a supplementary object file, which is not read. */
  readonly read: ((reader: ByteReader, format: DwarfFormat) => FormValue) | undefined;
}

const constant = (value: bigint): FormValue => ({ kind: 'constant', value });
const block = (bytes: Uint8Array): FormValue => ({ kind: 'block', bytes });
const unitReference = (offset: number): FormValue => ({ kind: 'unitReference', offset });
const stringIndex = (index: number): FormValue => ({ kind: 'stringIndex', index });
const addressIndex = (index: number): FormValue => ({ kind: 'addressIndex', index });
const stringOffset = (section: '.debug_str' | '.debug_line_str', offset: number): FormValue => ({
  kind: 'stringOffset',
  section,
  offset,
});

/** DWARF 2 gave DW_FORM_ref_addr the size of an address (DWARF 3 7.5.4). */
const infoOffsetSize = (format: DwarfFormat): number =>
  format.version === 2 ? format.addressSize : format.offsetSize;

/** DWARF 5 table 7.6 and section 7.5.5. */
const FORMS: Readonly<Record<number, FormRule>> = {
  [DW_FORM.addr]: {
    layout: 'address',
    read: (r, f) => ({ kind: 'address', value: r.unsigned(f.addressSize) }),
  },
  [DW_FORM.data1]: { layout: 1, read: (r) => constant(BigInt(r.u8())) },
  [DW_FORM.data2]: { layout: 2, read: (r) => constant(BigInt(r.u16())) },
  [DW_FORM.data4]: { layout: 4, read: (r) => constant(BigInt(r.u32())) },
  [DW_FORM.data8]: { layout: 8, read: (r) => constant(r.u64()) },
  [DW_FORM.data16]: { layout: 16, read: (r) => block(r.block(16)) },
  [DW_FORM.sdata]: { layout: 'leb', read: (r) => constant(r.slebBig()) },
  [DW_FORM.udata]: { layout: 'leb', read: (r) => constant(r.ulebBig()) },
  [DW_FORM.block1]: { layout: 'block1', read: (r) => block(r.block(r.u8())) },
  [DW_FORM.block2]: { layout: 'block2', read: (r) => block(r.block(r.u16())) },
  [DW_FORM.block4]: { layout: 'block4', read: (r) => block(r.block(r.u32())) },
  [DW_FORM.block]: { layout: 'block', read: (r) => block(r.block(r.uleb())) },
  [DW_FORM.exprloc]: { layout: 'block', read: (r) => block(r.block(r.uleb())) },
  [DW_FORM.flag]: { layout: 1, read: (r) => ({ kind: 'flag', value: r.u8() !== 0 }) },
  [DW_FORM.flag_present]: { layout: 0, read: () => ({ kind: 'flag', value: true }) },
  [DW_FORM.string]: { layout: 'string', read: (r) => ({ kind: 'string', value: r.string() }) },
  [DW_FORM.strp]: {
    layout: 'offset',
    read: (r, f) => stringOffset('.debug_str', readOffset(r, f.offsetSize)),
  },
  [DW_FORM.line_strp]: {
    layout: 'offset',
    read: (r, f) => stringOffset('.debug_line_str', readOffset(r, f.offsetSize)),
  },
  [DW_FORM.strx]: { layout: 'leb', read: (r) => stringIndex(r.uleb()) },
  [DW_FORM.strx1]: { layout: 1, read: (r) => stringIndex(r.u8()) },
  [DW_FORM.strx2]: { layout: 2, read: (r) => stringIndex(r.u16()) },
  [DW_FORM.strx3]: { layout: 3, read: (r) => stringIndex(r.u24()) },
  [DW_FORM.strx4]: { layout: 4, read: (r) => stringIndex(r.u32()) },
  [DW_FORM.addrx]: { layout: 'leb', read: (r) => addressIndex(r.uleb()) },
  [DW_FORM.addrx1]: { layout: 1, read: (r) => addressIndex(r.u8()) },
  [DW_FORM.addrx2]: { layout: 2, read: (r) => addressIndex(r.u16()) },
  [DW_FORM.addrx3]: { layout: 3, read: (r) => addressIndex(r.u24()) },
  [DW_FORM.addrx4]: { layout: 4, read: (r) => addressIndex(r.u32()) },
  [DW_FORM.ref1]: { layout: 1, read: (r) => unitReference(r.u8()) },
  [DW_FORM.ref2]: { layout: 2, read: (r) => unitReference(r.u16()) },
  [DW_FORM.ref4]: { layout: 4, read: (r) => unitReference(r.u32()) },
  [DW_FORM.ref8]: { layout: 8, read: (r) => unitReference(r.u64AsNumber()) },
  [DW_FORM.ref_udata]: { layout: 'leb', read: (r) => unitReference(r.uleb()) },
  [DW_FORM.ref_addr]: {
    layout: 'infoOffset',
    read: (r, f) => ({ kind: 'infoReference', offset: Number(r.unsigned(infoOffsetSize(f))) }),
  },
  [DW_FORM.ref_sig8]: { layout: 8, read: (r) => ({ kind: 'signature', value: r.u64() }) },
  [DW_FORM.sec_offset]: {
    layout: 'offset',
    read: (r, f) => ({ kind: 'sectionOffset', offset: readOffset(r, f.offsetSize) }),
  },
  [DW_FORM.loclistx]: { layout: 'leb', read: (r) => ({ kind: 'listIndex', index: r.uleb() }) },
  [DW_FORM.rnglistx]: { layout: 'leb', read: (r) => ({ kind: 'listIndex', index: r.uleb() }) },
  [DW_FORM.ref_sup4]: { layout: 4, read: undefined },
  [DW_FORM.ref_sup8]: { layout: 8, read: undefined },
  [DW_FORM.strp_sup]: { layout: 'offset', read: undefined },
  [DW_FORM.GNU_ref_alt]: { layout: 'offset', read: undefined },
  [DW_FORM.GNU_strp_alt]: { layout: 'offset', read: undefined },
};

/** One attribute of an abbreviation (DWARF 5 7.5.3). */
export interface AttributeSpecification {
  readonly attribute: number;
  readonly form: number;
  /** The value itself for DW_FORM_implicit_const, which takes no bytes in the entry. */
  readonly implicitConstant: bigint | undefined;
}

export function readForm(
  reader: ByteReader,
  specification: AttributeSpecification,
  format: DwarfFormat,
): FormValue {
  if (specification.implicitConstant !== undefined) {
    return constant(specification.implicitConstant);
  }
  const start = reader.offset;
  const form = directForm(reader, specification.form);
  const read = ruleOf(form, reader, start).read;
  if (read === undefined) {
    const name = dwarfName('DW_FORM', DW_FORM, form);
    throw reader.error(`${name} refers to a supplementary object file, which is not supported`, start);
  }
  return read(reader, format);
}

export function skipForm(
  reader: ByteReader,
  specification: AttributeSpecification,
  format: DwarfFormat,
): void {
  if (specification.implicitConstant !== undefined) {
    return;
  }
  const start = reader.offset;
  const { layout } = ruleOf(directForm(reader, specification.form), reader, start);
  switch (layout) {
    case 'leb':
      return reader.skipLeb();
    case 'string':
      return reader.skipString();
    case 'block1':
      return reader.skip(reader.u8());
    case 'block2':
      return reader.skip(reader.u16());
    case 'block4':
      return reader.skip(reader.u32());
    case 'block':
      return reader.skip(reader.uleb());
    default:
      return reader.skip(layoutSize(layout, format));
  }
}

/** The bytes that this attribute takes in every entry, or undefined when that differs from entry to entry. */
export function fixedSize(specification: AttributeSpecification, format: DwarfFormat): number | undefined {
  if (specification.implicitConstant !== undefined) {
    return 0;
  }
  const layout = FORMS[specification.form]?.layout;
  switch (layout) {
    case undefined:
    case 'leb':
    case 'string':
    case 'block1':
    case 'block2':
    case 'block4':
    case 'block':
      return undefined;
    default:
      return layoutSize(layout, format);
  }
}

function layoutSize(layout: number | 'address' | 'offset' | 'infoOffset', format: DwarfFormat): number {
  switch (layout) {
    case 'address':
      return format.addressSize;
    case 'offset':
      return format.offsetSize;
    case 'infoOffset':
      return infoOffsetSize(format);
    default:
      return layout;
  }
}

/** DW_FORM_indirect puts the form in front of the value. */
function directForm(reader: ByteReader, form: number): number {
  let current = form;
  while (current === DW_FORM.indirect) {
    current = reader.uleb();
  }
  return current;
}

function ruleOf(form: number, reader: ByteReader, offset: number): FormRule {
  const rule = FORMS[form];
  if (rule === undefined) {
    throw reader.error(`${dwarfName('DW_FORM', DW_FORM, form)} is not supported`, offset);
  }
  return rule;
}
