import * as vscode from 'vscode';
import { LanguageClient } from 'vscode-languageclient/browser';
import type { MakeClient } from './languageSupport.js';

/** The client of a server that is a web worker. */
export const webClient =
  (extensionUri: vscode.Uri): MakeClient =>
  (options) => {
    const script = vscode.Uri.joinPath(extensionUri, 'dist', 'web', 'languageServer.js');
    const worker = new Worker(script.toString(true));
    return new LanguageClient('hyperstep', 'Hyperstep Assembly', worker, options);
  };
