/**
 * A debugging session written down: what the client asked, what the adapter answered and said by itself, one line each.
 * Host code is named by the text of its line, not by its number, and has no addresses: a change of the host that the user
 * does not notice changes no transcript.
 */
import { readFileSync } from 'node:fs';
import type { DebugProtocol as P } from '@vscode/debugprotocol';
import type { HypercallRecord, HyperstepLaunchArguments, HyperstepRequests } from '../../protocol.js';
import { Client, installFolder, RefusedRequest } from './client.js';

const fixtures = `${installFolder}/debug-adapter/test/fixtures`;
export const fixture = (name: string): string => `${fixtures}/${name}`;
export const example = (name: string): string => `${installFolder}/examples/${name}`;

/** Events that say nothing of their own: progress, and what is shown elsewhere. */
const SILENT_EVENTS = ['hyperstep/activity', 'hyperstep/build', 'initialized'];

export class Transcript {
  private readonly client = new Client();
  private readonly lines: string[] = [];
  /** Of the last stop. */
  private threadId = 1;
  private frames: readonly P.StackFrame[] = [];

  constructor() {
    this.client.onEvent((event) => this.event(event));
  }

  get text(): string {
    return `${this.lines.join('\n')}\n`;
  }

  /** A heading of the script. */
  note(text: string): void {
    this.lines.push('', `# ${text}`);
  }

  // -------------------------------------------------------------- moving

  /** Launches; `configure` sets breakpoints. Ends at the first stop, or when the launch is refused. */
  async launch(args: HyperstepLaunchArguments, configure?: () => Promise<unknown>): Promise<void> {
    await this.client.request('initialize', { adapterID: 'hyperstep', clientID: 'vscode' });
    const begun = this.client.nextEvent('initialized');
    this.lines.push(`> launch ${compact(args)}`);
    const launched = this.client.request('launch', { time: 'fast', ...args }).then(
      () => true,
      (error: unknown) => this.refused(error),
    );
    if (!(await Promise.race([launched, begun]))) return;
    await configure?.();
    await this.move('configurationDone');
  }

  /** A request that sets the machine in motion; ends where it stops, with the line of the focused frame. */
  async move(command: string, args: object = {}): Promise<void> {
    const stopped = this.client.nextEvent('stopped', 'terminated');
    this.lines.push(`> ${command}${argumentsText(args)}`);
    try {
      await this.client.request(command, { threadId: this.threadId, ...args });
    } catch (error) {
      this.refused(error);
      return;
    }
    await this.arrive(await stopped);
  }

  /** As `move`, and after some while of running another request, such as `pause`. */
  async interrupt(command: string, interruption: string): Promise<void> {
    const stopped = this.client.nextEvent('stopped', 'terminated');
    this.lines.push(`> ${command}`);
    await this.client.request(command, { threadId: this.threadId });
    await this.client.nextEvent('hyperstep/activity', 'output');
    this.lines.push(`> ${interruption}`);
    await this.client.request(interruption, { threadId: this.threadId });
    await this.arrive(await stopped);
  }

  /** Runs until an event comes by itself. */
  async waitFor(event: string, wanted: (body: unknown) => boolean = () => true): Promise<void> {
    while (!wanted((await this.client.nextEvent(event)).body));
  }

  private async arrive({ event, body }: P.Event): Promise<void> {
    if (event !== 'stopped') return;
    this.threadId = (body as P.StoppedEvent['body']).threadId ?? this.threadId;
    await this.look();
    const focused = this.focused();
    this.lines.push(`  at ${focused ? this.frameText(focused) : 'no frame'}`);
  }

  private async look(): Promise<void> {
    const body = await this.client.request<P.StackTraceResponse['body']>('stackTrace', {
      threadId: this.threadId,
    });
    this.frames = body.stackFrames;
  }

  /** What VS Code shows as the current line. */
  private focused(): P.StackFrame | undefined {
    return this.frames.find(({ presentationHint }) => presentationHint === 'normal');
  }

  private frameNamed(name: string | undefined): P.StackFrame | undefined {
    return name === undefined ? this.focused() : this.frames.find((frame) => frame.name === name);
  }

  // -------------------------------------------------------------- looking

  /** A request whose answer is written down as it is. */
  async ask(command: string, args: object = {}): Promise<void> {
    this.lines.push(`> ${command}${argumentsText(args)}`);
    const body = await this.answer(command, args);
    if (body !== undefined) this.lines.push(`  ${compact(body)}`);
  }

