/**
 * The main job over the Debug Adapter Protocol: debugs examples/hello through VMCALL into kvm_emulate_hypercall and back, and
 * prints each stop, the call stack across both worlds and the registers before and after. Ends with status 1 when a stop
 * is not where it should be.
 */
import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { DebugClient } from '@vscode/debugadapter-testsupport';
import type { DebugProtocol } from '@vscode/debugprotocol';
import type {
  HypercallRecord,
  HyperstepLaunchArguments,
  HyperstepRequests,
} from '../debug-adapter/protocol.js';

const root = fileURLToPath(new URL('..', import.meta.url));
const program = `${root}examples/hello/hello.S`;
const adapter = process.argv[2] ?? `${root}dist/debugAdapter.cjs`;
const TIMEOUT_MS = 20_000;
/** Line steps from handle_vmcall to kvm_emulate_hypercall; more means that the way is lost. */
const MOST_STEPS = 5;

class DemoError extends Error {}

interface Stop {
  readonly event: DebugProtocol.StoppedEvent['body'];
  readonly frames: readonly DebugProtocol.StackFrame[];
}

const isTerminal = process.stdout.isTTY;
const bold = (text: string): string => (isTerminal ? `\x1b[1m${text}\x1b[0m` : text);
const dim = (text: string): string => (isTerminal ? `\x1b[2m${text}\x1b[0m` : text);
const print = (text = ''): void => console.log(text);

const sourceLines = readFileSync(program, 'utf8').split('\n');
const callLine = sourceLines.findIndex((line) => /^\s*vmcall\b/.test(line)) + 1;

const client = new DebugClient(process.execPath, adapter, 'hyperstep', undefined, true);
client.defaultTimeout = TIMEOUT_MS;

async function main(): Promise<void> {
  print(bold('Hyperstep: from a guest’s VMCALL into the host and back'));
  print(`Guest ${placeText(program)}, host kvm, stop at every hypercall.`);
  if (!existsSync(adapter)) throw new DemoError(`${placeText(adapter)} is not built: run "npm run build"`);
  await client.start();
  const output = collectOutput();

  let stop = await afterMove(() => launch());
  expectGuestAt(stop, callLine, 'the hypercall');
  report('F5: the guest made a hypercall', stop);

  stop = await afterMove(() => client.stepInRequest({ threadId: threadOf(stop) }));
  expectFunction(stop, 'handle_vmcall');
  report('Step Into: the host’s exit handler', stop);

  for (let steps = 0; functionOf(stop) !== 'kvm_emulate_hypercall' && steps < MOST_STEPS; steps++) {
    stop = await afterMove(() => client.stepInRequest({ threadId: threadOf(stop) }));
  }
  expectFunction(stop, 'kvm_emulate_hypercall');
  report('Step Into: the function that answers', stop, true);

  stop = await afterMove(() => client.stepOutRequest({ threadId: threadOf(stop) }));
  expectFunction(stop, 'handle_vmcall');
  report('Step Out: back in the exit handler', stop);

  stop = await afterMove(() => client.stepOutRequest({ threadId: threadOf(stop) }));
  expectGuestAt(stop, callLine + 1, 'the line after the hypercall');
  report('Step Out: back in the guest', stop);

  await reportHypercalls();
  const status = await finish(threadOf(stop));
  print(`\n${bold('What the guest wrote')}`);
  for (const line of output().trimEnd().split('\n')) print(`  ${line}`);
  print(`\nThe guest ended with status ${status}.`);
  if (status !== 0) throw new DemoError(`the guest should have ended with status 0, not ${status}`);
}

async function launch(): Promise<unknown> {
  await client.initializeRequest({
    adapterID: 'hyperstep',
    linesStartAt1: true,
    columnsStartAt1: true,
    pathFormat: 'path',
  });
  const launchArguments: HyperstepLaunchArguments = { program, host: 'kvm', time: 'fast' };
  // A guest that cannot be built is answered to this request only.
  const launched = client.launchRequest(launchArguments);
  await Promise.race([client.waitForEvent('initialized'), launched]);
  await client.setExceptionBreakpointsRequest({ filters: ['hypercalls'] });
  await client.configurationDoneRequest();
  return launched;
}

/** Makes a request that sets the machine in motion, and waits for where it stops. */
async function afterMove(request: () => Promise<unknown>): Promise<Stop> {
  const stopped = client.waitForEvent('stopped') as Promise<DebugProtocol.StoppedEvent>;
  const failed = request().then(() => stopped);
  const { body } = await Promise.race([stopped, failed]);
  const stack = await client.stackTraceRequest({ threadId: body.threadId ?? 1 });
  return { event: body, frames: stack.body.stackFrames };
}

