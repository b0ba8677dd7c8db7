import * as vscode from 'vscode';
import type { NumberFormat } from './format.js';
import { attempt } from './report.js';
import type { Session, Sessions } from './session.js';

const STATE_KEY = 'numberFormat';

/** The one hex/decimal toggle for Hyperstep's views and, through the adapter, for VS Code's Variables view. */
export class NumberFormatSetting implements vscode.Disposable {
  private readonly changed = new vscode.EventEmitter<void>();
  readonly onDidChange = this.changed.event;
  private readonly subscription: vscode.Disposable;
  format: NumberFormat;

  constructor(
    private readonly sessions: Sessions,
    private readonly state: vscode.Memento,
  ) {
    this.format = state.get<NumberFormat>(STATE_KEY, 'hex');
    this.subscription = sessions.onDidInitialize((session) => void this.send(session));
  }

  dispose(): void {
    vscode.Disposable.from(this.subscription, this.changed).dispose();
  }

  async toggle(): Promise<void> {
    this.format = this.format === 'hex' ? 'decimal' : 'hex';
    await this.state.update(STATE_KEY, this.format);
    const session = this.sessions.current;
    if (session && !session.ended) await this.send(session);
    this.changed.fire();
  }

  private async send(session: Session): Promise<void> {
    await attempt('The number format cannot be changed', async () => {
      await session.request('hyperstep/setNumberFormat', { format: this.format });
    });
  }
}
