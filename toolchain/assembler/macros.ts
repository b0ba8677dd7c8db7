import type { Assembly } from './assembly.js';
import { absoluteValue } from './conditions.js';
import type { ConditionStack } from './conditions.js';
import { splitOutsideLiterals } from './lines.js';
import { ArgumentReader, bindArguments, parseParameters, withoutLooseSpace } from './macroArguments.js';
import type { ArgumentSyntax, MacroParameter } from './macroArguments.js';
import { AssemblyError, SourceText } from './source.js';
import type { ColumnSpan } from './source.js';

interface Macro {
  readonly name: string;
  readonly parameters: readonly MacroParameter[];
  readonly body: readonly SourceText[];
}

type Run = (statements: readonly SourceText[], depth: number) => void;

/** `.exitm` */
class ExitMacro extends Error {}

const REPEATS: ReadonlySet<string> = new Set(['.rept', '.rep', '.irp', '.irpc', '.irep', '.irepc']);
const BLOCK_WORDS: ReadonlySet<string> = new Set([
  ...REPEATS,
  '.macro',
  '.exitm',
  '.endm',
  '.endmacro',
  '.endr',
]);
const MAX_REPEATS = 1_000_000n;
const MAX_SHOWN_EXPANSIONS = 8;

/** Does the directive collect the statements up to its end? `.exitm` is here since only macros know it. */
export function isBlockStart(name: string): boolean {
  return BLOCK_WORDS.has(name);
}

/** `.macro`, `.rept`, `.irp`, `.irpc`. */
export class MacroProcessor {
  private readonly macros = new Map<string, Macro>();
  private expansions = 0;
  private openExpansions = 0;
  private locals = 0;
  private isAlternate = false;

  constructor(
    private readonly assembly: Assembly,
    private readonly conditions: ConditionStack,
    private readonly run: Run,
  ) {}

  /** The macro of that name; the letter case does not count. */
  isMacro(name: string): boolean {
    return this.macros.size > 0 && this.macros.has(name.toLowerCase());
  }

  /** `.altmacro`, `.noaltmacro` */
  setAlternate(isAlternate: boolean): void {
    this.isAlternate = isAlternate;
  }

  /** @throws AssemblyError when there is no such macro */
  purge(name: string): void {
    if (!this.macros.delete(name.toLowerCase())) throw new AssemblyError(`no macro '${name}' to purge`);
  }

  /** Takes a block that starts at `index`; returns the index of its last statement. */
  block(
    name: string,
    source: SourceText,
    statements: readonly SourceText[],
    index: number,
    depth: number,
  ): number {
    if (name === '.exitm') {
      if (this.openExpansions === 0) throw new AssemblyError('.exitm outside of a macro');
      throw new ExitMacro();
    }
    if (name === '.endm' || name === '.endmacro' || name === '.endr')
      throw new AssemblyError(`${name} without its start`);
    const { body, end } = collect(name, statements, index);
    if (end >= statements.length) {
      this.assembly.diagnostics.report('error', source, `${name} without ${endOf(name)}`);
    } else if (name === '.macro') {
      this.assembly.diagnostics.guard(source, () => this.define(source, body, statements[end]));
    } else {
      this.assembly.diagnostics.guard(source, () => this.repeat(name, source, body, depth));
    }
    return end;
  }

  private define(source: SourceText, body: readonly SourceText[], last: SourceText): void {
    const head = /^\.macro\s+([A-Za-z_.$][\w.$]*)\s*,?\s*/i.exec(source.text);
    if (!head) throw new AssemblyError('.macro needs a name');
    const [, name] = head;
    if (this.macros.has(name.toLowerCase())) throw new AssemblyError(`macro '${name}' is already defined`);
    const list = source.text.slice(head[0].length).replace(/^\((.*)\)$/s, '$1');
    const parameters = parseParameters(list, this.argumentSyntax());
    this.macros.set(name.toLowerCase(), { name, parameters, body });
    const nameStart = source.text.indexOf(name, '.macro'.length);
    this.assembly.trace?.macro(name, parameters, source, nameStart, last);
  }

  private argumentSyntax(): ArgumentSyntax {
    return {
      isAlternate: this.isAlternate,
      evaluate: (text) => absoluteValue(this.assembly, new SourceText('', 1, text), 0),
    };
  }

  private repeat(name: string, source: SourceText, body: readonly SourceText[], depth: number): void {
    if (name === '.rept' || name === '.rep') {
      const count = absoluteValue(this.assembly, source, name.length);
      if (count < 0n || count > MAX_REPEATS)
        throw new AssemblyError(`cannot repeat ${count} times`, name.length);
      const repeated = body.flatMap((line) => this.substituted(line, new Map()));
      for (let pass = 0n; pass < count; pass++) this.loop(repeated, depth);
      return;
    }
    const rest = source.text.slice(name.length).trim();
    const head = /^([A-Za-z_.$][\w.$]*)\s*,?\s*/.exec(rest);
    if (!head) throw new AssemblyError(`${name} needs a parameter name`, name.length);
    const tail = withoutLooseSpace(rest.slice(head[0].length));
    const isByCharacter = name === '.irpc' || name === '.irepc';
    const values = isByCharacter ? [...tail.replace(/^"(.*)"$/, '$1').replace(/\s/g, '')] : this.list(tail);
    for (const value of values.length > 0 ? values : ['']) {
      const bound = new Map([[head[1], value]]);
      this.loop(
        body.flatMap((line) => this.substituted(line, bound)),
        depth,
      );
    }
  }

