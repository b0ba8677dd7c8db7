/** Code lenses at hypercalls: in a session the registers before and after the last call of each line. */
import * as vscode from 'vscode';
import type { HypercallRecord } from '../../debug-adapter/protocol.js';
import type { Session, Sessions } from '../session.js';
import { lensTitle } from './lensTitle.js';

/** Of a longer log the newest calls are enough. */
const MOST_CALLS = 200;

type Provide = (
  document: vscode.TextDocument,
  token: vscode.CancellationToken,
) => vscode.ProviderResult<vscode.CodeLens[]>;

/** Adds what the current session knows to the server's lenses. */
export class HypercallLenses implements vscode.Disposable {
  private readonly changed = new vscode.EventEmitter<void>();
  /** Lenses must be asked for again. */
  readonly onDidChange = this.changed.event;
  private last = new Map<string, HypercallRecord>();
  private known = -1;
  private readonly disposables: vscode.Disposable;

  constructor(private readonly sessions: Sessions) {
    this.disposables = vscode.Disposable.from(
      this.changed,
      sessions.onDidStop((session) => void this.refresh(session)),
      sessions.onActivity((session) => void this.refresh(session)),
      sessions.onDidChange(() => this.forget()),
    );
  }

  dispose(): void {
    this.disposables.dispose();
  }

  async provide(
    document: vscode.TextDocument,
    token: vscode.CancellationToken,
    next: Provide,
  ): Promise<vscode.CodeLens[]> {
    const lenses = (await next(document, token)) ?? [];
    return lenses.flatMap((lens) => {
      const call = this.last.get(key(document.uri.fsPath, lens.range.start.line + 1));
      if (!call) return [lens];
      const command = { title: lensTitle(call), command: 'hyperstep.hypercalls.focus' };
      return [lens, new vscode.CodeLens(lens.range, command)];
    });
  }

  private forget(): void {
    if (this.sessions.current && !this.sessions.current.ended) {
      this.last.clear();
      this.known = -1;
    }
    this.changed.fire();
  }

  /** Asks for the newest calls when there are more than before. */
  private async refresh(session: Session): Promise<void> {
    if (session !== this.sessions.current) return;
    const { hypercalls, unanswered } = session.activity;
    const state = hypercalls * 2 + Math.min(1, unanswered);
    if (state === this.known && session.running) return;
    this.known = state;
    let calls: HypercallRecord[];
    try {
      const start = Math.max(0, hypercalls - MOST_CALLS);
      ({ calls } = await session.request('hyperstep/hypercalls', { start, count: MOST_CALLS }));
    } catch {
      // The session ended while it was asked: what was known stays.
      return;
    }
    this.last = new Map(
      calls.flatMap((call) =>
        call.source ? [[key(call.source.file, call.source.line), call] as const] : [],
      ),
    );
    this.changed.fire();
  }
}

const key = (file: string, line: number): string => `${file.toLowerCase()}:${line}`;
