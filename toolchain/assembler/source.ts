import type { Diagnostic, SourcePlace } from '../diagnostic.js';

/** 1-based columns; `endColumn` is exclusive. */
export interface ColumnSpan {
  readonly column: number;
  readonly endColumn: number;
}

/** Columns in the file of a range of characters of a text that was changed on its way. */
export type ColumnMapping = (start: number, end: number) => ColumnSpan;

/** One logical line or one statement, and how to find its characters in the file it came from. */
export class SourceText implements SourcePlace {
  constructor(
    readonly file: string,
    readonly line: number,
    readonly text: string,
    /** Characters before this text in the line, or in the text that `mapping` is about. */
    private readonly offset = 0,
    private readonly mapping?: ColumnMapping,
    /** Lines inside macro bodies; `file` and `line` are where the outermost macro is used. */
    readonly expansion?: readonly SourcePlace[],
  ) {}

  /** The columns of `text.slice(start, end)` in the file. */
  columns(start: number, end: number): ColumnSpan {
    const { offset, mapping } = this;
    if (mapping) return mapping(offset + start, offset + end);
    return { column: offset + start + 1, endColumn: offset + Math.max(end, start + 1) + 1 };
  }

  /** A part that stays linked to its file. */
  slice(start: number, end = this.text.length): SourceText {
    const { file, line, text, offset, mapping, expansion } = this;
    if (start === 0 && end >= text.length) return this;
    return new SourceText(file, line, text.slice(start, end), offset + start, mapping, expansion);
  }

  /** Without the white space around it. */
  trimmed(): SourceText {
    const start = this.text.length - this.text.trimStart().length;
    return this.slice(start, Math.max(start, this.text.trimEnd().length));
  }

  /** Another text at the same place. */
  replaced(text: string, mapping: ColumnMapping): SourceText {
    return new SourceText(this.file, this.line, text, 0, mapping, this.expansion);
  }
}

/** Bad input in the statement at hand; `start` and `end` are offsets in its text. */
export class AssemblyError extends Error {
  constructor(
    message: string,
    readonly start = 0,
    readonly end = Number.MAX_SAFE_INTEGER,
  ) {
    super(message);
  }
}

const MAX_ERRORS = 200;

/** Collects what is to be told about the source. */
export class Diagnostics {
  readonly list: Diagnostic[] = [];
  private errors = 0;
  private readonly seen = new Set<string>();

  get hasErrors(): boolean {
    return this.errors > 0;
  }

  /** After so many errors, more would hide the first. */
  get tooMany(): boolean {
    return this.errors >= MAX_ERRORS;
  }

  report(
    severity: Diagnostic['severity'],
    source: SourceText,
    message: string,
    start = 0,
    end = Number.MAX_SAFE_INTEGER,
  ): void {
    const limit = Math.max(1, source.text.length);
    const span = source.columns(Math.min(start, limit - 1), Math.min(end, limit));
    this.add({
      severity,
      file: source.file,
      line: source.line,
      ...span,
      message,
      ...(source.expansion ? { expansion: source.expansion } : {}),
    });
  }

  add(diagnostic: Diagnostic): void {
    const key = JSON.stringify(diagnostic);
    if (this.seen.has(key)) return;
    this.seen.add(key);
    if (diagnostic.severity === 'error') this.errors++;
    if (this.errors <= MAX_ERRORS) this.list.push(diagnostic);
  }

  /** Runs `action`; bad input in it becomes an error at `source`. */
  guard(source: SourceText, action: () => void): void {
    try {
      action();
    } catch (error) {
      this.reportError(source, error);
    }
  }

  /** Bad input becomes an error at `source`; anything else is thrown on. */
  reportError(source: SourceText, error: unknown): void {
    if (!(error instanceof AssemblyError)) throw error;
    this.report('error', source, error.message, error.start, error.end);
  }
}
