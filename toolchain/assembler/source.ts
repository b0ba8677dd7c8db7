import type { Diagnostic, SourcePlace } from '../diagnostic.js';

/** 1-based columns; `endColumn` is exclusive. */
export interface ColumnSpan {
  readonly column: number;
  readonly endColumn: number;
}

/** One logical line or one statement, and how to find its characters in the file it came from. */
export interface SourceText extends SourcePlace {
  readonly text: string;
  /** The columns of `text.slice(start, end)` in the file. */
  readonly columns: (start: number, end: number) => ColumnSpan;
  /** Lines inside macro bodies; `file` and `line` are where the outermost macro is used. */
  readonly expansion?: readonly SourcePlace[];
}

/** The columns of text that stands in its file as it is, `offset` characters from the start of the line. */
export function plainColumns(offset: number): SourceText['columns'] {
  return (start, end) => ({ column: offset + start + 1, endColumn: offset + Math.max(end, start + 1) + 1 });
}

/** A part of a source text that stays linked to its file. */
export function sliceSource(source: SourceText, start: number, end: number): SourceText {
  return {
    ...source,
    text: source.text.slice(start, end),
    columns: (from, to) => source.columns(start + from, start + to),
  };
}

/** A source text without the white space around it. */
export function trimSource(source: SourceText): SourceText {
  const start = source.text.length - source.text.trimStart().length;
  return sliceSource(source, start, Math.max(start, source.text.trimEnd().length));
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
      if (!(error instanceof AssemblyError)) throw error;
      this.report('error', source, error.message, error.start, error.end);
    }
  }
}
