import type { AssembleOptions } from './assemble.js';
import { splitLines } from './lines.js';
import { evaluatePreprocessorExpression } from './preprocessorExpression.js';
import { UnfinishedCall, expandMacros, mentionsMacro, parseDefine, plainText } from './preprocessorMacros.js';
import type { MappedText, PreprocessorMacro } from './preprocessorMacros.js';
import { AssemblyError } from './source.js';
import type { Diagnostics, SourceText } from './source.js';
import type { AssemblyTrace } from './trace.js';

const MAX_INCLUDE_DEPTH = 100;
const DIRECTIVE =
  /^\s*#\s*(define|undef|include|if|ifdef|ifndef|elif|else|endif|error|warning|pragma|line)\b(.*)$/s;

/** An open `#if`. */
interface Conditional {
  readonly source: SourceText;
  readonly outerActive: boolean;
  active: boolean;
  /** A branch was taken already. */
  taken: boolean;
  sawElse: boolean;
}

type ReadInclude = AssembleOptions['readInclude'];

/** The C preprocessor as assembly files use it. */
export class Preprocessor {
  private readonly macros = new Map<string, PreprocessorMacro>();

  constructor(
    private readonly readInclude: ReadInclude,
    private readonly diagnostics: Diagnostics,
    defines: Readonly<Record<string, string>>,
    private readonly trace?: AssemblyTrace,
  ) {
    for (const [name, body] of Object.entries({ __ASSEMBLER__: '1', ...defines })) {
      this.macros.set(name, { name, parameters: undefined, isVariadic: false, body });
    }
  }

  /** The lines of a file with its includes, macros expanded and conditions decided. */
  process(file: string, content: string, depth = 0): SourceText[] {
    this.trace?.file(file, content, true);
    const lines = splitLines(file, content, { preprocessed: true });
    const output: SourceText[] = [];
    const conditionals: Conditional[] = [];
    for (let index = 0; index < lines.length; index++) {
      const line = lines[index];
      const directive = line.text.includes('#') ? DIRECTIVE.exec(line.text) : null;
      if (directive) {
        this.diagnostics.guard(line, () =>
          this.directive(line, directive[1], directive[2], conditionals, output, depth),
        );
        continue;
      }
      if (conditionals.at(-1)?.active === false) {
        this.trace?.inactive(line);
        continue;
      }
      if (!mentionsMacro(line.text, this.macros)) {
        output.push(line);
        continue;
      }
      this.diagnostics.guard(line, () => {
        const taken = this.expandLine(lines, index);
        output.push(taken.line);
        index += taken.extraLines;
      });
    }
    for (const { source } of conditionals)
      this.diagnostics.report('error', source, 'unterminated conditional: no #endif');
    return output;
  }

  private expandLine(lines: readonly SourceText[], index: number): { line: SourceText; extraLines: number } {
    const first = lines[index];
    let text = first.text;
    for (let extraLines = 0; ; extraLines++) {
      try {
        return { line: mapped(first, text, expandMacros(plainText(text), this.macros)), extraLines };
      } catch (error) {
        const next = lines[index + extraLines + 1];
        if (!(error instanceof UnfinishedCall)) throw error;
        if (!next || DIRECTIVE.test(next.text))
          throw new AssemblyError('macro call without a closing parenthesis');
        text += ` ${next.text}`;
      }
    }
  }

  private directive(
    line: SourceText,
    name: string,
    rest: string,
    conditionals: Conditional[],
    output: SourceText[],
    depth: number,
  ): void {
    if (/^(if|ifdef|ifndef|elif|else|endif)$/.test(name)) {
      this.conditional(line, name, rest, conditionals);
      return;
    }
    if (conditionals.at(-1)?.active === false) return;
    switch (name) {
      case 'define': {
        const macro = parseDefine(rest);
        this.macros.set(macro.name, macro);
        this.trace?.preprocessorMacro(macro, line);
        break;
      }
      case 'undef':
        this.macros.delete(rest.trim());
        break;
      case 'include':
        output.push(...this.include(line, rest, depth));
        break;
      case 'error':
        throw new AssemblyError(`#error${rest}`);
      case 'warning':
        this.diagnostics.report('warning', line, `#warning${rest}`);
    }
  }

  private conditional(line: SourceText, name: string, rest: string, conditionals: Conditional[]): void {
    const current = conditionals.at(-1);
    if (name.startsWith('if')) {
      const outerActive = current?.active ?? true;
      const opened: Conditional = { source: line, outerActive, active: false, taken: false, sawElse: false };
      conditionals.push(opened);
      if (!outerActive) return;
      opened.active =
        name === 'if' ? this.evaluate(rest) : this.macros.has(rest.trim()) === (name === 'ifdef');
      opened.taken = opened.active;
      return;
    }
    if (!current) throw new AssemblyError(`#${name} without #if`);
    if (name === 'endif') {
      conditionals.pop();
      return;
    }
    if (current.sawElse) throw new AssemblyError(`#${name} after #else`);
    current.sawElse = name === 'else';
    const mayTake = current.outerActive && !current.taken;
    current.active = false;
    current.active = mayTake && (name === 'else' || this.evaluate(rest));
    current.taken ||= current.active;
  }

  private evaluate(text: string): boolean {
    const withDefined = text.replace(
      /\bdefined\s*(?:\(\s*(\w+)\s*\)|(\w+))/g,
      (_, inParentheses?: string, bare?: string) =>
        this.macros.has(inParentheses ?? bare ?? '') ? '1' : '0',
    );
    return evaluatePreprocessorExpression(expandMacros(plainText(withDefined), this.macros).text) !== 0n;
  }

  private include(line: SourceText, rest: string, depth: number): SourceText[] {
    const plain = rest.trim();
    const written = /^[<"]/.test(plain) ? plain : expandMacros(plainText(plain), this.macros).text.trim();
    const path = /^(?:"([^"]+)"|<([^>]+)>)$/
      .exec(written)
      ?.slice(1)
      .find((name) => name !== undefined);
    if (!path) throw new AssemblyError('#include needs "file" or <file>');
    if (depth >= MAX_INCLUDE_DEPTH)
      throw new AssemblyError(`#include nested too deeply: does '${path}' include itself?`);
    const found = this.readInclude(path, line.file);
    if (!found) throw new AssemblyError(`cannot find include file '${path}'`);
    this.trace?.included(line, 'include', path, found.fileName);
    return this.process(found.fileName, new TextDecoder().decode(found.bytes), depth + 1);
  }
}

/** The line with expanded text; columns lead to the macro's name. */
function mapped(line: SourceText, original: string, expanded: MappedText): SourceText {
  if (expanded.text === original) return line;
  const { from, to } = expanded;
  return line.replaced(expanded.text, (start, end) => {
    const first = from[Math.min(start, from.length - 1)] ?? 0;
    const last = to[Math.min(Math.max(end, start + 1), to.length) - 1] ?? first + 1;
    return line.columns(first, Math.max(last, first + 1));
  });
}
