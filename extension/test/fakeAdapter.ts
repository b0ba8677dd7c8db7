/**
 * A debug adapter without a machine: it answers Hyperstep's custom requests with made-up state. With it the views are
 * tested at sizes and in moments that a real guest reaches only after long runs. Reached through `"debugServer": port`.
 */
import { createServer } from 'node:net';
import type { AddressInfo, Server } from 'node:net';
import {
  DebugSession,
  Event,
  InitializedEvent,
  Scope,
  Source,
  StackFrame,
  StoppedEvent,
  TerminatedEvent,
  Thread,
} from '@vscode/debugadapter';
import type { DebugProtocol } from '@vscode/debugprotocol';
import type { HyperstepEvents, HyperstepRequests, HypercallRecord } from '../../debug-adapter/protocol.js';
import { uncountedExits } from '../views/vmExitRows.js';
import { aCall } from './check.js';

const ACTIVITY_MS = 100;

type Answers = {
  [Name in keyof HyperstepRequests]?: (
    body: HyperstepRequests[Name]['arguments'],
  ) => HyperstepRequests[Name]['body'];
};

/** What tests look at and change while sessions run. */
export class FakeMachine {
  hypercalls = 3;
  /** The last call is not answered yet. */
  blocked = false;
  virtualNs = 3e9;
  /** Custom requests in the order of their arrival, with `configurationDone` among them. */
  readonly received: string[] = [];
  rax = '0x0';
  /** What the build of the guest says at launch. */
  diagnostics: HyperstepEvents['hyperstep/diagnostics']['diagnostics'] = [];
  exitBreakpoints: HyperstepRequests['hyperstep/setVmExitBreakpoints']['arguments']['reasons'] = [];

  call(seq: number): HypercallRecord {
    if (this.blocked && seq === this.hypercalls - 1) {
      return aCall({
        seq,
        after: null,
        result: null,
        name: 'sleep',
        blockedIn: 'msleep (sched.c:120)',
        virtualNs: 3e9,
      });
    }
    const failed = seq % 3 === 2;
    const answer = failed ? '0xfffffffffffffc18' : '0x55aa';
    const call = aCall({
      seq,
      name: failed ? null : 'KVM_HC_VAPIC_POLL_IRQ',
      result: failed ? '-KVM_ENOSYS' : answer,
    });
    return { ...call, after: { ...call.before, rax: answer } };
  }
}

/** Serves debug sessions over TCP, all on one machine. */
export async function serveFakeAdapter(machine: FakeMachine): Promise<{ port: number; server: Server }> {
  const server = createServer((socket) => {
    const session = new FakeSession(machine);
    session.setRunAsServer(true);
    session.start(socket, socket);
  });
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  return { port: (server.address() as AddressInfo).port, server };
}

class FakeSession extends DebugSession {
  private readonly answers: Answers;
  private program = '';
  private clock: NodeJS.Timeout | undefined;

  constructor(private readonly machine: FakeMachine) {
    super();
    this.answers = answersOf(machine);
  }

  protected override initializeRequest(response: DebugProtocol.InitializeResponse): void {
    response.body = { supportsConfigurationDoneRequest: true };
    this.sendResponse(response);
    this.sendEvent(new InitializedEvent());
  }

  protected override launchRequest(
    response: DebugProtocol.LaunchResponse,
    body: DebugProtocol.LaunchRequestArguments & { program?: string },
  ): void {
    this.program = body.program ?? '';
    this.sendEvent(new Event('hyperstep/diagnostics', { diagnostics: this.machine.diagnostics }));
    this.sendResponse(response);
  }

  protected override configurationDoneRequest(response: DebugProtocol.ConfigurationDoneResponse): void {
    this.machine.received.push('configurationDone');
    this.sendResponse(response);
    this.halt();
  }

  protected override threadsRequest(response: DebugProtocol.ThreadsResponse): void {
    response.body = { threads: [new Thread(1, 'vCPU 0')] };
    this.sendResponse(response);
  }

  protected override stackTraceRequest(response: DebugProtocol.StackTraceResponse): void {
    const source = new Source('guest', this.program);
    response.body = { stackFrames: [new StackFrame(1, '_start', source, 3)], totalFrames: 1 };
    this.sendResponse(response);
  }

  protected override scopesRequest(response: DebugProtocol.ScopesResponse): void {
    response.body = { scopes: [new Scope('Registers', 1)] };
    this.sendResponse(response);
  }

