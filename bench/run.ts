/**
 * Compares Hyperstep with other emulators on the same guest programs.
 *
 *   npm run bench -- [--rows alu,big] [--runs 3] [--seconds 0.8] [--warm-up 1] [--peers qemu,bochs] [--bochs PATH] [--output FOLDER]
 */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { buildRow } from './build.js';
import type { BootProgram } from './build.js';
import { measure } from './measure.js';
import { bochs } from './peers/bochs.js';
import { hyperstep } from './peers/hyperstep.js';
import type { Peer } from './peers/peer.js';
import { qemu } from './peers/qemu.js';
import { v86 } from './peers/v86.js';
import { plot } from './plot.js';
import type { Cell, PeerResult, Results, RowResult } from './results.js';
import type { GuestWidth, Row } from './rows.js';
import { rows } from './rows.js';
import { formatTable } from './table.js';

/** Seconds without a line after which a peer has failed. */
const PATIENCE = 20;

const { values: options } = parseArgs({
  options: {
    rows: { type: 'string' },
    peers: { type: 'string' },
    runs: { type: 'string', default: '3' },
    seconds: { type: 'string', default: '0.8' },
    'warm-up': { type: 'string', default: '1' },
    bochs: { type: 'string' },
    output: { type: 'string', default: 'bench/results' },
  },
});

/** The named ones of `all`; throws when there is no such name. */
function select<T extends { readonly name: string }>(
  all: readonly T[],
  names: string | undefined,
): readonly T[] {
  if (names === undefined) return all;
  return names.split(',').map((name) => {
    const found = all.find((one) => one.name === name);
    if (!found) throw new Error(`there is no '${name}': ${all.map((one) => one.name).join(', ')}`);
    return found;
  });
}

/** Lines that two runs of a program both printed must be the same. */
function disagreement(a: readonly string[], b: readonly string[]): string | undefined {
  const at = a.slice(0, b.length).findIndex((line, i) => line !== b[i]);
  return at < 0 ? undefined : `round ${at}: ${b[at]}, Hyperstep has ${a[at]}`;
}

class RowRun {
  private readonly programs = new Map<GuestWidth, BootProgram>();
  private readonly expected = new Map<GuestWidth, readonly string[]>();
  private readonly figures = new Map<string, { runs: number[]; absent?: string }>();
  private instructionsARound = 0;

  constructor(
    private readonly row: Row,
    private readonly folder: string,
  ) {
    for (const width of row.widths) this.programs.set(width, buildRow(row, width, folder));
  }

  /** One figure of one peer. */
  async run(peer: Peer): Promise<void> {
    const program = this.programs.get(peer.width);
    const figures = this.figures.get(peer.name) ?? { runs: [] };
    this.figures.set(peer.name, figures);
    figures.absent ??= program ? peer.cannotRun(this.row) : `no ${peer.width}-bit build`;
    if (!program || figures.absent !== undefined) return;
    try {
      const invocation = peer.invocation(program, this.folder);
      const measured = await measure(invocation, {
        warmUp: Number(options['warm-up']),
        seconds: Number(options.seconds),
        patience: PATIENCE,
      });
      const expected = this.expected.get(peer.width) ?? measured.lines;
      this.expected.set(peer.width, expected);
      const difference = disagreement(expected, measured.lines);
      if (difference !== undefined) {
        process.exitCode = 1;
        throw new Error(`the results differ in ${difference}`);
      }
      if (peer.name === 'hyperstep') this.instructionsARound = measured.instructionsARound ?? 0;
      figures.runs.push(measured.secondsARound);
    } catch (error) {
      // The first line says why; the rest is for whoever watches.
      figures.absent = (error as Error).message.split('\n')[0];
      // A peer's failure is a finding, one of ours an error.
      if (peer.title === 'Hyperstep') process.exitCode = 1;
      console.error(`${this.row.name}, ${peer.title}: ${(error as Error).message}`);
    }
  }

  get result(): RowResult {
    const { name, title, work } = this.row;
    const cells: Record<string, Cell> = Object.fromEntries(this.figures);
    return { name, title, work, instructionsARound: this.instructionsARound, cells };
  }
}

/** The peers that are there, with their versions. */
function preparePeers(peers: readonly Peer[]): { peer: Peer; result: PeerResult }[] {
  return peers.flatMap((peer) => {
    const ready = peer.prepare();
    if ('missing' in ready) {
      console.error(`${peer.title}: ${ready.missing}`);
      return [];
    }
    const against = peer.width === 64 ? 'hyperstep' : 'hyperstep-32';
    return [{ peer, result: { name: peer.name, title: peer.title, against, version: ready.version } }];
  });
}

async function main(): Promise<void> {
  const bochsPeer = bochs({
    command: options.bochs ?? 'bochs',
    title: options.bochs === undefined ? 'Bochs (Debian)' : 'Bochs',
    install: options.bochs === undefined,
  });
  const ready = preparePeers(select([qemu(false), qemu(true), bochsPeer, v86], options.peers));
  const widths = [64, 32] as const;
  // Hyperstep's run of a width stands before the peers that are compared with it.
  const order = widths.flatMap((width) => {
    const others = ready.map(({ peer }) => peer).filter((peer) => peer.width === width);
    return others.length > 0 || width === 64 ? [hyperstep(width), ...others] : [];
  });
  const folder = mkdtempSync(join(tmpdir(), 'hyperstep-bench-'));
  const results: RowResult[] = [];
  let table = '';
  try {
    for (const row of select(rows, options.rows)) {
      const run = new RowRun(row, folder);
      for (let count = 0; count < Number(options.runs); count++) {
        for (const peer of order) await run.run(peer);
      }
      results.push(run.result);
      console.error(`${row.name} done`);
      // What was measured is kept when the rest is interrupted.
      table = write(
        ready.map(({ result }) => result),
        results,
      );
    }
  } finally {
    rmSync(folder, { recursive: true });
  }
  console.log(table);
}

/** Writes results.json, results.md and results.svg; answers the table. */
function write(peers: readonly PeerResult[], rowResults: readonly RowResult[]): string {
  const results: Results = {
    date: new Date().toISOString(),
    processor: cpus()[0].model,
    peers,
    rows: rowResults,
  };
  const table = formatTable(results, options.bochs !== undefined);
  mkdirSync(options.output, { recursive: true });
  writeFileSync(join(options.output, 'results.json'), `${JSON.stringify(results, undefined, 2)}\n`);
  writeFileSync(join(options.output, 'results.svg'), plot(results));
  writeFileSync(join(options.output, 'results.md'), `${table}\n`);
  return table;
}

await main();
