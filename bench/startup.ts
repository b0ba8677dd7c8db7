/**
 * What a user of the debugger waits for: the first stop, Pause, the adapter's memory, and the speed of the run loop with
 * breakpoints, a watched page and an open Registers view. Drives dist/debugAdapter.cjs through DAP.
 *
 *   npm run bench:startup
 */
import type { ChildProcess } from 'node:child_process';
import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { DebugClient } from '@vscode/debugadapter-testsupport';
import type { DebugProtocol } from '@vscode/debugprotocol';
import type { HyperstepEvents } from '../debug-adapter/protocol.js';
import { buildGuestElf } from './build.js';
import { median } from './results.js';
import { rows } from './rows.js';

const root = fileURLToPath(new URL('..', import.meta.url));
const adapter = join(root, 'dist/debugAdapter.cjs');
const port = 40_000 + (process.pid % 10_000);

const MEBIBYTE = 2 ** 20;
const FIRST_STOPS = 9;
const PAUSES = 15;
const SPEED_ROUNDS = 5;
/** How long each speed is taken, after a second in which the code gets hot. */
const SPEED_MS = 1500;
const WARM_UP_MS = 1000;
const REGISTERS_EVERY_MS = 100;
/** Guest memory, as "memory" of a launch says it, and the host's beside it (debug-adapter/launch). */
const GUEST_MEMORY = 64 * MEBIBYTE;
const HOST_MEMORY = 32 * MEBIBYTE;

interface Launch {
  readonly program: string;
  readonly stopOnEntry?: boolean;
}

async function connect(): Promise<DebugClient> {
  const client = new DebugClient('node', adapter, 'hyperstep');
  await client.start(port);
  await client.initializeRequest();
  return client;
}

/** Launches, and lets it run once `configure` has set its breakpoints. */
async function launch(client: DebugClient, args: Launch, configure?: () => Promise<void>): Promise<void> {
  const initialized = client.waitForEvent('initialized', 10_000);
  const launched = client.launchRequest(args as DebugProtocol.LaunchRequestArguments);
  await initialized;
  await configure?.();
  await client.configurationDoneRequest();
  await launched;
}

async function disconnect(client: DebugClient): Promise<void> {
  await client.disconnectRequest();
  await client.stop();
}

/** Milliseconds from the launch request to the first stop; the first figure is of a cold process. */
async function firstStops(): Promise<number[]> {
  const figures: number[] = [];
  for (let i = 0; i <= FIRST_STOPS; i++) {
    const client = await connect();
    const stopped = client.waitForEvent('stopped', 20_000);
    const start = performance.now();
    await launch(client, { program: join(root, 'examples/hello/hello.S'), stopOnEntry: true });
    await stopped;
    figures.push(performance.now() - start);
    await disconnect(client);
  }
  return figures;
}

/** Milliseconds from a pause request to the stop, in a guest that computes. */
async function pauses(program: string): Promise<number[]> {
  const client = await connect();
  await launch(client, { program });
  const figures: number[] = [];
  for (let i = 0; i < PAUSES; i++) {
    await wait(150 + i * 7);
    const stopped = client.waitForEvent('stopped', 5000);
    const start = performance.now();
    await client.pauseRequest({ threadId: 1 });
    await stopped;
    figures.push(performance.now() - start);
    await client.continueRequest({ threadId: 1 });
  }
  await disconnect(client);
  return figures;
}

/** Million instructions a second, by what the adapter tells of its position. */
async function speed(
  program: string,
  configure?: (client: DebugClient) => Promise<void>,
  poll = false,
): Promise<number> {
  const client = await connect();
  let last: { readonly time: number; readonly position: number } | undefined;
  client.on('hyperstep/activity', ({ body }: { body: HyperstepEvents['hyperstep/activity'] }) => {
    last = { time: performance.now(), position: body.position };
  });
  await launch(client, { program }, configure && (() => configure(client)));
  await wait(WARM_UP_MS);
  const from = last;
  const timer = poll
    ? setInterval(
        () => void client.customRequest('hyperstep/registers', { threadId: 1 }).catch(() => undefined),
        REGISTERS_EVERY_MS,
      )
    : undefined;
  await wait(SPEED_MS);
  clearInterval(timer);
  const to = last;
  await disconnect(client);
  if (!from || !to || to.time === from.time) throw new Error('the machine does not run');
  return (to.position - from.position) / (to.time - from.time) / 1e3;
}