  protected override variablesRequest(response: DebugProtocol.VariablesResponse): void {
    response.body = { variables: [{ name: 'RAX', value: '0x5', variablesReference: 0 }] };
    this.sendResponse(response);
  }

  protected override setVariableRequest(
    response: DebugProtocol.SetVariableResponse,
    { value }: DebugProtocol.SetVariableArguments,
  ): void {
    this.machine.rax = value;
    response.body = { value };
    this.sendResponse(response);
  }

  protected override continueRequest(response: DebugProtocol.ContinueResponse): void {
    this.sendResponse(response);
    this.clock = setInterval(() => {
      this.machine.virtualNs += ACTIVITY_MS * 1e6;
      this.tell(true);
    }, ACTIVITY_MS);
  }

  protected override pauseRequest(response: DebugProtocol.PauseResponse): void {
    this.sendResponse(response);
    this.halt();
  }

  protected override disconnectRequest(response: DebugProtocol.DisconnectResponse): void {
    clearInterval(this.clock);
    this.sendResponse(response);
    this.sendEvent(new TerminatedEvent());
  }

  protected override customRequest(command: string, response: DebugProtocol.Response, body: never): void {
    this.machine.received.push(command);
    const answer = this.answers[command as keyof Answers];
    try {
      if (!answer) throw new Error(`The fake adapter does not know ${command}.`);
      response.body = answer(body);
      this.sendResponse(response);
    } catch (error) {
      this.sendErrorResponse(response, 1, (error as Error).message);
    }
  }

  private halt(): void {
    clearInterval(this.clock);
    this.tell(false);
    this.sendEvent(new StoppedEvent('breakpoint', 1));
  }

  private tell(running: boolean): void {
    const { virtualNs, hypercalls, blocked } = this.machine;
    const body: HyperstepEvents['hyperstep/activity'] = {
      running,
      position: 1_000,
      virtualNs,
      hypercalls,
      unanswered: blocked ? 1 : 0,
      vmExits: hypercalls,
    };
    this.sendEvent(new Event('hyperstep/activity', body));
  }
}

function answersOf(machine: FakeMachine): Answers {
  return {
    'hyperstep/hypercalls': ({ start, count }) => {
      const end = Math.min(start + count, machine.hypercalls);
      const length = Math.max(0, end - start);
      return {
        total: machine.hypercalls,
        unanswered: machine.blocked ? [machine.hypercalls - 1] : [],
        virtualNs: machine.virtualNs,
        calls: Array.from({ length }, (_, index) => machine.call(start + index)),
      };
    },
    'hyperstep/setVmExitBreakpoints': ({ reasons }) => {
      machine.exitBreakpoints = reasons;
      return {};
    },
    'hyperstep/setNumberFormat': () => ({}),
    'hyperstep/reloadHandlers': () => {
      throw new Error('handlers.c:7: number 20 is there twice');
    },
    'hyperstep/vmExits': () => ({
      total: machine.hypercalls,
      reasons: uncountedExits().map((exit) =>
        exit.title === 'VMCALL' ? { ...exit, count: machine.hypercalls, virtualNs: 56_000 } : exit,
      ),
    }),
    'hyperstep/registers': () => ({
      world: 'guest',
      groups: [
        {
          name: 'General',
          registers: ['RAX', 'RBX', 'RCX', 'RDX', 'RSI', 'RDI'].map((name, index) => ({
            name,
            value: index === 0 ? machine.rax : `0x${index.toString(16)}`,
            changed: index === 0,
            variablesReference: 1,
          })),
        },
        {
          name: 'Control',
          registers: [{ name: 'CR0', value: '0x80000011', changed: false, detail: 'PG ET PE' }],
        },
      ],
    }),
    'hyperstep/vmcs': () => ({
      vmcs: '0x110000',
      entry: { enters: true, rules: 174, violations: [] },
      groups: [
        {
          name: 'VM-execution control fields',
          fields: [
            {
              encoding: 0x4000,
              name: 'Pin-based VM-execution controls',
              kernelName: 'PIN_BASED_VM_EXEC_CONTROL',
              value: '0x9',
              width: 32,
              readOnly: false,
              changed: true,
              bits: [
                { name: 'External-interrupt exiting', set: true, implemented: true },
                { name: 'NMI exiting', set: false, implemented: true },
              ],
            },
          ],
        },
      ],
    }),
  };
}
