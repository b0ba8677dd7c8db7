import type { ElfFile } from '../elf/elfFile.js';
import { readAbbreviations } from './abbreviations.js';
import type { AbbreviationTable } from './abbreviations.js';
import type { Die } from './die.js';
import { DwarfSections } from './sections.js';
import type { DwarfFormat } from './sections.js';
import { Unit, readUnitHeaders } from './unit.js';

/** The DWARF of one ELF file: its units, and references between them. Only unit headers are read up front. */
export class DwarfFile {
  readonly sections: DwarfSections;
  /** The units of .debug_info in file order: compilation, partial and type units. */
  readonly units: readonly Unit[];
  /** The units of .debug_types, where version 4 has its type units. */
  readonly unitsOfTypes: readonly Unit[];
  private readonly typeUnits = new Map<bigint, Unit>();
  private readonly abbreviationTables = new Map<string, AbbreviationTable>();

  constructor(elf: ElfFile) {
    this.sections = new DwarfSections(elf);
    this.units = this.unitsOf('.debug_info');
    this.unitsOfTypes = this.unitsOf('.debug_types');
    for (const unit of [...this.units, ...this.unitsOfTypes]) {
      if (unit.header.typeUnit !== undefined) {
        this.typeUnits.set(unit.header.typeUnit.signature, unit);
      }
    }
  }

  /** The entry at an offset of .debug_info. */
  dieAt(offset: number): Die | undefined {
    return this.unitAt(offset)?.dieAt(offset);
  }

  /** The type that DW_FORM_ref_sig8 refers to. */
  typeWithSignature(signature: bigint): Die | undefined {
    const unit = this.typeUnits.get(signature);
    return unit?.dieAt(unit.header.offset + unit.header.typeUnit!.typeOffset);
  }

  abbreviations(offset: number, format: DwarfFormat): AbbreviationTable {
    const key = `${offset} ${format.version === 2} ${format.offsetSize} ${format.addressSize}`;
    let table = this.abbreviationTables.get(key);
    if (table === undefined) {
      table = readAbbreviations(this.sections, offset, format);
      this.abbreviationTables.set(key, table);
    }
    return table;
  }

  private unitsOf(section: '.debug_info' | '.debug_types'): Unit[] {
    return readUnitHeaders(this.sections.reader(section), section).map((header) => new Unit(this, header));
  }

  private unitAt(offset: number): Unit | undefined {
    let low = 0;
    let high = this.units.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.units[middle].header.end <= offset) {
        low = middle + 1;
      } else {
        high = middle;
      }
    }
    const unit = this.units[low];
    return unit !== undefined && offset >= unit.header.rootOffset ? unit : undefined;
  }
}
