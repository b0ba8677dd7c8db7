import type { Assembly } from './assembly.js';
import { absoluteValue } from './conditions.js';
import type { ConditionStack } from './conditions.js';
import { literalLength } from './lines.js';
import { AssemblyError, sliceSource, trimSource } from './source.js';
import type { SourceText } from './source.js';

export interface MacroParameter {
  readonly name: string;
  readonly defaultValue: string;
  readonly isRequired: boolean;
  readonly isVararg: boolean;
}

interface Macro {
  readonly name: string;
  readonly parameters: readonly MacroParameter[];
  readonly body: readonly SourceText[];
}

type Run = (statements: readonly SourceText[], depth: number) => void;

/** `.exitm` */
class ExitMacro extends Error {}

const REPEATS = ['.rept', '.rep', '.irp', '.irpc', '.irep', '.irepc'];
const MAX_REPEATS = 1_000_000n;
const MAX_SHOWN_EXPANSIONS = 8;

/** Does the directive collect the statements up to its end? `.exitm` is here since only macros know it. */
export function isBlockStart(name: string): boolean {
  return (
    name === '.macro' || name === '.exitm' || name === '.endm' || name === '.endr' || REPEATS.includes(name)
  );
}

/** `.macro`, `.rept`, `.irp`, `.irpc`. */
export class MacroProcessor {
  private readonly macros = new Map<string, Macro>();
  private expansions = 0;
  private openExpansions = 0;

  constructor(
    private readonly assembly: Assembly,
    private readonly conditions: ConditionStack,
    private readonly run: Run,
  ) {}

  isMacro(name: string): boolean {
    return this.macros.has(name);
  }

  /** @throws AssemblyError when there is no such macro */
  purge(name: string): void {
    if (!this.macros.delete(name)) throw new AssemblyError(`no macro '${name}' to purge`);
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
    if (name === '.endm' || name === '.endr') throw new AssemblyError(`${name} without its start`);
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
    if (this.macros.has(head[1])) throw new AssemblyError(`macro '${head[1]}' is already defined`);
    const parameters = parseParameters(source.text.slice(head[0].length));
    this.macros.set(head[1], { name: head[1], parameters, body });
    const nameStart = source.text.indexOf(head[1], '.macro'.length);
    this.assembly.trace?.macro(head[1], parameters, source, nameStart, last);
  }

  private repeat(name: string, source: SourceText, body: readonly SourceText[], depth: number): void {
    const rest = source.text.slice(name.length).trim();
    if (name === '.rept' || name === '.rep') {
      const count = absoluteValue(this.assembly, source, name.length);
      if (count < 0n || count > MAX_REPEATS)
        throw new AssemblyError(`cannot repeat ${count} times`, name.length);
      for (let pass = 0n; pass < count; pass++) this.run(body, depth + 1);
      return;
    }
    const head = /^([A-Za-z_.$][\w.$]*)\s*,?\s*/.exec(rest);
    if (!head) throw new AssemblyError(`${name} needs a parameter name`, name.length);
    const tail = rest.slice(head[0].length);
    const values =
      name === '.irpc' || name === '.irepc' ? [...tail.replace(/^"(.*)"$/, '$1')] : splitArguments(tail);
    for (const value of values.length > 0 ? values : ['']) {
      const bound = new Map([[head[1], unquote(value)]]);
      this.run(
        body.map((line) => substituteIn(line, bound, this.expansions)),
        depth + 1,
      );
    }
  }

  /** @throws AssemblyError for arguments that do not fit the macro */
  expand(name: string, use: SourceText, depth: number): void {
    const macro = this.macros.get(name)!;
    const bound = bindArguments(
      macro,
      splitArguments(use.text.slice(name.length).trim()),
      use.text.slice(name.length).trim(),
    );
    const number = this.expansions++;
    const statements = macro.body.map((line) => atUse(substituteIn(line, bound, number), use));
    const openConditions = this.conditions.depth;
    this.openExpansions++;
    try {
      this.run(statements, depth + 1);
    } catch (error) {
      if (!(error instanceof ExitMacro)) throw error;
      this.conditions.closeDownTo(openConditions);
    } finally {
      this.openExpansions--;
    }
  }
}

const endOf = (name: string): string => (name === '.macro' ? '.endm' : '.endr');

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
    const word = /^(?:[\w.$]+:\s*)*(\.\w+)/.exec(statements[end].text)?.[1].toLowerCase();
    if (isMacro ? word === '.macro' : REPEATS.includes(word ?? '')) depth++;
    if (word === endOf(name) || (isMacro && word === '.endmacro')) depth--;
    if (depth === 0) break;
    body.push(statements[end]);
  }
  return { body, end };
}

