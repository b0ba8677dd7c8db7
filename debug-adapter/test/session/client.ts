/** A client of the debug adapter in the same process: requests as promises, events as they come. */
import { fileURLToPath } from 'node:url';
import type { DebugProtocol } from '@vscode/debugprotocol';
import { platformNode } from '../../../toolchain/platformNode.js';
import { HyperstepSession } from '../../session/hyperstepSession.js';

export const installFolder = fileURLToPath(new URL('../../../', import.meta.url)).replace(/[/\\]$/, '');

/** A clock that moves only when somebody waits: what is paced by it takes no time and always the same steps. */
function waitingClock() {
  let milliseconds = 0;
  return {
    now: () => milliseconds,
    wait: (duration: number) => {
      milliseconds += Math.max(0, duration);
      return new Promise<void>((resolve) => setImmediate(resolve));
    },
  };
}

/** The answer of the adapter to a request that it refused. */
export class RefusedRequest extends Error {}

type Listener = (event: DebugProtocol.Event) => void;

export class Client {
  private readonly session = new HyperstepSession({
    platform: platformNode,
    installFolder,
    pacing: waitingClock(),
  });
  private readonly answers = new Map<number, (response: DebugProtocol.Response) => void>();
  private readonly listeners = new Set<Listener>();
  private lastSeq = 0;

  constructor() {
    // The session of a server does not end the process.
    this.session.setRunAsServer(true);
    this.session.onDidSendMessage((message) => this.received(message as DebugProtocol.ProtocolMessage));
  }

  /** Sends a request; the promise is its body. Throws RefusedRequest with the adapter's message. */
  async request<Body = Record<string, never>>(command: string, args: object = {}): Promise<Body> {
    const seq = ++this.lastSeq;
    const answer = new Promise<DebugProtocol.Response>((resolve) => this.answers.set(seq, resolve));
    this.session.handleMessage({ type: 'request', seq, command, arguments: args } as DebugProtocol.Request);
    const { success, body } = await answer;
    if (success) return body as Body;
    const { format, variables } = (body as DebugProtocol.ErrorResponse['body']).error!;
    throw new RefusedRequest(format.replace(/\{(\w+)\}/g, (_, name: string) => variables?.[name] ?? ''));
  }

  onEvent(listener: Listener): void {
    this.listeners.add(listener);
  }

  /** The next event of one of these names. */
  nextEvent(...names: readonly string[]): Promise<DebugProtocol.Event> {
    return new Promise((resolve) => {
      const listener: Listener = (event) => {
        if (!names.includes(event.event)) return;
        this.listeners.delete(listener);
        resolve(event);
      };
      this.listeners.add(listener);
    });
  }

  private received(message: DebugProtocol.ProtocolMessage): void {
    if (message.type === 'event') {
      for (const listener of [...this.listeners]) listener(message as DebugProtocol.Event);
      return;
    }
    const response = message as DebugProtocol.Response;
    this.answers.get(response.request_seq)?.(response);
    this.answers.delete(response.request_seq);
  }
}
