import { DW_AT, DW_FORM } from './constants.js';
import { fixedSize } from './forms.js';
import type { AttributeSpecification } from './forms.js';
import type { DwarfFormat, DwarfSections } from './sections.js';

/** The shape of a kind of debugging information entry (DWARF 5 7.5.3). */
export interface Abbreviation {
  readonly tag: number;
  readonly hasChildren: boolean;
  readonly attributes: readonly AttributeSpecification[];
  /** The bytes of all attributes together, when they are the same in every entry: most entries are skipped by it. */
  readonly attributesSize: number | undefined;
  readonly hasSibling: boolean;
}

export type AbbreviationTable = ReadonlyMap<number, Abbreviation>;

/** The table at an offset of .debug_abbrev, for units of this format. */
export function readAbbreviations(
  sections: DwarfSections,
  offset: number,
  format: DwarfFormat,
): AbbreviationTable {
  const reader = sections.reader('.debug_abbrev', offset);
  const table = new Map<number, Abbreviation>();
  for (;;) {
    // The last table of the section may lack its terminating 0 (nasm writes it so).
    const code = reader.atEnd ? 0 : reader.uleb();
    if (code === 0) {
      return table;
    }
    const tag = reader.uleb();
    const hasChildren = reader.u8() !== 0;
    const attributes: AttributeSpecification[] = [];
    for (;;) {
      const attribute = reader.uleb();
      const form = reader.uleb();
      if (attribute === 0 && form === 0) {
        break;
      }
      const implicitConstant = form === DW_FORM.implicit_const ? reader.slebBig() : undefined;
      attributes.push({ attribute, form, implicitConstant });
    }
    const sizes = attributes.map((specification) => fixedSize(specification, format));
    table.set(code, {
      tag,
      hasChildren,
      attributes,
      attributesSize: sizes.reduce(
        (sum, size) => (sum === undefined || size === undefined ? undefined : sum + size),
        0,
      ),
      hasSibling: attributes.some(({ attribute }) => attribute === DW_AT.sibling),
    });
  }
}