/** A macro's line belongs to the line where the macro is used. */
function atUse(line: SourceText, use: SourceText): SourceText {
  const span = use.columns(0, use.text.length);
  const outer = use.expansion ?? [];
  const inner = outer.length < MAX_SHOWN_EXPANSIONS ? [{ file: line.file, line: line.line }] : [];
  return {
    text: line.text,
    file: use.file,
    line: use.line,
    columns: () => span,
    expansion: [...outer, ...inner],
  };
}

function parseParameters(text: string): MacroParameter[] {
  const parameters: MacroParameter[] = [];
  const pattern = /\s*,?\s*([A-Za-z_.$][\w.$]*)(?::(req|vararg))?(?:\s*=\s*("(?:\\.|[^"\\])*"|[^,\s]*))?/y;
  let position = 0;
  while (text.slice(position).trim() !== '') {
    pattern.lastIndex = position;
    const found = pattern.exec(text);
    if (!found) throw new AssemblyError(`bad macro parameter '${text.slice(position).trim()}'`);
    const [, name, qualifier, defaultValue = ''] = found;
    parameters.push({
      name,
      defaultValue: unquote(defaultValue),
      isRequired: qualifier === 'req',
      isVararg: qualifier === 'vararg',
    });
    position = pattern.lastIndex;
  }
  return parameters;
}

/** `"two words"` is one argument without its quotes. */
function unquote(text: string): string {
  return /^"(?:\\.|[^"\\])*"$/.test(text) ? text.slice(1, -1).replace(/\\"/g, '"') : text;
}

/** Arguments end at a comma, or at white space that no operator stands beside. */
function splitArguments(text: string): string[] {
  const parts: string[] = [];
  let current = '';
  let depth = 0;
  let position = 0;
  const finish = (): void => {
    parts.push(current.trim());
    current = '';
  };
  while (position < text.length) {
    const literal = literalLength(text, position);
    if (literal > 0) {
      current += text.slice(position, position + literal);
      position += literal;
      continue;
    }
    const character = text[position];
    if (character === '(') depth++;
    if (character === ')') depth--;
    if (character === ',' && depth <= 0) {
      finish();
    } else if (/\s/.test(character) && depth <= 0) {
      const space = /^\s+/.exec(text.slice(position))![0].length;
      const next = text[position + space] ?? ',';
      const isSeparator =
        current !== '' && !/[-+*/|&^<>=(,~!]$/.test(current) && !/[-+*/|&^<>=),]/.test(next);
      if (isSeparator) finish();
      else current += ' ';
      position += space - 1;
    } else {
      current += character;
    }
    position++;
  }
  if (current.trim() !== '' || parts.length > 0) finish();
  return parts;
}

function bindArguments(macro: Macro, args: readonly string[], whole: string): Map<string, string> {
  const bound = new Map<string, string>();
  let next = 0;
  for (const [index, argument] of args.entries()) {
    const named = /^([A-Za-z_.$][\w.$]*)\s*=(?!=)\s*(.*)$/s.exec(argument);
    if (named && macro.parameters.some(({ name }) => name === named[1])) {
      bound.set(named[1], unquote(named[2]));
      continue;
    }
    const parameter = macro.parameters[next++];
    if (!parameter) throw new AssemblyError(`too many arguments for macro '${macro.name}'`);
    if (parameter.isVararg) {
      bound.set(parameter.name, index === 0 ? whole : args.slice(index).join(', '));
      break;
    }
    bound.set(parameter.name, unquote(argument));
  }
  for (const { name, defaultValue, isRequired } of macro.parameters) {
    if (bound.get(name)) continue;
    if (isRequired)
      throw new AssemblyError(`macro '${macro.name}': missing value for required parameter '${name}'`);
    bound.set(name, defaultValue);
  }
  return bound;
}

/** Puts arguments in for `\name`, the number of the expansion for `\@`, and nothing for `\()`. */
function substituteIn(line: SourceText, bound: ReadonlyMap<string, string>, number: number): SourceText {
  if (!line.text.includes('\\')) return line;
  const text = line.text.replace(/\\(@|\(\)|[A-Za-z_.$][\w.$]*)/g, (whole, name: string) => {
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
  if (text === line.text) return line;
  const span = line.columns(0, line.text.length);
  return trimSource(sliceSource({ ...line, text, columns: () => span }, 0, text.length));
}
