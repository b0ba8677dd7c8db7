import type { Assembly } from './assembly.js';
import { ConditionStack } from './conditions.js';
import { runDirective } from './directives.js';
import { assignRegister } from './directivesSymbol.js';
import { bindNames, parseExpression } from './expression.js';
import { assembleInstruction } from './instruction.js';
import { TokenReader, tokenize } from './lexer.js';
import { hashCommentStart, splitLines, splitOutsideLiterals } from './lines.js';
import { MacroProcessor, isBlockStart } from './macros.js';
import { Preprocessor } from './preprocessor.js';
import { AssemblyError } from './source.js';
import type { SourceText } from './source.js';

const MAX_DEPTH = 100;
const LABEL = /^(?:([A-Za-z_.$\u0080-\uffff][\w.$\u0080-\uffff]*)|"([^"]+)"|(\d+))\s*:(?!:)/;
const ASSIGNMENT = /^([A-Za-z_.$][\w.$]*)\s*(==?)(?!=)\s*/;

/** Reads statements, one after the other, into an assembly. */
export class StatementReader {
  private readonly conditions = new ConditionStack();
  private readonly macros: MacroProcessor;
  private isEnded = false;

  constructor(private readonly assembly: Assembly) {
    this.macros = new MacroProcessor(assembly, this.conditions, (statements, depth) =>
      this.run(statements, depth),
    );
  }

  /** Reads the main file: `.s` as it is, everything else through the C preprocessor, as compilers do. */
  readMain(): void {
    const { fileName, source, readInclude, defines = {} } = this.assembly.options;
    const { diagnostics } = this.assembly;
    const { trace } = this.assembly;
    let lines: SourceText[];
    if (/\.s$/.test(fileName)) {
      trace?.file(fileName, source, false);
      lines = splitLines(fileName, source, { preprocessed: false });
    } else {
      lines = new Preprocessor(readInclude, diagnostics, defines, trace).process(fileName, source);
    }
    this.run(splitStatements(lines), 0);
    for (const open of this.conditions.unclosed())
      diagnostics.report('error', open, 'unterminated .if: no .endif');
  }

  private run(statements: readonly SourceText[], depth: number): void {
    const { diagnostics, trace } = this.assembly;
    if (depth > MAX_DEPTH) throw new AssemblyError('macros or includes are nested too deeply');
    for (let index = 0; index < statements.length; index++) {
      if (this.isEnded || diagnostics.tooMany) return;
      const statement = statements[index];
      const first = index;
      trace?.begin(this.assembly, statement);
      try {
        index = this.statement(statements, index, depth);
      } catch (error) {
        diagnostics.reportError(statement, error);
      }
      if (!trace) continue;
      trace.end(this.assembly, statement);
      for (const skipped of statements.slice(first + 1, index + 1)) trace.skipped(skipped, statement);
    }
  }

  /** Returns the index of the last statement that it took. */
  private statement(statements: readonly SourceText[], index: number, depth: number): number {
    const whole = statements[index];
    if (this.conditions.handle(whole, this.assembly)) return index;
    if (!this.conditions.isActive) {
      this.assembly.trace?.inactive(whole);
      return index;
    }
    const source = this.takeLabels(whole);
    if (source.text === '' || this.takeAssignment(source)) return index;
    const word = firstWord(source.text);
    const name = word.toLowerCase();
    if (isBlockStart(name)) return this.macros.block(name, source, statements, index, depth);
    if (this.macros.isMacro(word)) {
      this.macros.expand(word, source, depth);
    } else if (name === '.include') {
      this.include(source, depth);
    } else if (name === '.purgem') {
      this.macros.purge(source.text.slice(word.length).trim());
    } else if (name === '.altmacro' || name === '.noaltmacro') {
      this.macros.setAlternate(name === '.altmacro');
    } else if (name === '.end') {
      this.isEnded = true;
    } else if (name.startsWith('.')) {
      runDirective(this.assembly, name.replace(/,$/, ''), source, word.length);
    } else {
      this.instruction(source);
    }
    return index;
  }

  private instruction(source: SourceText): void {
    const { assembly } = this;
    const written = withRegisterNames(source, assembly.symbols.registerNames);
    const { fragment, warning } = assembleInstruction(written, assembly, assembly.symbols);
    if (warning) assembly.diagnostics.report('warning', source, warning);
    assembly.emit(fragment);
  }

  /** Defines the labels at the start of a statement and returns the rest. */
  private takeLabels(statement: SourceText): SourceText {
    let source = statement;
    for (;;) {
      const label = source.text.includes(':') ? LABEL.exec(source.text) : null;
      if (!label) return source;
      const [whole, plain, quoted, numeric] = label;
      const { symbols, chunk, diagnostics } = this.assembly;
      const labelSource = source.slice(0, whole.length - 1);
      if (numeric !== undefined) symbols.defineNumericLabel(Number(numeric), chunk.here());
      else
        diagnostics.guard(labelSource, () => symbols.defineLabel(plain ?? quoted, chunk.here(), labelSource));
      source = source.slice(whole.length).trimmed();
    }
  }

  private takeAssignment(source: SourceText): boolean {
    const assignment = source.text.includes('=') ? ASSIGNMENT.exec(source.text) : null;
    if (!assignment) return false;
    const [head, name, operator] = assignment;
    const { symbols } = this.assembly;
    if (assignRegister(this.assembly, name, source.text.slice(head.length))) return true;
    const reader = new TokenReader(tokenize(source.text, head.length), source.text.length);
    const value = bindNames(parseExpression(reader), symbols);
    reader.expectEnd();
    if (name === '.') {
      this.assembly.emit({ kind: 'org', source, target: value, fill: 0, size: 0 });
    } else {
      symbols.assign(name, value, source, operator === '==');
    }
    return true;
  }

  private include(source: SourceText, depth: number): void {
    const path = /"([^"]+)"/.exec(source.text)?.[1];
    if (!path) throw new AssemblyError('.include needs "file"');
    const found = this.assembly.options.readInclude(path, source.file);
    if (!found) throw new AssemblyError(`cannot find include file '${path}'`);
    const content = new TextDecoder().decode(found.bytes);
    this.assembly.trace?.included(source, 'include', path, found.fileName);
    this.assembly.trace?.file(found.fileName, content, false);
    this.run(splitStatements(splitLines(found.fileName, content, { preprocessed: false })), depth + 1);
  }
}

function firstWord(text: string): string {
  let end = 0;
  while (end < text.length && text[end] !== ' ' && text[end] !== '\t') end++;
  return text.slice(0, end);
}

/** An instruction with registers for the names that `.set` gave them. */
function withRegisterNames(source: SourceText, names: ReadonlyMap<string, string>): SourceText {
  if (names.size === 0) return source;
  const text = source.text.replace(
    /"(?:\\.|[^"\\])*"|[A-Za-z_.$%][\w.$]*/g,
    (word) => names.get(word) ?? word,
  );
  if (text === source.text) return source;
  return source.replaced(text, () => source.columns(0, source.text.length));
}

/** Cuts `#` comments and splits at `;`. */
export function splitStatements(lines: readonly SourceText[]): SourceText[] {
  const statements: SourceText[] = [];
  const add = (statement: SourceText): void => {
    if (statement.text !== '') statements.push(statement);
  };
  for (const line of lines) {
    const { text } = line;
    const code = text.includes('#') ? line.slice(0, hashCommentStart(text)) : line;
    if (!code.text.includes(';')) add(code.trimmed());
    else
      for (const { start, end } of splitOutsideLiterals(code.text, ';'))
        add(code.slice(start, end).trimmed());
  }
  return statements;
}
