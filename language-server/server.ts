/** The server: it routes messages to the workspace and the features, and does nothing else. */
import { TextDocumentSyncKind } from 'vscode-languageserver';
import type { Connection, InitializeResult } from 'vscode-languageserver';
import { TextDocument } from 'vscode-languageserver-textdocument';
import type { Platform } from '../toolchain/platform.js';
import { diagnoseSaved } from './diagnostics/compilers.js';
import { DiagnosticsPublisher } from './diagnostics/publisher.js';
import { capabilities, features } from './features/index.js';
import { COMPILED_SOURCE_SAVED, SOURCE_CHANGED } from './protocol.js';
import type { FileReference, InitializationOptions, SavedSource } from './protocol.js';
import { readSettings } from './settings.js';
import type { SourceFiles } from './workspace/sourceFiles.js';
import { fileOfUri } from './workspace/uris.js';
import { isAssembly, Workspace } from './workspace/workspace.js';

export interface ServerServices {
  readonly files: SourceFiles;
  /** For compilers; undefined where there are no processes. */
  readonly platform: Platform | undefined;
}

/** Answers a client until the connection ends. */
export function startServer(connection: Connection, { files, platform }: ServerServices): void {
  const workspace = new Workspace(files);
  const publisher = new DiagnosticsPublisher(workspace, connection);
  const documents = new Map<string, TextDocument>();
  let ownFolders: readonly string[] = [];

  const changed = (document: TextDocument): void => {
    documents.set(document.uri, document);
    if (!isAssembly(fileOfUri(document.uri))) return;
    workspace.update(document);
    publisher.schedule(document.uri);
  };
  const fileChanged = (file: string): void => {
    workspace.fileChanged(file);
    publisher.scheduleAll();
  };
  const checkSaved = async (uri: string, text: string): Promise<void> => {
    if (!platform) return;
    const file = fileOfUri(uri);
    const found = await diagnoseSaved(workspace, platform, file, text);
    if (found) publisher.replace(file, found);
  };

  connection.onInitialize(({ initializationOptions }): InitializeResult => {
    const options = initializationOptions as Partial<InitializationOptions> | undefined;
    ownFolders = options?.includeFolders ?? [];
    workspace.settings = readSettings(options?.settings, ownFolders);
    for (const uri of options?.sources ?? []) workspace.addSource(fileOfUri(uri));
    const textDocumentSync = {
      openClose: true,
      change: TextDocumentSyncKind.Incremental,
      save: true,
    } as const;
    return { capabilities: { ...capabilities, textDocumentSync } };
  });
  connection.onDidChangeConfiguration(({ settings }) => {
    workspace.settings = readSettings(settings, ownFolders);
    workspace.invalidateAll();
    publisher.scheduleAll();
    void connection.languages.inlayHint.refresh();
  });
  connection.onDidOpenTextDocument(({ textDocument: { uri, languageId, version, text } }) => {
    changed(TextDocument.create(uri, languageId, version, text));
    void checkSaved(uri, text);
  });
  connection.onDidChangeTextDocument(({ textDocument: { uri, version }, contentChanges }) => {
    const document = documents.get(uri);
    if (document) changed(TextDocument.update(document, contentChanges, version));
  });
  connection.onDidCloseTextDocument(({ textDocument: { uri } }) => {
    documents.delete(uri);
    workspace.close(uri);
    publisher.closed(uri);
  });
  connection.onDidSaveTextDocument(({ textDocument: { uri } }) => {
    const document = documents.get(uri);
    if (document) void checkSaved(uri, document.getText());
  });
  connection.onNotification(
    COMPILED_SOURCE_SAVED,
    ({ uri, text }: SavedSource) => void checkSaved(uri, text),
  );
  connection.onNotification(SOURCE_CHANGED, ({ uri }: FileReference) => fileChanged(fileOfUri(uri)));
  files.onArrival = (file) => {
    workspace.fileArrived(file);
    publisher.scheduleAll();
  };
  for (const { method, answer } of features)
    connection.onRequest(method, (parameters: unknown) => answer(workspace, parameters));
  connection.listen();
}
