/** Notices code that changed after it was shown: VS Code keeps a disassembly for as long as its reference stays. */
import type { World } from '../../emulator/machine/machineTypes.js';
import type { CodeSpace } from './codeSpace.js';
import type { InstructionRow } from './instructionReader.js';

interface ShownRange {
  readonly address: bigint;
  readonly bytes: Uint8Array;
}

/** A number for each world that grows when code that was shown is not what memory holds any more. */
export class CodeGenerations {
  private readonly worlds: Record<World, { generation: number; shown: Map<bigint, ShownRange> }> = {
    root: { generation: 0, shown: new Map() },
    guest: { generation: 0, shown: new Map() },
  };

  /** Remembers what a disassembly showed. */
  note(space: CodeSpace, rows: readonly InstructionRow[]): void {
    const { shown } = this.worlds[space.world];
    let run: InstructionRow[] = [];
    const keep = (): void => {
      if (run.length > 0) shown.set(run[0].address, { address: run[0].address, bytes: joined(run) });
      run = [];
    };
    for (const row of rows) {
      if (row.bytes.length === 0) keep();
      else run.push(row);
    }
    keep();
  }

  /** To be asked at each stop; references to code of this world carry the answer. */
  current(space: CodeSpace): number {
    const world = this.worlds[space.world];
    const isStale = [...world.shown.values()].some(({ address, bytes }) => !holds(space, address, bytes));
    if (isStale) {
      world.generation++;
      world.shown.clear();
    }
    return world.generation;
  }
}

function joined(rows: readonly InstructionRow[]): Uint8Array {
  return Uint8Array.from(rows.flatMap(({ bytes }) => [...bytes]));
}

function holds(space: CodeSpace, address: bigint, bytes: Uint8Array): boolean {
  const now = space.read(address, bytes.length);
  // Memory that is not mapped at the moment has not changed.
  return now.every((byte, index) => byte === bytes[index]);
}
