import { baseName, normalizePath } from '../dwarf/paths.js';
import type { Unit } from '../dwarf/unit.js';
import type { LineRow } from './debugInfo.js';
import { compareBigints } from './search.js';
import type { Units } from './units.js';

/** The line table of the whole file: from addresses to lines, and from lines to the addresses where they start. */
export class LineTable {
  private readonly unitsOfFile = new Map<string, Unit[]>();
  private readonly filesOfBaseName = new Map<string, string[]>();
  /** The starts of each line of a file that was asked for, by ascending line. */
  private readonly starts = new Map<string, ReadonlyMap<number, bigint[]>>();
  private indexed = false;

  constructor(private readonly units: Units) {}

  get sourceFiles(): readonly string[] {
    this.index();
    return [...this.unitsOfFile.keys()];
  }

  rowAt(address: bigint): LineRow | undefined {
    for (const unit of this.units.at(address)) {
      const row = this.units.lines(unit).rowAt(address);
      if (row !== undefined) {
        return row;
      }
    }
    return undefined;
  }

  /** The lines of a file that have code, ascending. */
  linesOf(file: string): number[] {
    return [...this.startsIn(file).keys()];
  }

  /** The nearest line from `line` on that has code, and where its statements start, ascending. */
  addressesOf(file: string, line: number): { line: number; addresses: bigint[] } | undefined {
    const starts = this.startsIn(file);
    const nearest = this.linesOf(file).find((candidate) => candidate >= line);
    return nearest === undefined ? undefined : { line: nearest, addresses: starts.get(nearest)! };
  }

  private startsIn(file: string): ReadonlyMap<number, bigint[]> {
    const path = this.resolve(file);
    let starts = this.starts.get(path);
    if (starts === undefined) {
      starts = this.collectStarts(path);
      this.starts.set(path, starts);
    }
    return starts;
  }

  /** The file under the name it has in the debug information: the same path, or else the only one of that base name. */
  private resolve(file: string): string {
    this.index();
    const path = normalizePath(file);
    if (this.unitsOfFile.has(path)) {
      return path;
    }
    const candidates = this.filesOfBaseName.get(baseName(path)) ?? [];
    return candidates.length === 1 ? candidates[0] : path;
  }

  private collectStarts(path: string): Map<number, bigint[]> {
    const byLine = new Map<number, Set<bigint>>();
    for (const unit of this.unitsOfFile.get(path) ?? []) {
      for (const rows of this.units.lines(unit).readSequences()) {
        for (const row of statementStarts(rows, path)) {
          const addresses = byLine.get(row.line) ?? new Set();
          byLine.set(row.line, addresses.add(row.address));
        }
      }
    }
    const sorted = [...byLine].sort(([a], [b]) => a - b);
    return new Map(sorted.map(([line, addresses]) => [line, [...addresses].sort(compareBigints)]));
  }

  private index(): void {
    if (this.indexed) {
      return;
    }
    this.indexed = true;
    for (const unit of this.units.compileUnits) {
      for (const file of new Set(this.units.lines(unit).files)) {
        const units = this.unitsOfFile.get(file);
        if (units !== undefined) {
          units.push(unit);
          continue;
        }
        this.unitsOfFile.set(file, [unit]);
        const name = baseName(file);
        this.filesOfBaseName.set(name, [...(this.filesOfBaseName.get(name) ?? []), file]);
      }
    }
  }
}

/** The rows where a run of rows of one line of `path` first is a statement. Line 0 is code of no line at all. */
function* statementStarts(rows: readonly LineRow[], path: string): Generator<LineRow> {
  let run: { readonly line: number; started: boolean } | undefined;
  for (const row of rows) {
    if (row.file !== path || row.line === 0) {
      run = undefined;
      continue;
    }
    if (run?.line !== row.line) {
      run = { line: row.line, started: false };
    }
    if (row.isStatement && !run.started) {
      run.started = true;
      yield row;
    }
  }
}
