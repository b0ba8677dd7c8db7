/** A place in a source file, for the Problems view and for the command line. */
export interface SourcePlace {
  readonly file: string;
  /** 1-based. */
  readonly line: number;
}

/** What a tool has to say about a source file. */
export interface Diagnostic extends SourcePlace {
  readonly severity: 'error' | 'warning';
  /** 1-based. */
  readonly column: number;
  /** 1-based, exclusive. */
  readonly endColumn: number;
  readonly message: string;
  /** The lines inside macro bodies that led here, outermost first. */
  readonly expansion?: readonly SourcePlace[];
}

/** The one-line text form that compilers use: `file:line:column: error: message`. */
export function formatDiagnostic(diagnostic: Diagnostic): string {
  const { file, line, column, severity, message } = diagnostic;
  return `${file}:${line}:${column}: ${severity}: ${message}`;
}
