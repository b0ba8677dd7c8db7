/** Reloading the user's hypercall handlers into the running machine. */
import * as vscode from 'vscode';
import { attempt } from './report.js';
import type { Session, Sessions } from './session.js';

const HAS_HANDLERS = 'hyperstep.hasHandlers';
const FAILED = 'The hypercall handlers cannot be reloaded';

export async function reloadHandlers(session: Session | undefined): Promise<void> {
  if (!session || session.ended) throw new Error('no Hyperstep session is running.');
  const { handlers } = await session.request('hyperstep/reloadHandlers', {});
  const names = handlers.map(({ nr, name }) => `${nr} ${name}`).join(', ');
  vscode.window.setStatusBarMessage(`$(check) Hypercall handlers reloaded: ${names || 'none'}`, 5_000);
}

/** Offers a reload when the handlers file of the session is saved, and tells `when` clauses that there is one. */
export function offerReload(sessions: Sessions): vscode.Disposable {
  return vscode.Disposable.from(
    sessions.onDidChange((session) => {
      const present = session !== undefined && !session.ended && handlersFile(session) !== undefined;
      void vscode.commands.executeCommand('setContext', HAS_HANDLERS, present);
    }),
    vscode.workspace.onDidSaveTextDocument(async (document) => {
      const session = sessions.current;
      if (!session || session.ended || document.uri.fsPath !== handlersFile(session)) return;
      const reload = 'Reload';
      const answer = await vscode.window.showInformationMessage(
        `${vscode.workspace.asRelativePath(document.uri)} has changed. Reload the hypercall handlers into the machine?`,
        reload,
      );
      if (answer === reload) await attempt(FAILED, () => reloadHandlers(session));
    }),
  );
}

export function reloadCommand(sessions: Sessions): () => Promise<void> {
  return () => attempt(FAILED, () => reloadHandlers(sessions.current));
}

function handlersFile(session: Session): string | undefined {
  const { handlers } = session.debugSession.configuration as { handlers?: string };
  return handlers;
}
