/** What a build of guest or handlers has to say: its errors in the Problems view, its progress when it takes long. */
import * as vscode from 'vscode';
import type { HyperstepEvents } from '../debug-adapter/protocol.js';
import type { Sessions } from './session.js';

type Diagnostics = HyperstepEvents['hyperstep/diagnostics']['diagnostics'];

/** A shorter build is over before a notification could be read. */
const PROGRESS_AFTER_MS = 500;

export function showDiagnostics(sessions: Sessions): vscode.Disposable {
  const collection = vscode.languages.createDiagnosticCollection('hyperstep');
  const subscription = sessions.onDiagnostics(({ diagnostics }) => {
    collection.clear();
    for (const file of new Set(diagnostics.map((diagnostic) => diagnostic.file))) {
      const ofFile = diagnostics.filter((diagnostic) => diagnostic.file === file);
      const uri = vscode.Uri.file(file);
      const shown = vscode.languages.getDiagnostics(uri);
      collection.set(
        uri,
        ofFile.map(toDiagnostic).filter((diagnostic) => !shown.some((other) => isSame(other, diagnostic))),
      );
    }
  });
  return vscode.Disposable.from(collection, subscription);
}

/** The language server says the same while the file is open, and takes it back when the user mends it. */
const isSame = (left: vscode.Diagnostic, right: vscode.Diagnostic): boolean =>
  left.source === right.source &&
  left.message === right.message &&
  left.range.start.line === right.range.start.line;

function toDiagnostic({
  severity,
  line,
  column,
  endColumn,
  message,
}: Diagnostics[number]): vscode.Diagnostic {
  const range = new vscode.Range(line - 1, column - 1, line - 1, Math.max(column, endColumn) - 1);
  const diagnostic = new vscode.Diagnostic(
    range,
    message,
    severity === 'error' ? vscode.DiagnosticSeverity.Error : vscode.DiagnosticSeverity.Warning,
  );
  diagnostic.source = 'hyperstep';
  return diagnostic;
}

export function showBuildProgress(sessions: Sessions): vscode.Disposable {
  let finish: (() => void) | undefined;
  const end = (): void => {
    finish?.();
    finish = undefined;
  };
  return vscode.Disposable.from(
    sessions.onBuild(({ phase, title }) => {
      end();
      if (phase === 'begin') finish = begin(title);
    }),
    sessions.onDidChange(() => {
      if (sessions.current?.ended) end();
    }),
    { dispose: end },
  );
}

/** Shows progress when the build still runs after half a second; answers how to end it. */
function begin(title: string): () => void {
  let end: () => void = () => undefined;
  const over = new Promise<void>((resolve) => {
    end = resolve;
  });
  const timer = setTimeout(() => {
    const location = vscode.ProgressLocation.Notification;
    void vscode.window.withProgress({ location, title: `Hyperstep: ${title}` }, () => over);
  }, PROGRESS_AFTER_MS);
  return () => {
    clearTimeout(timer);
    end();
  };
}
