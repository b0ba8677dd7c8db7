import { DW_AT, DW_LANG, DW_TAG } from '../dwarf/constants.js';
import type { Die } from '../dwarf/die.js';
import { hasLocationList } from '../dwarf/locationLists.js';
import type { Unit } from '../dwarf/unit.js';
import type { FunctionInfo, LineRow, SourceLocation } from './debugInfo.js';
import { RangeMap } from './search.js';
import type { PlacedSymbol, SymbolTable } from './symbolTable.js';
import { summarize } from './unitSummary.js';
import type { FunctionEntry, UnitSummary } from './unitSummary.js';
import type { Units } from './units.js';

/** A function of the debug information, with its entry. */
interface KnownFunction {
  readonly info: FunctionInfo;
  readonly die: Die;
}

interface UnitFunctions {
  readonly all: readonly KnownFunction[];
  readonly byAddress: RangeMap<KnownFunction>;
}

/** The functions of a file: those of the debug information, and symbols where there is none. */
export class Functions {
  private readonly summaries = new Map<Unit, UnitSummary>();
  private readonly unitFunctions = new Map<Unit, UnitFunctions>();
  private everything: readonly FunctionInfo[] | undefined;

  constructor(
    private readonly units: Units,
    private readonly symbols: SymbolTable,
  ) {}

  summary(unit: Unit): UnitSummary {
    let summary = this.summaries.get(unit);
    if (summary === undefined) {
      summary = summarize(unit, this.units.isCode);
      this.summaries.set(unit, summary);
    }
    return summary;
  }

  at(address: bigint): FunctionInfo | undefined {
    const known = this.knownAt(address);
    if (known !== undefined) {
      return known.info;
    }
    const symbol = this.symbols.at(address);
    return symbol?.kind === 'code' ? this.functionOfSymbol(symbol) : undefined;
  }

  /** The entry of the function at an address. */
  dieAt(address: bigint): Die | undefined {
    return this.knownAt(address)?.die;
  }

  named(name: string): FunctionInfo[] {
    const found = this.unitsToSearch(name)
      .flatMap((unit) => this.functionsOf(unit).all)
      .map(({ info }) => info)
      .filter((info) => info.name === name);
    if (found.length > 0) {
      return found;
    }
    return this.symbols
      .allNamed(name)
      .filter(({ kind }) => kind === 'code')
      .map((symbol) => this.functionOfSymbol(symbol));
  }

  /** Ascending within each unit; then those that only the symbol table knows: sized, or global as assembly has them. */
  all(): readonly FunctionInfo[] {
    if (this.everything === undefined) {
      const known = this.units.compileUnits.flatMap((unit) =>
        this.functionsOf(unit).all.map(({ info }) => info),
      );
      const covered = new Set(known.flatMap(({ ranges }) => ranges.map(({ low }) => low)));
      const others = this.symbols.sorted.filter(
        ({ kind, address, size, isGlobal }) =>
          kind === 'code' && (size > 0n || isGlobal) && !covered.has(address),
      );
      this.everything = [...known, ...others.map((symbol) => this.functionOfSymbol(symbol))];
    }
    return this.everything;
  }

  /** Symbols tell which units of a large file can have the function; without symbols every unit is searched. */
  private unitsToSearch(name: string): readonly Unit[] {
    if (this.symbols.sorted.length === 0) {
      return this.units.compileUnits;
    }
    const symbols = [...this.symbols.allNamed(name), ...this.symbols.withPrefix(`${name}.`)];
    return [...new Set(symbols.flatMap(({ address }) => this.units.at(address)))];
  }

  private knownAt(address: bigint): KnownFunction | undefined {
    for (const unit of this.units.at(address)) {
      const [found] = this.functionsOf(unit).byAddress.at(address);
      if (found !== undefined) {
        return found;
      }
    }
    return undefined;
  }

  private functionsOf(unit: Unit): UnitFunctions {
    let functions = this.unitFunctions.get(unit);
    if (functions === undefined) {
      const all = this.summary(unit).functions.map((entry) => ({
        info: this.describe(entry),
        die: entry.die,
      }));
      const byAddress = new RangeMap(
        all.flatMap((value) => value.info.ranges.map(({ low, high }) => ({ low, high, value }))),
      );
      functions = { all, byAddress };
      this.unitFunctions.set(unit, functions);
    }
    return functions;
  }

  /** A symbol says nothing about the source, but its line table may. */
  private functionOfSymbol({ name, address, end }: PlacedSymbol): FunctionInfo {
    const lineAt = (): SourceLocation | undefined => this.lineAt(address);
    return {
      name,
      low: address,
      high: end,
      ranges: [{ low: address, high: end }],
      get location() {
        return lineAt();
      },
      bodyStart: address,
    };
  }

  private lineAt(address: bigint): SourceLocation | undefined {
    const [row] = this.units.at(address).flatMap((unit) => this.units.lines(unit).rowAt(address) ?? []);
    return row && { file: row.file, line: row.line, column: row.column };
  }

  private describe({ name, die, ranges }: FunctionEntry): FunctionInfo {
    const { units } = this;
    const [main] = ranges;
    let bodyStart: bigint | undefined;
    return {
      name,
      low: main.low,
      high: main.high,
      ranges,
      location: declarationOf(die, units) ?? this.lineAt(main.low),
      get bodyStart() {
        bodyStart ??= findBodyStart(die, main.low, main.high, units);
        return bodyStart;
      },
    };
  }
}

/** Where an entry, or the one it completes, is declared. */
export function declarationOf(die: Die, units: Units): SourceLocation | undefined {
  const declared = die.withAttribute(DW_AT.decl_line);
  const file =
    declared && units.lines(declared.unit).file(die.withAttribute(DW_AT.decl_file)?.number(DW_AT.decl_file));
  if (declared === undefined || file === undefined) {
    return undefined;
  }
  return { file, line: declared.number(DW_AT.decl_line)!, column: declared.number(DW_AT.decl_column) ?? 0 };
}

/**
 * The end of the prologue: the row that the compiler marks so, or else the second row of the function, since compilers
 * give the prologue the line of the opening brace. Assembly has no prologue, and variables that have a location list are
 * valid from the first instruction on, so optimized code starts at its entry.
 */
function findBodyStart(die: Die, low: bigint, high: bigint, units: Units): bigint {
  const rows = rowsFrom(die.unit, low, high, units);
  const marked = rows.find((row) => row.prologueEnd);
  if (marked !== undefined) {
    return marked.address;
  }
  if (die.unit.root?.number(DW_AT.language) === DW_LANG.Mips_Assembler || isOptimized(die)) {
    return low;
  }
  return rows.find((row, index) => index > 0 && row.isStatement && row.address > low)?.address ?? low;
}

function rowsFrom(unit: Unit, low: bigint, high: bigint, units: Units): LineRow[] {
  for (const rows of units.lines(unit).sequences) {
    if (rows[0].address <= low && low < rows.at(-1)!.endAddress) {
      return rows.filter(({ address }) => address >= low && address < high);
    }
  }
  return [];
}

function isOptimized(die: Die): boolean {
  const variables = die.childrenTagged(DW_TAG.formal_parameter, DW_TAG.variable);
  return variables.some((variable) => hasLocationList(variable, DW_AT.location));
}
