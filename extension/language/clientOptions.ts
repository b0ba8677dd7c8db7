/** How VS Code talks to the language server, the same in Node and in the browser. */
import * as vscode from 'vscode';
import { DidChangeConfigurationNotification } from 'vscode-languageclient';
import type { BaseLanguageClient, LanguageClientOptions } from 'vscode-languageclient';
import { COMPILED_SOURCE_SAVED, READ_FILE, SOURCE_CHANGED } from '../../language-server/protocol.js';
import type { FileReference, InitializationOptions, SavedSource } from '../../language-server/protocol.js';
import type { HypercallLenses } from './hypercallLenses.js';

const SECTION = 'hyperstep.assembly';
const LANGUAGES = ['hyperstep-gas', 'hyperstep-nasm'];
/** What programs are made of. Headers are no programs, but programs change with them. */
const SOURCES = '**/*.{S,s,sx,inc}';
const SOURCES_AND_HEADERS = '**/*.{S,s,sx,inc,h}';
const MOST_SOURCES = 2_000;

const settings = (): unknown => vscode.workspace.getConfiguration().get(SECTION);

/** The options of a client whose server finds the extension's headers. */
export async function clientOptions(
  extensionUri: vscode.Uri,
  lenses: HypercallLenses,
): Promise<LanguageClientOptions> {
  const headers = vscode.Uri.joinPath(extensionUri, 'hypervisors', 'include');
  const sources = await vscode.workspace.findFiles(SOURCES, '**/node_modules/**', MOST_SOURCES);
  const initializationOptions: InitializationOptions = {
    includeFolders: [headers.scheme === 'file' ? headers.fsPath : headers.toString(true)],
    settings: settings(),
    sources: sources.map(String),
  };
  return {
    documentSelector: LANGUAGES.map((language) => ({ language })),
    initializationOptions,
    middleware: { provideCodeLenses: (document, token, next) => lenses.provide(document, token, next) },
  };
}

/** Keeps the server told of settings, files and saved C sources, and gives it the files that it asks for. */
export function serveClient(client: BaseLanguageClient): vscode.Disposable {
  const watcher = vscode.workspace.createFileSystemWatcher(SOURCES_AND_HEADERS);
  const changed = (uri: vscode.Uri): void =>
    void client.sendNotification(SOURCE_CHANGED, { uri: uri.toString() } satisfies FileReference);
  return vscode.Disposable.from(
    watcher,
    watcher.onDidCreate(changed),
    watcher.onDidChange(changed),
    watcher.onDidDelete(changed),
    vscode.workspace.onDidChangeConfiguration((event) => {
      if (event.affectsConfiguration(SECTION))
        void client.sendNotification(DidChangeConfigurationNotification.type, { settings: settings() });
    }),
    vscode.workspace.onDidSaveTextDocument((document) => {
      if (document.languageId !== 'c') return;
      const saved: SavedSource = { uri: document.uri.toString(), text: document.getText() };
      void client.sendNotification(COMPILED_SOURCE_SAVED, saved);
    }),
    client.onRequest(READ_FILE, async ({ uri }: FileReference) => {
      try {
        return toBase64(await vscode.workspace.fs.readFile(vscode.Uri.parse(uri)));
      } catch (error) {
        // A header that is looked for in several folders is in one of them only.
        if (error instanceof vscode.FileSystemError) return null;
        throw error;
      }
    }),
  );
}

function toBase64(bytes: Uint8Array): string {
  let letters = '';
  for (const byte of bytes) letters += String.fromCharCode(byte);
  return btoa(letters);
}
