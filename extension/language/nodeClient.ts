import * as vscode from 'vscode';
import { LanguageClient, TransportKind } from 'vscode-languageclient/node';
import type { MakeClient } from './languageSupport.js';

/** The client of a server that is a process of its own. */
export const nodeClient =
  (extensionUri: vscode.Uri): MakeClient =>
  (options) => {
    const module = vscode.Uri.joinPath(extensionUri, 'dist', 'languageServer.cjs').fsPath;
    const server = { module, transport: TransportKind.ipc };
    return new LanguageClient('hyperstep', 'Hyperstep Assembly', server, options);
  };
