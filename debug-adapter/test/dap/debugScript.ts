/**
 * A debugging session that writes down what a client sees: requests with `>`, answers below them, stops with their call
 * stack, output with `|`, refusals with `!`. What depends on the compiler of the host (its lines and addresses) is left out.
 */
import path from 'node:path';
import { DebugClient } from '@vscode/debugadapter-testsupport';
import type { DebugProtocol as P } from '@vscode/debugprotocol';
import type { HyperstepLaunchArguments, HyperstepRequests } from '../../protocol.js';
import { root } from './server.js';

type Move = 'continue' | 'next' | 'stepIn' | 'stepOut' | 'pause';
type Stop = P.StoppedEvent['body'];

const HOST_FOLDER = path.join(root, 'hypervisors');
const CLIENT: P.InitializeRequestArguments = {
  adapterID: 'hyperstep',
  linesStartAt1: true,
  columnsStartAt1: true,
  pathFormat: 'path',
};

export class DebugScript {
  private readonly lines: string[] = [];
  private readonly output = new Map<string, string>();
  private readonly ends: Promise<string>;
  private threadId = 1;
  private frames: P.StackFrame[] = [];

  private constructor(readonly client: DebugClient) {
    client.on('output', ({ body }: P.OutputEvent) => {
      const category = body.category ?? 'console';
      this.output.set(category, (this.output.get(category) ?? '') + body.output);
    });
    let exit = 'terminated';
    client.on('exited', ({ body }: P.ExitedEvent) => {
      exit = `exited with status ${body.exitCode}`;
    });
    this.ends = new Promise((resolve) => {
      client.on('terminated', () => resolve(exit));
    });
  }

  static async connect(port: number): Promise<DebugScript> {
    const client = new DebugClient('', '', 'hyperstep');
    await client.start(port);
    return new DebugScript(client);
  }

  async close(): Promise<void> {
    await this.client.stop();
  }

  get transcript(): string {
    return `${this.lines.join('\n')}\n`;
  }

  /** Adds what another session wrote. */
  adopt(other: DebugScript): void {
    this.lines.push(...other.lines, '');
  }

  /** A line of explanation. */
  say(text: string): void {
    this.lines.push('', `# ${text}`);
  }

  // -------------------------------------------------------------- beginning

  /** Launches, sets breakpoints with `configure` before the guest starts, and answers where the machine is then. */
  async launch(args: HyperstepLaunchArguments, configure?: () => Promise<unknown>): Promise<void> {
    this.lines.push(`> launch ${this.shortened(JSON.stringify(args))}`);
    await this.client.initializeRequest(CLIENT);
    const launched = this.client.launchRequest({ time: 'fast', ...args } as P.LaunchRequestArguments);
    try {
      await Promise.race([this.client.waitForEvent('initialized'), launched]);
    } catch (error) {
      this.flushOutput();
      this.refused(error);
      return;
    }
    await configure?.();
    await this.untilStop(async () => {
      await this.client.configurationDoneRequest();
      await launched;
    });
  }

  // -------------------------------------------------------------- moving

  async move(command: Move, args: Record<string, unknown> = {}): Promise<void> {
    this.lines.push('', `> ${command}${describe(args)}`);
    await this.untilStop(() => this.client.customRequest(command, { threadId: this.threadId, ...args }));
  }

  /** Lets the machine run, and does something meanwhile. */
  async whileRunning(action: () => Promise<unknown>): Promise<void> {
    this.lines.push('', '> continue');
    await this.client.continueRequest({ threadId: this.threadId });
    await this.untilStop(action);
  }

  private async untilStop(start: () => Promise<unknown>): Promise<void> {
    const stopped = this.client.waitForEvent('stopped') as Promise<P.StoppedEvent>;
    try {
      await start();
    } catch (error) {
      this.refused(error);
      return;
    }
    const event = await Promise.race([stopped, this.ends]);
    if (typeof event === 'string') {
      this.flushOutput();
      this.lines.push(event);
    } else {
      await this.showStop(event.body);
    }
  }

  private async showStop({ reason, description, text, threadId }: Stop): Promise<void> {
    this.threadId = threadId ?? 1;
    const { body } = await this.client.stackTraceRequest({ threadId: this.threadId });
    this.frames = body.stackFrames;
    this.flushOutput();
    this.lines.push([`stopped: ${reason}`, description, text].filter(Boolean).join(' · '));
    for (const frame of this.frames) this.lines.push(`    ${this.frameText(frame)}`);
  }

  private frameText({ name, source, line, presentationHint }: P.StackFrame): string {
    if (presentationHint === 'label') return `-- ${name}`;
    const file = source?.path ?? '';
    // Lines of the host change with every edit of it.
    const place = file.startsWith(HOST_FOLDER) ? source!.name : `${source?.name ?? '?'}:${line}`;
    return `${name}  ${place}${presentationHint === 'subtle' ? '  (subtle)' : ''}`;
  }

  // -------------------------------------------------------------- looking and changing

  /** The frame with this function, innermost first; without a name, the innermost frame of code. */
  frameId(name?: string): number {
    const frame = this.frames.find(
      (candidate) =>
        candidate.presentationHint !== 'label' && (name === undefined || candidate.name === name),
    );
    if (!frame) throw new Error(`no frame ${name} in ${this.frames.map((each) => each.name).join(', ')}`);
    return frame.id;
  }

