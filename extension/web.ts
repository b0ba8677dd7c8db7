/** Activation in the browser: the language of guests. */
import type * as vscode from 'vscode';
import { startLanguageSupport } from './language/languageSupport.js';
import { webClient } from './language/webClient.js';
import { attempt } from './report.js';
import { Sessions } from './session.js';

export function activate(context: vscode.ExtensionContext): void {
  const sessions = new Sessions();
  context.subscriptions.push(sessions);
  const { extensionUri } = context;
  void attempt('The language server cannot be started', async () => {
    context.subscriptions.push(await startLanguageSupport(extensionUri, sessions, webClient(extensionUri)));
  });
}
