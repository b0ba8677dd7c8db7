import { DW_TAG } from '../dwarf/constants.js';
import type { Die } from '../dwarf/die.js';
import type { Unit } from '../dwarf/unit.js';
import { canonicalTypeName } from './cTypeNames.js';
import { summarize } from './unitSummary.js';

/**
 * Global variables, types and enumerations of all units by name. Units are gone through only as far as it takes to find a
 * name: types are repeated in every unit that uses them, so most names are found early even in a very large file.
 */
export class GlobalIndex {
  private readonly variables = new Map<string, Die[]>();
  private readonly types = new Map<string, Die>();
  private readonly enumerators = new Map<string, { enumeration: Die; enumerator: Die }>();
  private nextUnit = 0;

  constructor(
    private readonly units: readonly Unit[],
    private readonly isCode: (address: bigint) => boolean,
  ) {}

  /** All variables of that name; those of one unit are found first. */
  variablesNamed(name: string): readonly Die[] {
    return this.search(() => this.variables.get(name)) ?? [];
  }

  /** The definition of a type: `struct list_head`, `u64`, `unsigned long` in any spelling. */
  type(key: string): Die | undefined {
    const canonical = canonicalTypeName(key);
    return this.search(() => this.types.get(canonical));
  }

  enumerator(name: string): { enumeration: Die; enumerator: Die } | undefined {
    return this.search(() => this.enumerators.get(name));
  }

  allVariables(): Die[] {
    this.search(() => undefined);
    return [...this.variables.values()].flat();
  }

  /** What `find` gives, going on unit by unit until it gives something. */
  private search<T>(find: () => T | undefined): T | undefined {
    for (;;) {
      const found = find();
      if (found !== undefined || this.nextUnit === this.units.length) {
        return found;
      }
      this.add(this.units[this.nextUnit++]);
    }
  }

  private add(unit: Unit): void {
    const summary = summarize(unit, this.isCode);
    for (const [name, die] of summary.variables) {
      this.variables.set(name, [...(this.variables.get(name) ?? []), die]);
    }
    for (const [key, die] of summary.types) {
      const canonical = canonicalTypeName(key);
      if (!this.types.has(canonical)) {
        this.types.set(canonical, die);
      }
    }
    for (const enumeration of summary.enumerations) {
      for (const enumerator of enumeration.childrenTagged(DW_TAG.enumerator)) {
        const name = enumerator.name;
        if (name !== undefined && !this.enumerators.has(name)) {
          this.enumerators.set(name, { enumeration, enumerator });
        }
      }
    }
  }
}
