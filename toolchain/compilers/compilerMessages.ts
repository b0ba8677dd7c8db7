import type { Diagnostic } from '../diagnostic.js';

/** `file:line:column: error: text` of gcc and clang, and `file:line: error: text` of linkers and nasm. */
const MESSAGE = /^(.*?):(\d+):(?:(\d+):)?\s*(fatal error|error|warning):\s*(.*)$/;
/** `ld: file.c:12: undefined reference to …`, which GNU ld prints for code with line information. */
const LD_AT_LINE =
  /^(?:.*?ld(?:\.\w+)?:\s+)?((?:[A-Za-z]:)?[^:]+):(\d+):\s*((?:undefined reference|multiple definition).*)$/;
/** `file.c:(.text+0x5): undefined reference …`, and ld's messages about no place in a file. */
const LD_ELSEWHERE =
  /^(?:.*?(?:\bld|collect2|lld|clang|gcc|zig)(?:\.\w+)?: )?(?:error: |fatal error: )?(?:(?:[A-Za-z]:)?[^:\s]+:\(\S+\): )?(undefined reference to .*|undefined symbol: .*|duplicate symbol: .*|multiple definition of .*|cannot find .*|region .* overflowed.*|section .* overlaps .*|.*: No such file or directory|unrecognized .*|.* not supported.*)$/;
/** `>>> referenced by file.c:12` of lld, below its message. */
const LLD_PLACE = /^>>> (?:referenced by|defined at) (.*?):(\d+)\b/;

/**
 * Reads the messages of a compiler, assembler or linker. A run that failed gives at least one error: what could not
 * be understood is told as it is.
 */
export function parseCompilerMessages(output: string, mainFile: string, failed: boolean): Diagnostic[] {
  const diagnostics: Diagnostic[] = [];
  const lines = output.split(/\r?\n/);
  lines.forEach((line, index) => {
    const diagnostic = parseLine(line, lines, index, mainFile);
    if (diagnostic && !diagnostics.some((other) => isSame(other, diagnostic))) diagnostics.push(diagnostic);
  });
  if (failed && !diagnostics.some(({ severity }) => severity === 'error')) {
    diagnostics.push(at(mainFile, 1, 1, 'error', output.trim() || 'the compiler failed without a message'));
  }
  return diagnostics;
}

function parseLine(
  line: string,
  lines: readonly string[],
  index: number,
  mainFile: string,
): Diagnostic | undefined {
  const message = MESSAGE.exec(line);
  if (message) {
    const [, file, lineNumber, column, severity, text] = message;
    const span = caretSpan(lines, index);
    const start = Number(column ?? 1);
    return {
      ...at(file, Number(lineNumber), start, severity === 'warning' ? 'warning' : 'error', text),
      endColumn: start + (column ? span : 1),
    };
  }
  const linked = LD_AT_LINE.exec(line);
  if (linked) return at(linked[1], Number(linked[2]), 1, 'error', linked[3]);
  const elsewhere = LD_ELSEWHERE.exec(line);
  if (!elsewhere) return undefined;
  const place = LLD_PLACE.exec(lines[index + 1] ?? '');
  return place
    ? at(place[1], Number(place[2]), 1, 'error', elsewhere[1])
    : at(mainFile, 1, 1, 'error', elsewhere[1]);
}

/** Compilers underline the place below the source line: `  |  ^~~~~`. */
function caretSpan(lines: readonly string[], index: number): number {
  const carets = /^[\s|]*(\^~*)/.exec(lines[index + 2] ?? '');
  return carets ? carets[1].length : 1;
}

function at(
  file: string,
  line: number,
  column: number,
  severity: Diagnostic['severity'],
  message: string,
): Diagnostic {
  return { severity, file, line, column, endColumn: column + 1, message };
}

function isSame(left: Diagnostic, right: Diagnostic): boolean {
  return (
    left.file === right.file &&
    left.line === right.line &&
    left.column === right.column &&
    left.message === right.message
  );
}
