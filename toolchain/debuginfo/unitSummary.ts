import { DW_AT, DW_TAG } from '../dwarf/constants.js';
import type { Die } from '../dwarf/die.js';
import { rangesOf } from '../dwarf/ranges.js';
import type { AddressRange } from '../dwarf/ranges.js';
import type { Unit } from '../dwarf/unit.js';

export interface FunctionEntry {
  readonly name: string;
  readonly die: Die;
  readonly ranges: readonly AddressRange[];
}

/** What a unit has at its top level, by name. */
export interface UnitSummary {
  readonly functions: readonly FunctionEntry[];
  readonly variables: ReadonlyMap<string, Die>;
  /** Complete types by the key that C names them with: `struct list_head`, `enum color`, `u64`, `long unsigned int`. */
  readonly types: ReadonlyMap<string, Die>;
  /** The values of enumerators live in the unit's scope, as names do in C. */
  readonly enumerations: readonly Die[];
}

/** The word that C writes before the name of such a type; '' for names that stand alone. */
export const TYPE_KEYWORDS: Readonly<Record<number, string>> = {
  [DW_TAG.structure_type]: 'struct ',
  [DW_TAG.class_type]: 'struct ',
  [DW_TAG.union_type]: 'union ',
  [DW_TAG.enumeration_type]: 'enum ',
  [DW_TAG.typedef]: '',
  [DW_TAG.base_type]: '',
};

/** One pass over the top level of a unit; `isCode` drops functions that the linker left out. */
export function summarize(unit: Unit, isCode: (address: bigint) => boolean): UnitSummary {
  const functions: FunctionEntry[] = [];
  const variables = new Map<string, Die>();
  const types = new Map<string, Die>();
  const enumerations: Die[] = [];
  const visit = (parent: Die): void => {
    for (const die of parent.eachChild()) {
      if (die.tag === DW_TAG.subprogram) {
        addFunction(functions, die, isCode);
      } else if (die.tag === DW_TAG.variable) {
        addVariable(variables, die);
      } else if (die.tag === DW_TAG.namespace) {
        visit(die);
      } else if (die.tag in TYPE_KEYWORDS && !die.flag(DW_AT.declaration)) {
        const name = die.string(DW_AT.name);
        if (name !== undefined) {
          types.set(TYPE_KEYWORDS[die.tag] + name, die);
        }
        if (die.tag === DW_TAG.enumeration_type) {
          enumerations.push(die);
        }
      }
    }
  };
  if (unit.root !== undefined) {
    visit(unit.root);
  }
  return { functions, variables, types, enumerations };
}

function addFunction(functions: FunctionEntry[], die: Die, isCode: (address: bigint) => boolean): void {
  if (!die.has(DW_AT.low_pc) && !die.has(DW_AT.ranges)) {
    return;
  }
  const ranges = rangesOf(die).filter(({ low }) => isCode(low));
  const name = die.name;
  if (ranges.length > 0 && name !== undefined) {
    functions.push({ name, die, ranges });
  }
}

/** A variable with a place or a value; a mere declaration (`extern int x;`) has neither. */
function addVariable(variables: Map<string, Die>, die: Die): void {
  if (!die.has(DW_AT.location) && !die.has(DW_AT.const_value)) {
    return;
  }
  const name = die.name;
  if (name !== undefined) {
    variables.set(name, die);
  }
}