const elsewhere = async (client: DebugClient): Promise<void> => {
  const breakpoints = Array.from({ length: 1000 }, (_, i) => ({
    instructionReference: `guest:0x${(0x80_0000 + i * 64).toString(16)}`,
  }));
  const { body } = (await client.customRequest('setInstructionBreakpoints', {
    breakpoints,
  })) as DebugProtocol.SetInstructionBreakpointsResponse;
  const verified = body.breakpoints.filter((one) => one.verified).length;
  if (verified !== breakpoints.length)
    throw new Error(`only ${verified} of ${breakpoints.length} breakpoints are set`);
};

/** A watched page of RAM that the guest does not use while it is measured. */
const watchedPage = async (client: DebugClient): Promise<void> => {
  const { body } = await client.setDataBreakpointsRequest({
    breakpoints: [{ dataId: '0x1800000:8:elsewhere', accessType: 'write' }],
  });
  if (!body.breakpoints[0].verified) throw new Error(`no data breakpoint: ${body.breakpoints[0].message}`);
};

async function speeds(program: string): Promise<Record<string, number[]>> {
  const variants: Record<string, () => Promise<number>> = {
    plain: () => speed(program),
    '1,000 breakpoints elsewhere': () => speed(program, elsewhere),
    'a data breakpoint on one page': () => speed(program, watchedPage),
    'the Registers view open': () => speed(program, undefined, true),
  };
  const figures: Record<string, number[]> = {};
  for (let i = 0; i < SPEED_ROUNDS; i++) {
    for (const [name, take] of Object.entries(variants)) (figures[name] ??= []).push(await take());
  }
  return figures;
}

/** Resident bytes of a process (Linux). */
function residentBytes(child: ChildProcess): number {
  const kilobytes = /VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${child.pid}/status`, 'latin1'))?.[1];
  return Number(kilobytes) * 1024;
}

/** What a session adds: memory of a fresh adapter in the middle of a run. */
async function memory(child: ChildProcess, program: string): Promise<number> {
  const client = await connect();
  await launch(client, { program });
  await wait(3000);
  const bytes = residentBytes(child);
  await disconnect(client);
  return bytes;
}

async function startAdapter(): Promise<ChildProcess> {
  const child = spawn(process.execPath, [adapter, '--port', `${port}`], { stdio: 'inherit' });
  await wait(1000);
  return child;
}

const line = (what: string, value: string, goal: string): void => {
  console.log(`| ${what} | ${value} | ${goal} |`);
};

async function main(): Promise<void> {
  if (!existsSync(adapter)) throw new Error(`${adapter} is not built: npm run build`);
  const folder = mkdtempSync(join(tmpdir(), 'hyperstep-startup-'));
  const big = buildGuestElf(
    rows.find(({ name }) => name === 'big')!,
    folder,
  );
  let child = await startAdapter();
  try {
    console.log('| | measured | goal |\n|---|---|---|');
    const used = await memory(child, big);
    const allowed = 250 + (GUEST_MEMORY + HOST_MEMORY) / MEBIBYTE;
    line(
      'adapter memory, with what guest and host have touched of theirs',
      `${(used / MEBIBYTE).toFixed(0)} MiB`,
      `≤ ${allowed} MiB`,
    );
    child.kill();
    await wait(300);
    child = await startAdapter();
    const [cold, ...warm] = await firstStops();
    line(
      'launch request to first stop, warm process',
      `${median(warm).toFixed(0)} ms (${Math.max(...warm).toFixed(0)} at most; first of a process ${cold.toFixed(0)})`,
      '≤ 300 ms',
    );
    const paused = await pauses(big);
    line('Pause', `${median(paused).toFixed(0)} ms (${Math.max(...paused).toFixed(0)} at most)`, '≤ 50 ms');
    const taken = await speeds(big);
    for (const [name, figures] of Object.entries(taken)) {
      const share = median(figures.map((figure, i) => figure / taken.plain[i]));
      line(
        `run loop, ${name}`,
        `${median(figures).toFixed(0)} MIPS, ${(share * 100).toFixed(0)} %`,
        name === 'plain' ? '' : '≥ 90 %',
      );
    }
  } finally {
    child.kill();
    rmSync(folder, { recursive: true });
  }
}

await main();