async function finish(threadId: number): Promise<number> {
  const exited = client.waitForEvent('exited') as Promise<DebugProtocol.ExitedEvent>;
  await client.continueRequest({ threadId });
  return (await exited).body.exitCode;
}

function collectOutput(): () => string {
  let text = '';
  client.on('output', ({ body }: DebugProtocol.OutputEvent) => {
    if (body.category === 'stdout') text += body.output;
    // What went wrong, in a build or in the machine.
    if (body.category === 'stderr') process.stderr.write(`\n${body.output}`);
  });
  return () => text;
}

const threadOf = (stop: Stop): number => stop.event.threadId ?? 1;

/** What VS Code shows as the current line: the first frame that it is not told to pass over. */
function focused(stop: Stop): DebugProtocol.StackFrame | undefined {
  return stop.frames.find(
    ({ presentationHint, source }) =>
      presentationHint !== 'label' && presentationHint !== 'subtle' && source !== undefined,
  );
}

const functionOf = (stop: Stop): string | undefined => focused(stop)?.name;

function expectFunction(stop: Stop, name: string): void {
  if (functionOf(stop) !== name) {
    throw new DemoError(`this should have stopped in ${name}, not in ${frameText(focused(stop))}`);
  }
}

function expectGuestAt(stop: Stop, line: number, what: string): void {
  const frame = focused(stop);
  if (frame?.source?.path !== program || frame.line !== line) {
    throw new DemoError(`this should have stopped at ${what}, hello.S:${line}, not in ${frameText(frame)}`);
  }
}

function frameText(frame: DebugProtocol.StackFrame | undefined): string {
  if (!frame) return 'no frame at all';
  return `${frame.name} (${placeText(frame.source?.path ?? frame.source?.name ?? '?')}:${frame.line})`;
}

const placeText = (path: string): string => (path.startsWith(root) ? path.slice(root.length) : path);

function report(title: string, stop: Stop, wholeStack = false): void {
  const { description } = stop.event;
  print(`\n${bold(title)}${description ? dim(`  [${description}]`) : ''}`);
  const current = focused(stop);
  if (!wholeStack) {
    print(`  ${frameText(current)}`);
    print(dim(`  ${current ? lineText(current) : ''}`));
    return;
  }
  for (const frame of stop.frames) {
    if (frame.presentationHint === 'label') print(`  ---- ${frame.name} ----`);
    else print(`  ${frame === current ? '>' : ' '} ${frameText(frame)}`);
  }
}

function lineText(frame: DebugProtocol.StackFrame): string {
  const { path } = frame.source ?? {};
  if (path === undefined) return '';
  const line = readFileSync(path, 'utf8').split('\n')[frame.line - 1] ?? '';
  return `${String(frame.line).padStart(4)} | ${line.trim().replaceAll('\t', ' ')}`;
}

type HypercallsBody = HyperstepRequests['hyperstep/hypercalls']['body'];

async function reportHypercalls(): Promise<void> {
  const response = await client.customRequest('hyperstep/hypercalls', { start: 0, count: 10 });
  const { calls } = response.body as HypercallsBody;
  const [call] = calls;
  if (calls.length !== 1 || call.after === null) {
    throw new DemoError(`one answered hypercall should be in the log: ${JSON.stringify(calls)}`);
  }
  print(`\n${bold('The hypercall, before and after')}`);
  const place = call.source ? `${placeText(call.source.file)}:${call.source.line}` : call.rip;
  print(`  ${call.nr} ${call.name ?? 'unknown'}, vCPU ${call.vcpu}, CPL ${call.cpl}, called at ${place}`);
  print(`  answered ${call.result} in ${(call.durationNs / 1000).toFixed(1)} µs of virtual time\n`);
  printTable(call);
  if (call.result !== '0x55aa') throw new DemoError(`the result should be 0x55aa, not ${call.result}`);
}

const REGISTERS = ['rax', 'rbx', 'rcx', 'rdx', 'rsi'] as const;
const WIDTH = 20;

function printTable({ before, after }: HypercallRecord): void {
  print(`  ${'register'.padEnd(10)}${'before'.padEnd(WIDTH)}after`);
  for (const name of REGISTERS) {
    const now = after?.[name] ?? '';
    const changed = now === before[name] ? '' : '  <- changed';
    print(`  ${name.toUpperCase().padEnd(10)}${before[name].padEnd(WIDTH)}${now}${changed}`);
  }
}

main()
  .catch((error: unknown) => {
    const message = error instanceof Error ? error.message : String(error);
    console.error(`\ndemo: ${message}`);
    process.exitCode = 1;
  })
  .finally(() => client.stop());
