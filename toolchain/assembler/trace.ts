import type { AnalyzedMacro, AnalyzedPreprocessorMacro, IncludeEdge, LineState } from './analysis.js';
import type { Assembly } from './assembly.js';
import type { MacroParameter } from './macroArguments.js';
import type { PreprocessorMacro } from './preprocessorMacros.js';
import type { Subsection } from './sections.js';
import type { SourceText } from './source.js';

/** A statement with the fragments that it made. */
export interface StatementRecord {
  readonly source: SourceText;
  readonly state: LineState;
  readonly chunk: Subsection;
  readonly from: number;
  to: number;
}

export interface TracedFile {
  readonly name: string;
  readonly lines: readonly string[];
  readonly preprocessed: boolean;
  /** By line number; holes belong to the line above. */
  readonly states: LineState[];
}

/** Collects, while a source is assembled, what an editor wants to know of it. */
export class AssemblyTrace {
  readonly statements: StatementRecord[] = [];
  readonly files = new Map<string, TracedFile>();
  readonly includes: IncludeEdge[] = [];
  readonly macros = new Map<string, AnalyzedMacro>();
  readonly preprocessorMacros = new Map<string, AnalyzedPreprocessorMacro>();
  private readonly open: StatementRecord[] = [];
  private lastState: LineState | undefined;

  file(name: string, content: string, preprocessed: boolean): void {
    if (this.files.has(name)) return;
    const lines = content.replace(/^\uFEFF/, '').split(/\r\n|\n|\r/);
    this.files.set(name, { name, lines, preprocessed, states: [] });
  }

  begin(assembly: Assembly, source: SourceText): void {
    const state = this.stateOf(assembly);
    if (!source.expansion) this.setState(source, state);
    const { chunk } = assembly;
    const from = chunk.fragments.length;
    const record: StatementRecord = { source, state, chunk, from, to: from };
    this.open.push(record);
    this.statements.push(record);
  }

  end(assembly: Assembly, source: SourceText): void {
    const record = this.open.pop()!;
    record.to = record.chunk.fragments.length;
    // What the statement changed, such as the mode, holds for the lines that follow it.
    const states = source.expansion ? undefined : this.files.get(source.file)?.states;
    if (states) states[source.line + 1] ??= this.stateOf(assembly);
  }

  /** One object for all statements of the same state. */
  private stateOf({ bits, section, syntax }: Assembly): LineState {
    const last = this.lastState;
    const { name, registerPrefix } = syntax;
    const isSame =
      last?.bits === bits &&
      last.section === section.name &&
      last.syntax === name &&
      last.registerPrefix === registerPrefix;
    if (isSame) return last;
    this.lastState = {
      bits,
      syntax: name,
      registerPrefix,
      section: section.name,
      inMacro: undefined,
      isActive: true,
    };
    return this.lastState;
  }

  private setState({ file, line }: SourceText, state: LineState): void {
    const states = this.files.get(file)?.states;
    if (states) states[line] = state;
  }

  /** A statement in a block that is collected, not run. */
  skipped(source: SourceText, block: SourceText): void {
    if (source.expansion) return;
    const state = this.files.get(block.file)?.states[block.line];
    const inMacro = /^\.macro\s+([\w.$]+)/i.exec(block.text)?.[1];
    if (state && inMacro) this.setState(source, { ...state, inMacro });
  }

  inactive(source: SourceText): void {
    if (source.expansion) return;
    const states = this.files.get(source.file)?.states;
    const before = states?.[source.line] ?? states?.[source.line - 1] ?? this.lastState;
    if (states && before) states[source.line] = before.isActive ? { ...before, isActive: false } : before;
  }

  included(source: SourceText, kind: IncludeEdge['kind'], path: string, target: string): void {
    const start = Math.max(0, source.text.indexOf(path));
    this.includes.push({
      file: source.file,
      line: source.line,
      ...source.columns(start, start + path.length),
      kind,
      path,
      target,
    });
  }

  macro(
    name: string,
    parameters: readonly MacroParameter[],
    source: SourceText,
    nameStart: number,
    last: SourceText,
  ): void {
    const range = source.columns(nameStart, nameStart + name.length);
    const definition = { file: source.file, line: source.line, ...range };
    this.macros.set(name, { name, parameters, definition, endLine: last.line });
  }

  preprocessorMacro({ name, parameters, body }: PreprocessorMacro, source: SourceText): void {
    const start = source.text.indexOf(name, source.text.indexOf('define') + 'define'.length);
    const definition = {
      file: source.file,
      line: source.line,
      ...source.columns(start, start + name.length),
    };
    this.preprocessorMacros.set(name, { name, parameters, body, definition });
  }
}
