import type { TextDocument } from 'vscode-languageserver-textdocument';
import { analyze } from '../../toolchain/assembler/analyze.js';
import type { Analysis } from '../../toolchain/assembler/analysis.js';
import { DEFAULT_SETTINGS } from '../settings.js';
import type { AssemblySettings } from '../settings.js';
import { IncludeGraph } from './includeGraph.js';
import type { SourceFiles } from './sourceFiles.js';
import { fileOfUri, folderOf, resolveFile, uriOfFile } from './uris.js';

interface CachedAnalysis {
  readonly analysis: Analysis;
  /** A file that it was made from has changed since. */
  isStale: boolean;
}

/** Sources of these names are read by an assembler of their own. */
export const isNasm = (file: string): boolean => /\.(asm|nasm)$/i.test(file);

/** Sources that this server has something to say about while they are typed. */
export const isAssembly = (file: string): boolean => /\.(s|sx|asm|nasm|inc)$/i.test(file);

/** The open documents and what the assembler knows of them. */
export class Workspace {
  settings: AssemblySettings = DEFAULT_SETTINGS;
  readonly includeGraph = new IncludeGraph();
  private readonly documents = new Map<string, TextDocument>();
  private readonly uris = new Map<string, string>();
  private readonly analyses = new Map<string, CachedAnalysis>();

  constructor(private readonly files: SourceFiles) {}

  get openDocuments(): Iterable<TextDocument> {
    return this.documents.values();
  }

  document(uri: string): TextDocument | undefined {
    return this.documents.get(fileOfUri(uri));
  }

  /** The URI under which the editor knows a file. */
  uriOf(file: string): string {
    return this.uris.get(file) ?? uriOfFile(file);
  }

  isOpen(file: string): boolean {
    return this.documents.has(file);
  }

  /** Takes the newest text of an open document. */
  update(document: TextDocument): void {
    const file = fileOfUri(document.uri);
    this.documents.set(file, document);
    this.uris.set(file, document.uri);
    if (!isNasm(file)) this.includeGraph.set(file, document.getText());
    this.invalidate(file);
  }

  close(uri: string): void {
    const file = fileOfUri(uri);
    this.documents.delete(file);
    this.analyses.delete(file);
    this.files.forget(file);
    this.invalidate(file);
  }

  /** A file changed on disk, came or went. */
  fileChanged(file: string): void {
    this.files.forget(file);
    this.fileArrived(file);
  }

  /** The content of a file that had to be asked for is there. */
  fileArrived(file: string): void {
    if (isAssembly(file)) this.readIncludes(file);
    this.invalidate(file);
  }

  /** Takes a source of the workspace that need not be open. */
  addSource(file: string): void {
    if (!this.isOpen(file) && !isNasm(file)) this.readIncludes(file);
  }

  private readIncludes(file: string): void {
    if (this.isOpen(file)) return;
    const text = this.text(file);
    if (text === undefined) this.includeGraph.delete(file);
    else this.includeGraph.set(file, text);
  }

  /** Makes every analysis that a file went into, or may go into now, stale. */
  private invalidate(file: string): void {
    for (const [root, cached] of this.analyses) {
      const { analysis } = cached;
      const isMissed = analysis.diagnostics.some(({ message }) => message.startsWith('cannot find'));
      if (root === file || analysis.files.includes(file) || isMissed) cached.isStale = true;
    }
  }

  invalidateAll(): void {
    for (const cached of this.analyses.values()) cached.isStale = true;
  }

  /** The text of a file, as it is in its editor or on disk. */
  text(file: string): string | undefined {
    const open = this.documents.get(file);
    if (open) return open.getText();
    const bytes = this.files.read(file);
    return bytes && new TextDecoder().decode(bytes);
  }

  /** The file that is assembled when this one is: itself, or the program that includes it. */
  rootOf(file: string): string {
    for (const root of this.includeGraph.rootsOf(file)) {
      if (this.analyze(root)?.files.includes(file)) return root;
    }
    return file;
  }

  /** What the assembler says of a document now; undefined for a file that it does not read. */
  analysis(uri: string): Analysis | undefined {
    const file = fileOfUri(uri);
    return isNasm(file) ? undefined : this.analyze(this.rootOf(file));
  }

  /**
   * The newest analysis there is, perhaps of an older text: for answers while the user types, which must not wait. The
   * first one is waited for.
   */
  latestAnalysis(uri: string): Analysis | undefined {
    const file = fileOfUri(uri);
    for (const root of [...this.includeGraph.rootsOf(file), file]) {
      const cached = this.analyses.get(root);
      if (cached?.analysis.files.includes(file)) return cached.analysis;
    }
    return this.analysis(uri);
  }

  /** The analysis of a file as a program of its own. */
  analyze(file: string): Analysis | undefined {
    const cached = this.analyses.get(file);
    if (cached && !cached.isStale) return cached.analysis;
    const source = this.text(file);
    if (source === undefined) return undefined;
    const analysis = analyze({
      fileName: file,
      source,
      bits: this.settings.bits,
      defines: this.settings.defines,
      readInclude: (path, fromFile) => this.readInclude(path, fromFile),
    });
    this.analyses.set(file, { analysis, isStale: false });
    return analysis;
  }

  /** The sources of the workspace that are programs: nobody includes them. */
  programs(): string[] {
    return [...this.includeGraph.files].filter((file) => this.includeGraph.rootsOf(file).length === 0);
  }

  private readInclude(path: string, fromFile: string): { fileName: string; bytes: Uint8Array } | undefined {
    for (const folder of [folderOf(fromFile), ...this.settings.includeFolders]) {
      const fileName = resolveFile(folder, path);
      const open = this.documents.get(fileName);
      const bytes = open ? new TextEncoder().encode(open.getText()) : this.files.read(fileName);
      if (bytes) return { fileName, bytes };
    }
    return undefined;
  }
}
