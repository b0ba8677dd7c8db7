/** The language client with what belongs to it; who starts the server hands in how. */
import * as vscode from 'vscode';
import { CodeLensRequest } from 'vscode-languageclient';
import type { BaseLanguageClient, LanguageClientOptions } from 'vscode-languageclient';
import { clientOptions, serveClient } from './clientOptions.js';
import { HypercallLenses } from './hypercallLenses.js';
import { runToLine } from './runToLine.js';
import { attempt } from '../report.js';
import type { Sessions } from '../session.js';

export type MakeClient = (options: LanguageClientOptions) => BaseLanguageClient;

/** Starts the language server for assembly; disposing of the result stops it. */
export async function startLanguageSupport(
  extensionUri: vscode.Uri,
  sessions: Sessions,
  makeClient: MakeClient,
): Promise<vscode.Disposable> {
  const lenses = new HypercallLenses(sessions);
  const client = makeClient(await clientOptions(extensionUri, lenses));
  const served = serveClient(client);
  await client.start();
  return vscode.Disposable.from(
    lenses,
    served,
    lenses.onDidChange(() => refreshLenses(client)),
    vscode.commands.registerCommand('hyperstep.runToLine', (uri: string, line: number, program: string) =>
      attempt('The guest cannot be run to this line', () => runToLine(sessions, uri, line, program)),
    ),
    { dispose: () => void client.stop() },
  );
}

function refreshLenses(client: BaseLanguageClient): void {
  const feature = client.getFeature(CodeLensRequest.method);
  for (const document of vscode.workspace.textDocuments)
    feature?.getProvider(document)?.onDidChangeCodeLensEmitter.fire();
}
