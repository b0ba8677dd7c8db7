/** The DAP server: takes requests, finds their handler, sends the answer or the error. What they do stands elsewhere. */
import { DebugSession, Event, Response } from '@vscode/debugadapter';
import type { DebugProtocol } from '@vscode/debugprotocol';
import { ExpressionError } from '../../toolchain/debuginfo/expression.js';
import type { HyperstepEvents, HyperstepLaunchArguments } from '../protocol.js';
import { VariableError } from '../variables/numberFormat.js';
import { ActiveSession } from './activeSession.js';
import { capabilities } from './capabilities.js';
import { launchDebuggee } from './launchDebuggee.js';
import { RequestError } from './requestError.js';
import type { Outbox, Requests } from './requests.js';
import type { SessionServices } from './services.js';
import { sessionRequests } from './sessionRequests.js';

/** What a user can cause; anything else is a defect, and its place in the code is told. */
const USER_ERRORS = [RequestError, VariableError, ExpressionError];

type Handler = (args: unknown) => unknown;

export class HyperstepSession extends DebugSession implements Outbox {
  private active: ActiveSession | undefined;
  private launchArguments: HyperstepLaunchArguments | undefined;
  /** Requests of a session that may come before there is a machine: answered when there is one. */
  private readonly early: ((session: ActiveSession) => void)[] = [];
  private readonly lifecycle: Readonly<Record<string, Handler>> = {
    initialize: (args) => this.initialize(args as DebugProtocol.InitializeRequestArguments),
    launch: (args) => this.launch(args as HyperstepLaunchArguments),
    restart: (args) => this.restart(args as DebugProtocol.RestartArguments),
    terminate: () => this.terminate(),
    disconnect: () => this.disconnect(),
  };

  constructor(private services: SessionServices) {
    super();
  }

  event<Name extends keyof HyperstepEvents>(name: Name, body: HyperstepEvents[Name]): void;
  event(name: string, body: object): void;
  event(name: string, body: object): void {
    this.sendEvent(new Event(name, body));
  }

  protected override dispatchRequest(request: DebugProtocol.Request): void {
    this.answer(request).catch((error: unknown) => this.refuse(request, error));
  }

  private async answer(request: DebugProtocol.Request): Promise<void> {
    const body = await this.handle(request.command, (request.arguments ?? {}) as unknown);
    const response: DebugProtocol.Response = new Response(request);
    if (body !== undefined) response.body = body;
    this.sendResponse(response);
    if (request.command === 'disconnect') setTimeout(() => this.shutdown(), 0);
  }

  private handle(command: string, args: unknown): unknown {
    if (command in this.lifecycle) return this.lifecycle[command](args);
    if (!(command in sessionRequests)) throw new RequestError(`'${command}' is not supported`);
    const handler = sessionRequests[command as keyof Requests] as (
      session: ActiveSession,
      args: unknown,
    ) => unknown;
    if (this.active) return handler(this.active, args);
    if (command === 'hyperstep/setVmExitBreakpoints' || command === 'hyperstep/setNumberFormat') {
      this.early.push((session) => handler(session, args));
      return {};
    }
    throw new RequestError('no program is launched');
  }

  private refuse(request: DebugProtocol.Request, error: unknown): void {
    const message = error instanceof Error ? error.message : String(error);
    if (error instanceof Error && !USER_ERRORS.some((kind) => error instanceof kind))
      process.stderr.write(`${request.command}: ${error.stack ?? message}\n`);
    this.sendErrorResponse(new Response(request), {
      id: 1,
      // The library masks variables whose names do not begin with an underscore.
      format: '{_message}',
      variables: { _message: message },
      showUser: error instanceof RequestError && error.showUser,
    });
  }

  // -------------------------------------------------------------- the life of a session

  private initialize({ clientID }: DebugProtocol.InitializeRequestArguments): DebugProtocol.Capabilities {
    this.services = { ...this.services, client: clientID };
    return capabilities;
  }

  private async launch(args: HyperstepLaunchArguments): Promise<void> {
    this.launchArguments = args;
    const launch = await launchDebuggee(args, this.services, this);
    this.begin(new ActiveSession(launch, this.services, this));
    // Only now are there symbols to set breakpoints on.
    this.event('initialized', {});
  }

  private begin(session: ActiveSession): void {
    this.active = session;
    for (const request of this.early.splice(0)) request(session);
  }

  /** The same program built anew; breakpoints stay. */
  private async restart(args: DebugProtocol.RestartArguments): Promise<void> {
    const changed = args.arguments as HyperstepLaunchArguments | undefined;
    const again = changed ?? this.launchArguments;
    if (!again) throw new RequestError('nothing was launched yet');
    const old = this.active;
    await old?.quiet();
    const launch = await launchDebuggee(again, this.services, this);
    this.launchArguments = again;
    const session = new ActiveSession(launch, this.services, this, old?.breakpoints);
    this.begin(session);
    session.start();
  }

  private async terminate(): Promise<void> {
    await this.active?.quiet();
    this.event('terminated', {});
  }

  private async disconnect(): Promise<void> {
    await this.active?.quiet();
  }
}