  /** Body of a request that is not written down. */
  private async answer<Body>(command: string, args: object): Promise<Body | undefined> {
    try {
      return await this.client.request<Body>(command, args);
    } catch (error) {
      this.refused(error);
      return undefined;
    }
  }

  /** Breakpoints on the lines of a file that contain these texts. */
  async breakpoints(
    path: string,
    marks: Readonly<Record<string, Omit<P.SourceBreakpoint, 'line'>>>,
  ): Promise<void> {
    const lines = linesOf(path);
    const breakpoints = Object.entries(marks).map(([mark, texts]) => ({
      line: lines.findIndex((line) => line.includes(mark)) + 1,
      ...texts,
    }));
    await this.ask('setBreakpoints', { source: { path }, breakpoints });
  }

  async stepInTargets(): Promise<void> {
    this.lines.push('> stepInTargets');
    const args = { frameId: this.focused()?.id };
    const body = await this.answer<P.StepInTargetsResponse['body']>('stepInTargets', args);
    for (const { id, label } of body?.targets ?? []) this.lines.push(`  ${id}: ${label}`);
  }

  /** On the focused frame's instruction. */
  async instructionBreakpoint(offset: number): Promise<void> {
    const instructionReference = this.focused()?.instructionPointerReference;
    await this.ask('setInstructionBreakpoints', { breakpoints: [{ instructionReference, offset }] });
  }

  async dataBreakpoint(name: string, accessType: P.DataBreakpointAccessType): Promise<void> {
    this.lines.push(`> dataBreakpointInfo ${name}`);
    const args = { name, frameId: this.focused()?.id };
    const body = await this.answer<P.DataBreakpointInfoResponse['body']>('dataBreakpointInfo', args);
    if (!body) return;
    this.lines.push(`  ${body.description}`);
    await this.ask('setDataBreakpoints', { breakpoints: [{ dataId: body.dataId, accessType }] });
  }

  async stack(threadId = this.threadId): Promise<void> {
    this.lines.push('> stackTrace');
    const body = await this.answer<P.StackTraceResponse['body']>('stackTrace', { threadId });
    for (const frame of body?.stackFrames ?? []) {
      const hint = frame.presentationHint;
      const shown = hint === 'label' ? `-- ${frame.name} --` : this.frameText(frame);
      this.lines.push(`  ${shown}${hint === 'subtle' ? ' (subtle)' : ''}`);
    }
  }

  async threads(): Promise<void> {
    const body = await this.answer<P.ThreadsResponse['body']>('threads', {});
    this.lines.push(`> threads`, ...(body?.threads ?? []).map(({ id, name }) => `  ${id}: ${name}`));
  }

  /** The scopes of a frame, and of those named here their rows; `rows` chooses among them. */
  async scopes(shown: Readonly<Record<string, RegExp>>, frameName?: string): Promise<void> {
    const frame = this.frameNamed(frameName);
    this.lines.push(`> scopes of ${frame?.name}`);
    const body = await this.answer<P.ScopesResponse['body']>('scopes', { frameId: frame?.id });
    for (const { name, variablesReference } of body?.scopes ?? []) {
      this.lines.push(`  ${name}`);
      if (!(name in shown)) continue;
      const rows = await this.answer<P.VariablesResponse['body']>('variables', { variablesReference });
      for (const row of rows?.variables ?? []) {
        if (shown[name].test(row.name)) this.lines.push(`    ${row.name} = ${row.value}`);
      }
    }
  }

  /** Sets a row of a scope of the focused frame. */
  async setVariable(scope: string, name: string, value: string): Promise<void> {
    this.lines.push(`> setVariable ${scope}: ${name} = ${value}`);
    const body = await this.answer<P.ScopesResponse['body']>('scopes', { frameId: this.focused()?.id });
    const variablesReference = body?.scopes.find((found) => found.name === scope)?.variablesReference;
    const set = await this.answer<P.SetVariableResponse['body']>('setVariable', {
      variablesReference,
      name,
      value,
    });
    if (set) this.lines.push(`  ${set.value}`);
  }

  async evaluate(context: P.EvaluateArguments['context'], ...expressions: readonly string[]): Promise<void> {
    for (const expression of expressions) {
      this.lines.push(`> evaluate (${context}) ${expression}`);
      const args = { expression, context, frameId: this.focused()?.id };
      const body = await this.answer<P.EvaluateResponse['body']>('evaluate', args);
      if (body) this.lines.push(`  ${body.result}${body.type ? `  (${body.type})` : ''}`);
    }
  }

