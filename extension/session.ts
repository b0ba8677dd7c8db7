/** The debug session that the views show: typed requests, and events for what they must refresh on. */
import * as vscode from 'vscode';
import type { DebugProtocol } from '@vscode/debugprotocol';
import type { HyperstepEvents, HyperstepRequests } from '../debug-adapter/protocol.js';

export const DEBUG_TYPE = 'hyperstep';

type Activity = HyperstepEvents['hyperstep/activity'];
type CustomEvent = {
  [Name in keyof HyperstepEvents]: { event: Name; body: HyperstepEvents[Name] };
}[keyof HyperstepEvents];

/** One Hyperstep session, from its start to its end. */
export class Session {
  activity: Activity = { running: true, position: 0, virtualNs: 0, hypercalls: 0, unanswered: 0, vmExits: 0 };
  /** The thread that stopped last: what is shown until the user selects another one. */
  stoppedThread: number | undefined;
  ended = false;

  constructor(readonly debugSession: vscode.DebugSession) {}

  get running(): boolean {
    return this.activity.running && !this.ended;
  }

  /** Sends a request of `HyperstepRequests`; rejects with the adapter's message. */
  async request<Name extends keyof HyperstepRequests>(
    name: Name,
    body: HyperstepRequests[Name]['arguments'],
  ): Promise<HyperstepRequests[Name]['body']> {
    if (this.ended) throw new Error('The debug session is over.');
    return (await this.debugSession.customRequest(name, body)) as HyperstepRequests[Name]['body'];
  }

  /** The `setVariable` request of the protocol, for registers that the adapter made editable. */
  async setVariable(variablesReference: number, name: string, value: string): Promise<void> {
    await this.debugSession.customRequest('setVariable', { variablesReference, name, value });
  }

  /** The thread and frame that are selected in the Call Stack view. */
  get selection(): { threadId?: number; frameId?: number } {
    const item = vscode.debug.activeStackItem;
    if (item?.session.id !== this.debugSession.id) return { threadId: this.stoppedThread };
    return item instanceof vscode.DebugStackFrame
      ? { threadId: item.threadId, frameId: item.frameId }
      : { threadId: item.threadId };
  }
}

/**
 * Follows all Hyperstep sessions and tells of the one that the user looks at. After its end that session stays the
 * current one, so that the views can show what happened, until another starts.
 */
export class Sessions implements vscode.Disposable {
  private readonly sessions = new Map<string, Session>();
  private readonly disposables: vscode.Disposable[] = [];
  private readonly changed = new vscode.EventEmitter<Session | undefined>();
  private readonly initialized = new vscode.EventEmitter<Session>();
  private readonly stopped = new vscode.EventEmitter<Session>();
  private readonly active = new vscode.EventEmitter<Session>();
  private readonly diagnostics = new vscode.EventEmitter<HyperstepEvents['hyperstep/diagnostics']>();
  private readonly build = new vscode.EventEmitter<HyperstepEvents['hyperstep/build']>();

  /** Another session became the current one, or the current one ended. */
  readonly onDidChange = this.changed.event;
  /**
   * The adapter is ready for breakpoints. VS Code has not seen that event yet: a request sent synchronously by a listener
   * reaches the adapter before `configurationDone`.
   */
  readonly onDidInitialize = this.initialized.event;
  /** The current session stopped or is about to end, or the user selected another thread or frame of it. */
  readonly onDidStop = this.stopped.event;
  /** The current session tells how far it is. */
  readonly onActivity = this.active.event;
  readonly onDiagnostics = this.diagnostics.event;
  readonly onBuild = this.build.event;

  current: Session | undefined;

  constructor() {
    this.disposables.push(
      vscode.debug.onDidStartDebugSession((session) => this.select(session)),
      vscode.debug.onDidChangeActiveDebugSession((session) => this.select(session)),
      vscode.debug.onDidTerminateDebugSession((session) => this.end(session)),
      vscode.debug.onDidReceiveDebugSessionCustomEvent((event) => this.receive(event)),
      vscode.debug.onDidChangeActiveStackItem(() => {
        if (this.current && !this.current.running) this.stopped.fire(this.current);
      }),
      vscode.debug.registerDebugAdapterTrackerFactory(DEBUG_TYPE, {
        createDebugAdapterTracker: (session) => ({
          onDidSendMessage: (message: DebugProtocol.ProtocolMessage) => this.follow(session, message),
          onExit: (code) => this.reportCrash(code),
        }),
      }),
    );
  }

  dispose(): void {
    vscode.Disposable.from(...this.disposables).dispose();
  }

  private of(debugSession: vscode.DebugSession): Session {
    let session = this.sessions.get(debugSession.id);
    if (!session) {
      session = new Session(debugSession);
      this.sessions.set(debugSession.id, session);
    }
    return session;
  }

  private select(debugSession: vscode.DebugSession | undefined): void {
    if (debugSession?.type !== DEBUG_TYPE) return;
    const session = this.of(debugSession);
    if (session === this.current) return;
    this.current = session;
    this.changed.fire(session);
  }

  private end(debugSession: vscode.DebugSession): void {
    const session = this.sessions.get(debugSession.id);
    if (!session) return;
    session.ended = true;
    this.sessions.delete(debugSession.id);
    if (session === this.current) this.changed.fire(session);
  }

  private receive({ session: debugSession, ...custom }: vscode.DebugSessionCustomEvent): void {
    if (debugSession.type !== DEBUG_TYPE) return;
    const session = this.of(debugSession);
    const { event, body } = custom as CustomEvent;
    switch (event) {
      case 'hyperstep/activity':
        session.activity = body;
        if (session === this.current) this.active.fire(session);
        break;
      case 'hyperstep/diagnostics':
        this.diagnostics.fire(body);
        break;
      case 'hyperstep/build':
        this.build.fire(body);
        break;
    }
  }

  /** VS Code takes an adapter that ended for a session that is over, and says nothing. */
  private reportCrash(exitCode: number | undefined): void {
    if (!exitCode) return;
    const message = `Hyperstep's debug adapter ended unexpectedly (exit code ${exitCode}). Its last words are in the Debug Console.`;
    void vscode.window.showErrorMessage(message);
  }

  private follow(debugSession: vscode.DebugSession, message: DebugProtocol.ProtocolMessage): void {
    if (message.type !== 'event') return;
    const session = this.of(debugSession);
    const { event, body } = message as DebugProtocol.Event;
    if (event === 'initialized') {
      this.initialized.fire(session);
    } else if (event === 'stopped') {
      session.stoppedThread = (body as DebugProtocol.StoppedEvent['body']).threadId;
      session.activity = { ...session.activity, running: false };
      if (session === this.current) this.stopped.fire(session);
    } else if (event === 'terminated') {
      // The last look at the machine: what is requested now reaches the adapter before VS Code's `disconnect`.
      session.activity = { ...session.activity, running: false };
      if (session === this.current) this.stopped.fire(session);
    }
  }
}