  private list(text: string): string[] {
    const reader = new ArgumentReader(text, this.argumentSyntax());
    const values: string[] = [];
    while (!reader.atEnd()) {
      values.push(reader.argument());
      reader.skipSeparator();
    }
    return values;
  }

  /** `.exitm` ends one round of a loop. */
  private loop(statements: readonly SourceText[], depth: number): void {
    this.guarded(() => this.run(statements, depth + 1));
  }

  private guarded(expand: () => void): void {
    const openConditions = this.conditions.depth;
    this.openExpansions++;
    try {
      expand();
    } catch (error) {
      if (!(error instanceof ExitMacro)) throw error;
      this.conditions.closeDownTo(openConditions);
    } finally {
      this.openExpansions--;
    }
  }

  /** @throws AssemblyError for arguments that do not fit the macro */
  expand(name: string, use: SourceText, depth: number): void {
    const { parameters, body } = this.macros.get(name.toLowerCase())!;
    const text = use.text.slice(name.length).trim();
    const bound = bindArguments(name, parameters, text, this.argumentSyntax());
    const number = this.expansions++;
    const statements = body.flatMap((line) => this.substituted(line, bound, number));
    const placed = statements.map((line) => atUse(line, use));
    this.guarded(() => this.run(placed, depth + 1));
  }

  /** A line of a body with arguments put in; an argument may hold several statements. */
  private substituted(
    line: SourceText,
    bound: Map<string, string>,
    number = this.expansions,
  ): readonly SourceText[] {
    let { text } = line;
    if (this.isAlternate) {
      const local = /^LOCAL\s+(.*)$/i.exec(text);
      if (local) {
        for (const name of local[1].split(/[\s,]+/)) bound.set(name, this.localName());
        return [];
      }
      text = substituteWords(text, bound);
    }
    if (text.includes('\\')) text = substitute(text, bound, number);
    if (text === line.text) return [line];
    const span = line.columns(0, line.text.length);
    const whole = line.replaced(text, () => span);
    if (!text.includes(';')) return [whole.trimmed()];
    return splitOutsideLiterals(text, ';')
      .map(({ start, end }) => whole.slice(start, end).trimmed())
      .filter((part) => part.text !== '');
  }

  private localName(): string {
    return `.LL${(++this.locals).toString(16).padStart(4, '0')}`;
  }
}

const endOf = (name: string): string => (name === '.macro' ? '.endm' : '.endr');

const DIRECTIVE_WORD = /^(?:[\w.$\\@()]+:\s*)*(\.\w+)/;

function collect(
  name: string,
  statements: readonly SourceText[],
  start: number,
): { body: SourceText[]; end: number } {
  const body: SourceText[] = [];
  let depth = 1;
  let end = start + 1;
  const isMacro = name === '.macro';
  for (; end < statements.length; end++) {
    const word = DIRECTIVE_WORD.exec(statements[end].text)?.[1].toLowerCase();
    if (word !== undefined) {
      if (isMacro ? word === '.macro' : REPEATS.has(word)) depth++;
      if (word === endOf(name) || (isMacro && word === '.endmacro')) depth--;
      if (depth === 0) break;
    }
    body.push(statements[end]);
  }
  return { body, end };
}

/** A macro's line belongs to the line where the macro is used. */
function atUse(line: SourceText, use: SourceText): SourceText {
  const outer = use.expansion ?? [];
  const inner = outer.length < MAX_SHOWN_EXPANSIONS ? [{ file: line.file, line: line.line }] : [];
  const columns = (): ColumnSpan => use.columns(0, use.text.length);
  return new SourceText(use.file, use.line, line.text, 0, columns, [...outer, ...inner]);
}

/** `.altmacro`: parameters stand without a backslash, `&` joins them to their neighbours. */
function substituteWords(text: string, bound: ReadonlyMap<string, string>): string {
  return text.replace(
    /"(?:\\.|[^"\\])*"|(\\)?&?([A-Za-z_.$][\w.$]*)&?/g,
    (whole, backslash?: string, name?: string) =>
      (name === undefined || backslash ? undefined : bound.get(name)) ?? whole,
  );
}

/** Puts arguments in for `\name`, the number of the expansion for `\@`, and nothing for `\()`. */
function substitute(text: string, bound: ReadonlyMap<string, string>, number: number): string {
  return text.replace(/\\(@|\(\)|&|[A-Za-z_.$][\w.$]*)/g, (whole, name: string) => {
    if (name === '@') return String(number);
    if (name === '()') return '';
    // `\name.suffix`: the longest parameter name wins.
    for (let length = name.length; length > 0; length--) {
      const value = bound.get(name.slice(0, length));
      const isWhole = length === name.length || !/\w/.test(name[length]);
      if (value !== undefined && isWhole) return value + name.slice(length);
    }
    return whole;
  });
}