  /** The first completions of a text that ends at the cursor. */
  async completions(text: string, count = 5): Promise<void> {
    this.lines.push(`> completions ${text}`);
    const args = { text, column: text.length + 1, frameId: this.focused()?.id };
    const body = await this.answer<P.CompletionsResponse['body']>('completions', args);
    const labels = body?.targets.map(({ label }) => label) ?? [];
    this.lines.push(`  ${labels.slice(0, count).join(' ')}${labels.length > count ? ' ...' : ''}`);
  }

  async disassemble(instructionCount: number, instructionOffset = 0): Promise<void> {
    this.lines.push(`> disassemble ${instructionCount} from ${instructionOffset}`);
    const memoryReference = this.focused()?.instructionPointerReference;
    const args = { memoryReference, instructionCount, instructionOffset };
    const body = await this.answer<P.DisassembleResponse['body']>('disassemble', args);
    for (const { address, instructionBytes, instruction, symbol, line } of body?.instructions ?? []) {
      const place = [symbol, line && `line ${line}`].filter(Boolean).join(', ');
      this.lines.push(
        `  ${address}  ${instructionBytes?.padEnd(24)}${instruction}${place && `   <- ${place}`}`,
      );
    }
  }

  /** The hypercall log. */
  async hypercalls(): Promise<void> {
    this.lines.push('> hyperstep/hypercalls');
    const body = await this.answer<HyperstepRequests['hyperstep/hypercalls']['body']>(
      'hyperstep/hypercalls',
      {
        start: 0,
        count: 100,
      },
    );
    for (const { seq, vcpu, kind, nr, name, before, after, cpl, result, source, blockedIn } of body?.calls ??
      []) {
      this.lines.push(
        `  ${seq}: vCPU ${vcpu} ${kind} ${nr} ${name} at CPL ${cpl}, ${place(source)}: ${result ?? blockedText(blockedIn)}`,
        `     before ${compact(before)}`,
        `     after  ${compact(after)}`,
      );
    }
  }

  // -------------------------------------------------------------- writing down

  private event({ event, body }: P.Event): void {
    if (SILENT_EVENTS.includes(event)) return;
    if (event === 'output') {
      const { category, output } = body as P.OutputEvent['body'];
      // The host's own log says addresses.
      if (category === 'console' && /^(kvm|\[)/.test(output)) return;
      this.lines.push(`< ${category}: ${normalized(output.trimEnd())}`);
      return;
    }
    this.lines.push(`< ${event} ${compact(body)}`);
  }

  private refused(error: unknown): false {
    if (!(error instanceof RefusedRequest)) throw error;
    this.lines.push(`  refused: ${normalized(error.message)}`);
    return false;
  }

  private frameText({ name, source, line }: P.StackFrame): string {
    if (source?.path === undefined) return `${name}  ${source?.name ?? 'no source'}`;
    const text = linesOf(source.path)[line - 1]?.trim().replace(/\s+/g, ' ') ?? '';
    return `${name}  ${normalized(source.path)}${isHost(source.path) ? '' : `:${line}`} | ${text}`;
  }
}

const isHost = (path: string): boolean => path.startsWith(`${installFolder}/hypervisors/`);

const linesOf = (path: string): string[] => readFileSync(path, 'utf8').split('\n');

/** Paths relative to the repository. */
const normalized = (text: string): string =>
  text.replaceAll(`${fixtures}/`, '').replaceAll(`${installFolder}/`, '').replaceAll('\\', '/');

/** JSON without the quotes that nobody needs. */
const compact = (value: unknown): string =>
  normalized(
    JSON.stringify(value, (_, inner: unknown) => (typeof inner === 'string' ? normalized(inner) : inner))
      .replace(/"(\w+)":/g, '$1: ')
      .replace(/,(?=\S)/g, ', '),
  );

const argumentsText = (args: object): string => (Object.keys(args).length > 0 ? ` ${compact(args)}` : '');

const place = (source: HypercallRecord['source']): string =>
  source ? `${normalized(source.file)}:${source.line}` : 'no line';

const blockedText = (where: string | null): string =>
  where === null ? 'not answered yet' : `blocked in ${where.replace(/:\d+\)/, ')')}`;