  /** Any request; answers its body, and writes down what `show` makes of it. */
  async request<Body>(
    command: string,
    args: object,
    show: (body: Body) => string | readonly string[] = (body) =>
      body === undefined ? [] : JSON.stringify(body),
  ): Promise<Body | undefined> {
    this.lines.push('', `> ${command}${this.shortened(describe(args))}`);
    try {
      const { body } = (await this.client.customRequest(command, args)) as { body: Body };
      const shown = show(body);
      this.write(typeof shown === 'string' ? [shown] : shown);
      return body;
    } catch (error) {
      this.refused(error);
      return undefined;
    }
  }

  /** A request of Hyperstep's own. */
  own<Name extends keyof HyperstepRequests>(
    name: Name,
    args: HyperstepRequests[Name]['arguments'],
    show: (body: HyperstepRequests[Name]['body']) => string | readonly string[],
  ): Promise<HyperstepRequests[Name]['body'] | undefined> {
    return this.request(name, args, show);
  }

  async evaluate(expression: string, frame?: string, context = 'watch'): Promise<void> {
    const args = { expression, context, frameId: this.frameId(frame) };
    this.lines.push(`> ${expression}`);
    try {
      const { body } = await this.client.evaluateRequest(args);
      this.write([[body.result, body.type && `(${body.type})`].filter(Boolean).join(' ')]);
    } catch (error) {
      this.refused(error);
    }
  }

  async setBreakpoints(file: string, breakpoints: P.SourceBreakpoint[]): Promise<void> {
    await this.request<P.SetBreakpointsResponse['body']>(
      'setBreakpoints',
      { source: { path: file }, breakpoints },
      (body) => body.breakpoints.map(breakpointText),
    );
  }

  /** Variables of a scope of a frame, those that `wanted` accepts; answers the handle of the scope. */
  async scope(name: string, wanted: RegExp, frame?: string): Promise<number> {
    const { body } = await this.client.scopesRequest({ frameId: this.frameId(frame) });
    const scope = body.scopes.find((candidate) => candidate.name === name);
    this.lines.push(`> scope ${name}${frame === undefined ? '' : ` of ${frame}`}`);
    if (!scope) throw new Error(`no scope ${name}, but ${body.scopes.map((each) => each.name).join(', ')}`);
    const { variables } = (
      await this.client.variablesRequest({ variablesReference: scope.variablesReference })
    ).body;
    this.write(variables.filter((row) => wanted.test(row.name)).map((row) => `${row.name} = ${row.value}`));
    return scope.variablesReference;
  }

  async scopeNames(frame?: string): Promise<void> {
    const { body } = await this.client.scopesRequest({ frameId: this.frameId(frame) });
    this.lines.push(`> scopes${frame === undefined ? '' : ` of ${frame}`}`);
    this.write([body.scopes.map(({ name }) => name).join(', ')]);
  }

  async threads(): Promise<void> {
    const { body } = await this.client.threadsRequest();
    this.lines.push('> threads');
    this.write(body.threads.map(({ name }) => name));
  }

  /** The Hypercalls view's rows. */
  async hypercalls(): Promise<void> {
    await this.own('hyperstep/hypercalls', { start: 0, count: 100 }, ({ calls }) =>
      calls.map(({ seq, name, nr, before, after, result, source, handler, blockedIn }) => {
        const registers = (['rax', 'rbx', 'rcx', 'rdx', 'rsi'] as const).map(
          (register) => `${register} ${before[register]} → ${after ? after[register] : '…'}`,
        );
        const place = source ? `${path.basename(source.file)}:${source.line}` : 'nowhere';
        const answer = after ? `= ${result}` : `blocked in ${blockedIn?.replace(/ \(.*/, '') ?? 'the host'}`;
        return `#${seq} ${name ?? nr} ${answer} at ${place}, by ${handler?.name}: ${registers.join(', ')}`;
      }),
    );
  }

  // -------------------------------------------------------------- writing down

  private write(lines: readonly string[]): void {
    for (const line of lines) this.lines.push(`    ${this.shortened(line)}`);
  }

  private refused(error: unknown): void {
    const message = error instanceof Error ? error.message : String(error);
    for (const line of message.split('\n')) this.lines.push(`! ${this.shortened(line)}`);
  }

  private flushOutput(): void {
    for (const category of ['stdout', 'stderr', 'console']) {
      const text = this.output.get(category);
      if (text === undefined) continue;
      for (const line of text.trimEnd().split('\n')) {
        if (!isHostsOwn(line)) this.lines.push(`| ${this.shortened(line)}`);
      }
    }
    this.output.clear();
  }

  private shortened(text: string): string {
    return text.replaceAll(`${root}debug-adapter/test/dap/guests/`, '').replaceAll(root, '');
  }
}

/** `[    0.000021] kvm: …`: the host's log has times that depend on its compiler. */
const isHostsOwn = (line: string): boolean => /^\[ *\d+\.\d+\] /.test(line);

const describe = (args: object): string => (Object.keys(args).length ? ` ${JSON.stringify(args)}` : '');

export function breakpointText({ verified, line, message }: P.Breakpoint): string {
  return [verified ? 'verified' : 'not verified', line === undefined ? '' : `line ${line}`, message ?? '']
    .filter(Boolean)
    .join(' · ');
}
