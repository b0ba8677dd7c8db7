/** Runs a region, takes back what it did, lets the interpreter do the same, and compares. */
import { readRflags } from '../flags.js';
import { field } from '../interpreter/record.js';
import { layout, region, STATE_SIZE, stateFields } from '../layout.js';
import type { LinearMemory, ProcessorState } from '../state.js';
import { createProcessorState } from '../state.js';
import { Journal } from './journal.js';
import { BUDGET_MARGIN, DYNAMIC_KIND, regionRecord, site } from './regionLayout.js';

/** The two back ends disagree: a region did something else than the interpreter. */
export class CompilerMismatch extends Error {
  constructor(where: string, differences: readonly string[]) {
    super(`the compiled region ${where} is wrong: ${differences.join('; ')}`);
    this.name = 'CompilerMismatch';
  }
}

/** Instructions of one run of code that notes its writes: they fit into the journal. */
export const LONGEST_CHECK = 1500;

/** Not state of the program: how it is executed. Lazy flags are compared as RFLAGS. */
const NOT_COMPARED = new Set<string>([
  ...(['budget', 'reserve', 'exitCode', 'exitRecord', 'accessInfo', 'accessAddress', 'journalEnd'] as const),
  ...(['flagsKind', 'flagsResult', 'flagsA', 'flagsB', 'flagsCarry'] as const),
]);

/** Runs the interpreter alone for so many instructions from a record; answers why it failed, or undefined. */
export type Interpret = (record: number, instructions: number) => string | undefined;

export class RegionCheck {
  private readonly state: ProcessorState;
  private readonly journal: Journal;

  constructor(
    private readonly memory: LinearMemory,
    private readonly regions: WebAssembly.Table,
    private readonly interpret: Interpret,
  ) {
    this.state = createProcessorState(memory);
    this.journal = new Journal(memory);
  }

  /** What the interpreter writes while nothing is checked is noted too. */
  forgetWrites(): void {
    this.journal.begin();
  }

  /**
   * Runs the region at a record, at which RIP is, for at most `left` instructions, then the interpreter instead of it.
   * Answers how many instructions were retired; 0: the interpreter goes on at the plain record.
   */
  run(record: number, left: number): number {
    if (left < BUDGET_MARGIN) return 0;
    const { memory, journal } = this;
    const { u8, u32 } = memory;
    const plain = u32[(record + regionRecord.plain) >> 2];
    const rip = this.state.rip;
    const before = u8.slice(region.state, region.state + STATE_SIZE);

    journal.begin();
    const retired = this.runRegion(record, Math.min(left, LONGEST_CHECK));
    const compiled = this.fields();
    const written = journal.bytes();
    journal.undo();
    u8.set(before, region.state);
    if (retired === 0) return 0;

    journal.begin();
    const failure = this.interpret(plain, retired);
    const differences = failure === undefined ? this.compare(compiled, written) : [failure];
    if (differences.length > 0) {
      throw new CompilerMismatch(`entered at ${hex(rip)} (${retired} instructions)`, differences);
    }
    return retired;
  }

  /** What the dispatcher does with one region. */
  private runRegion(record: number, budget: number): number {
    const { i32, u16, u32, u64 } = this.memory;
    const pageRip = u64[layout.rip >> 3] - BigInt(u16[(record + field.start) >> 1]);
    i32[layout.budget >> 2] = budget;
    const body = this.regions.get(u32[(record + regionRecord.function) >> 2]) as (entry: number) => number;
    const left = body(u32[(record + regionRecord.entry) >> 2]);
    if (left !== 0) {
      const at = u32[(left + site.record) >> 2];
      u64[layout.rip >> 3] = pageRip + BigInt(u16[(at + field.start) >> 1]);
      i32[layout.budget >> 2] += u16[(left + site.left) >> 1];
      const kind = u16[(left + site.kind) >> 1];
      if (kind !== DYNAMIC_KIND) u32[layout.flagsKind >> 2] = kind;
    }
    return budget - i32[layout.budget >> 2];
  }

  private fields(): Map<string, bigint> {
    const { state } = this;
    const fields = new Map<string, bigint>();
    for (const { name } of stateFields) if (!NOT_COMPARED.has(name)) fields.set(name, BigInt(state[name]));
    fields.set('rflags', readRflags(state));
    return fields;
  }

  private compare(
    compiled: ReadonlyMap<string, bigint>,
    written: ReadonlyMap<number, { readonly now: number }>,
  ): string[] {
    const found: string[] = [];
    const interpreted = this.fields();
    for (const [name, value] of compiled) {
      const other = interpreted.get(name) ?? 0n;
      if (value !== other) found.push(`${name} is ${hex(value)}, interpreted ${hex(other)}`);
    }
    const { u8 } = this.memory;
    const memoryDiffers = (place: number, value: number, other: number) => {
      if (value === other) return;
      const at = hex(BigInt(place - region.ram));
      found.push(`the byte at physical ${at} is ${hex(BigInt(value))}, interpreted ${hex(BigInt(other))}`);
    };
    for (const [place, { now }] of written) memoryDiffers(place, now, u8[place]);
    for (const [place, { now, before }] of this.journal.bytes()) {
      if (!written.has(place)) memoryDiffers(place, before, now);
    }
    return found.slice(0, 8);
  }
}

const hex = (value: bigint) => `0x${value.toString(16)}`;
