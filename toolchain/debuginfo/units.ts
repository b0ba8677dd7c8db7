import { DW_TAG } from '../dwarf/constants.js';
import type { DwarfFile } from '../dwarf/dwarfFile.js';
import { rangesOf } from '../dwarf/ranges.js';
import type { AddressRange } from '../dwarf/ranges.js';
import type { Unit } from '../dwarf/unit.js';
import { RangeMap } from './search.js';
import { UnitLines } from './unitLines.js';

/** The compilation units of a file, found by address, each with its line table. */
export class Units {
  /** Units with code of their own: partial and type units only lend entries to them. */
  readonly compileUnits: readonly Unit[];
  private readonly byAddress: RangeMap<Unit>;
  private readonly lineTables = new Map<Unit, UnitLines>();

  constructor(
    dwarf: DwarfFile,
    readonly isCode: (address: bigint) => boolean,
  ) {
    this.compileUnits = dwarf.units.filter(
      ({ root }) => root?.tag === DW_TAG.compile_unit || root?.tag === DW_TAG.skeleton_unit,
    );
    this.byAddress = new RangeMap(
      this.compileUnits.flatMap((unit) =>
        this.codeOf(unit).map(({ low, high }) => ({ low, high, value: unit })),
      ),
    );
  }

  /** The units that say they have code at the address: one, in all but odd files. */
  at(address: bigint): Unit[] {
    return this.byAddress.at(address);
  }

  lines(unit: Unit): UnitLines {
    let lines = this.lineTables.get(unit);
    if (lines === undefined) {
      lines = new UnitLines(unit, this.isCode);
      this.lineTables.set(unit, lines);
    }
    return lines;
  }

  /** Some assemblers write no ranges in the unit's entry; its line table then says where its code is. */
  private codeOf(unit: Unit): AddressRange[] {
    const ranges = rangesOf(unit.root!).filter(({ low }) => this.isCode(low));
    if (ranges.length > 0) {
      return ranges;
    }
    return this.lines(unit).sequences.map((rows) => ({
      low: rows[0].address,
      high: rows.at(-1)!.endAddress,
    }));
  }
}
