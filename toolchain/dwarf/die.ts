import type { ByteReader } from '../elf/byteReader.js';
import type { Abbreviation } from './abbreviations.js';
import { DW_AT, DW_TAG, dwarfName } from './constants.js';
import { readForm, skipForm } from './forms.js';
import type { FormValue } from './forms.js';
import type { Unit } from './unit.js';

/** A chain of abstract origins and specifications is two or three long; more means a cycle. */
const MAX_ORIGINS = 16;

/** A debugging information entry: attributes and children are decoded from the section when they are asked for. */
export class Die {
  private childList: readonly Die[] | undefined;

  constructor(
    readonly unit: Unit,
    /** Of the entry in its section: its identity in the file. */
    readonly offset: number,
    private readonly abbreviation: Abbreviation,
    private readonly attributesOffset: number,
  ) {}

  get tag(): number {
    return this.abbreviation.tag;
  }

  has(attribute: number): boolean {
    return this.abbreviation.attributes.some((specification) => specification.attribute === attribute);
  }

  /** The attribute's value as its form encodes it. */
  value(attribute: number): FormValue | undefined {
    if (!this.has(attribute)) {
      return undefined;
    }
    const reader = this.unit.reader(this.attributesOffset);
    for (const specification of this.abbreviation.attributes) {
      if (specification.attribute === attribute) {
        return readForm(reader, specification, this.unit.header);
      }
      skipForm(reader, specification, this.unit.header);
    }
    return undefined;
  }

  string(attribute: number): string | undefined {
    const value = this.value(attribute);
    if (value === undefined) {
      return undefined;
    }
    switch (value.kind) {
      case 'string':
        return value.value;
      case 'stringOffset':
        return this.unit.file.sections.string(value.section, value.offset);
      case 'stringIndex':
        return this.unit.string(value.index);
      default:
        throw this.wrongClass(attribute, value);
    }
  }

  address(attribute: number): bigint | undefined {
    const value = this.value(attribute);
    switch (value?.kind) {
      case 'address':
        return value.value;
      case 'addressIndex':
        return this.unit.address(value.index);
      default:
        return undefined;
    }
  }

  /** A constant; undefined when the attribute is missing or is not one (a bound may be an expression). */
  constant(attribute: number): bigint | undefined {
    const value = this.value(attribute);
    return value?.kind === 'constant' ? value.value : undefined;
  }

  /** A constant that fits a number, such as a size or a line. */
  number(attribute: number): number | undefined {
    const value = this.constant(attribute);
    return value === undefined ? undefined : Number(value);
  }

  flag(attribute: number): boolean {
    const value = this.value(attribute);
    return value?.kind === 'flag' && value.value;
  }

  block(attribute: number): Uint8Array | undefined {
    const value = this.value(attribute);
    return value?.kind === 'block' ? value.bytes : undefined;
  }

  /** An offset into another section. DWARF 2 and 3 have no form of its own for it (DWARF 4 7.5.4). */
  sectionOffset(attribute: number): number | undefined {
    const value = this.value(attribute);
    if (value?.kind === 'sectionOffset') {
      return value.offset;
    }
    return value?.kind === 'constant' && this.unit.header.version < 4 ? Number(value.value) : undefined;
  }

  reference(attribute: number): Die | undefined {
    const value = this.value(attribute);
    const { file, header } = this.unit;
    if (value === undefined) {
      return undefined;
    }
    switch (value.kind) {
      case 'unitReference':
        return this.unit.dieAt(header.offset + value.offset);
      case 'infoReference':
        return file.dieAt(value.offset);
      case 'signature':
        return file.typeWithSignature(value.value);
      default:
        throw this.wrongClass(attribute, value);
    }
  }

  /** The entry, then those it completes: by abstract origin, specification (DWARF 5 2.13.2, 3.3.8). */
  *origins(): Generator<Die> {
    let current: Die | undefined = this as Die;
    for (let depth = 0; current !== undefined; depth++) {
      if (depth === MAX_ORIGINS) {
        throw this.unit.reader(this.offset).error('a cycle of abstract origins');
      }
      yield current;
      current = current.reference(DW_AT.abstract_origin) ?? current.reference(DW_AT.specification);
    }
  }

  /** The name, here or at an origin. */
  get name(): string | undefined {
    for (const die of this.origins()) {
      const name = die.string(DW_AT.name);
      if (name !== undefined) {
        return name;
      }
    }
    return undefined;
  }

  /** The first of the entry and its origins with this attribute. */
  withAttribute(attribute: number): Die | undefined {
    for (const die of this.origins()) {
      if (die.has(attribute)) {
        return die;
      }
    }
    return undefined;
  }

  get children(): readonly Die[] {
    this.childList ??= [...this.eachChild()];
    return this.childList;
  }

  childrenTagged(...tags: readonly number[]): Die[] {
    return this.children.filter((child) => tags.includes(child.tag));
  }

  toString(): string {
    return `${dwarfName('DW_TAG', DW_TAG, this.tag)} at ${this.unit.header.section}+0x${this.offset.toString(16)}`;
  }

  /** The children one by one, not kept: for a pass over a large unit. */
  *eachChild(): Generator<Die> {
    if (!this.abbreviation.hasChildren) {
      return;
    }
    let offset = this.afterAttributes();
    // A unit's list of children may end with the unit instead of a null entry.
    while (offset < this.unit.header.end) {
      const child = this.unit.dieAt(offset);
      if (child === undefined) {
        return;
      }
      yield child;
      offset = child.nextSibling();
    }
  }

  private afterAttributes(): number {
    const reader = this.unit.reader(this.attributesOffset);
    skipAttributes(reader, this.abbreviation, this.unit);
    return reader.offset;
  }

  private nextSibling(): number {
    if (!this.abbreviation.hasChildren) {
      return this.afterAttributes();
    }
    if (this.abbreviation.hasSibling) {
      const value = this.value(DW_AT.sibling);
      const sibling = value?.kind === 'unitReference' ? this.unit.header.offset + value.offset : this.offset;
      if (sibling <= this.offset) {
        throw this.unit.reader(this.offset).error('DW_AT_sibling does not point forward');
      }
      return sibling;
    }
    return this.afterSubtree();
  }

  private afterSubtree(): number {
    const reader = this.unit.reader(this.afterAttributes());
    for (let depth = 1; depth > 0 && !reader.atEnd;) {
      const start = reader.offset;
      const code = reader.uleb();
      if (code === 0) {
        depth--;
        continue;
      }
      const abbreviation = this.unit.abbreviations.get(code);
      if (abbreviation === undefined) {
        throw reader.error(`abbreviation ${code} is not in the table of its unit`, start);
      }
      skipAttributes(reader, abbreviation, this.unit);
      depth += abbreviation.hasChildren ? 1 : 0;
    }
    return reader.offset;
  }

  private wrongClass(attribute: number, value: FormValue): Error {
    const name = dwarfName('DW_AT', DW_AT, attribute);
    return this.unit.reader(this.offset).error(`${name} of ${this.toString()} is of class ${value.kind}`);
  }
}

function skipAttributes(reader: ByteReader, abbreviation: Abbreviation, unit: Unit): void {
  if (abbreviation.attributesSize !== undefined) {
    reader.skip(abbreviation.attributesSize);
    return;
  }
  for (const specification of abbreviation.attributes) {
    skipForm(reader, specification, unit.header);
  }
}
