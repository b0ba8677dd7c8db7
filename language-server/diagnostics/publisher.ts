import type { Connection, Diagnostic } from 'vscode-languageserver';
import { fileOfUri } from '../workspace/uris.js';
import { isNasm } from '../workspace/workspace.js';
import type { Workspace } from '../workspace/workspace.js';
import { diagnose } from './diagnose.js';

/** Typing pauses this long before the program is assembled again. */
const DEBOUNCE_MS = 120;

/** Sends the diagnostics of programs when their files change. */
export class DiagnosticsPublisher {
  private readonly pending = new Map<string, ReturnType<typeof setTimeout>>();
  /** What each program said of each file: a file may be a part of several. */
  private readonly published = new Map<string, Map<string, readonly Diagnostic[]>>();

  constructor(
    private readonly workspace: Workspace,
    private readonly connection: Connection,
  ) {}

  /** Assembles the program of a document soon. */
  schedule(uri: string): void {
    const file = fileOfUri(uri);
    if (isNasm(file)) return;
    clearTimeout(this.pending.get(file));
    this.pending.set(
      file,
      setTimeout(() => {
        this.pending.delete(file);
        this.publishProgramOf(file);
      }, DEBOUNCE_MS),
    );
  }

  scheduleAll(): void {
    for (const { uri } of this.workspace.openDocuments) this.schedule(uri);
  }

  /** A document was closed: a program that is not open any more has nothing to say. */
  closed(uri: string): void {
    const file = fileOfUri(uri);
    clearTimeout(this.pending.get(file));
    this.pending.delete(file);
    const isNeeded = [...this.workspace.openDocuments].some(
      ({ uri: other }) => this.workspace.rootOf(fileOfUri(other)) === file,
    );
    if (!isNeeded) this.replace(file, new Map());
    this.scheduleAll();
  }

  private publishProgramOf(file: string): void {
    const root = this.workspace.rootOf(file);
    // A file that became a part of a program is not one by itself any more.
    if (root !== file) this.replace(file, new Map());
    const analysis = this.workspace.analyze(root);
    if (analysis) this.replace(root, diagnose(this.workspace, analysis));
  }

  /** Takes what a program says now, and sends what changed. `file`s that another tool reports on are named so too. */
  replace(source: string, byFile: ReadonlyMap<string, readonly Diagnostic[]>): void {
    const before = this.published.get(source);
    this.published.set(source, new Map(byFile));
    for (const file of new Set([...(before?.keys() ?? []), ...byFile.keys()])) {
      const old = before?.get(file) ?? [];
      const now = byFile.get(file) ?? [];
      if (JSON.stringify(old) !== JSON.stringify(now)) this.send(file);
    }
  }

  private send(file: string): void {
    const diagnostics = new Map<string, Diagnostic>();
    for (const byFile of this.published.values()) {
      for (const diagnostic of byFile.get(file) ?? [])
        diagnostics.set(JSON.stringify(diagnostic), diagnostic);
    }
    const uri = this.workspace.uriOf(file);
    void this.connection.sendDiagnostics({ uri, diagnostics: [...diagnostics.values()] });
  }
}
