import * as vscode from 'vscode';
import { log, messageOf } from './report.js';
import type { Sessions } from './session.js';

const STATE_KEY = 'viewsRevealed';

/** In the order of opening: the view that matters most comes last and gets the attention. */
const VIEWS = ['hyperstep.vmExits', 'hyperstep.registers', 'hyperstep.hypercalls'];

/**
 * VS Code starts views that an extension adds to the Run and Debug container collapsed. Opens them in a workspace when
 * there is something to see for the first time: a stop, or a hypercall of a machine that runs on. After that the user's
 * own arrangement counts.
 */
export function revealViewsOnce(sessions: Sessions, state: vscode.Memento): vscode.Disposable {
  const subscriptions = [
    sessions.onDidStop(() => void reveal()),
    sessions.onActivity(({ activity }) => {
      if (activity.hypercalls > 0) void reveal();
    }),
  ];
  async function reveal(): Promise<void> {
    for (const subscription of subscriptions.splice(0)) subscription.dispose();
    if (state.get<boolean>(STATE_KEY)) return;
    try {
      for (const view of VIEWS) {
        await vscode.commands.executeCommand(`${view}.focus`, { preserveFocus: true });
      }
      await state.update(STATE_KEY, true);
    } catch (error) {
      log.debug(`Views cannot be revealed: ${messageOf(error)}`);
    }
  }
  return new vscode.Disposable(() => {
    for (const subscription of subscriptions.splice(0)) subscription.dispose();
  });
}
