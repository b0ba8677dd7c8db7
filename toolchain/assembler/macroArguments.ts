import { literalLength } from './lines.js';
import { AssemblyError } from './source.js';

export interface MacroParameter {
  readonly name: string;
  readonly defaultValue: string;
  readonly isRequired: boolean;
  readonly isVararg: boolean;
}

/** How arguments are read. */
export interface ArgumentSyntax {
  /** `.altmacro`: `<strings>` and `%expressions`. */
  readonly isAlternate: boolean;
  /** The number of an expression, for `%expression`. */
  readonly evaluate: (text: string) => bigint;
}

/** GNU as keeps white space between two of these characters and drops all other in operands. */
const SYMBOL_CHARACTER = /[\w.$*%\-([{}\u0080-\uffff]/;

/** Operands with the white space that GNU as leaves: none but single spaces between parts of words. */
export function withoutLooseSpace(text: string): string {
  if (!/\s/.test(text)) return text;
  let result = '';
  let position = 0;
  while (position < text.length) {
    const literal = text[position] === '"' ? literalLength(text, position) : 0;
    if (literal > 0) {
      result += text.slice(position, position + literal);
      position += literal;
      continue;
    }
    if (!/\s/.test(text[position])) {
      result += text[position++];
      continue;
    }
    while (position < text.length && /\s/.test(text[position])) position++;
    const isBetween =
      SYMBOL_CHARACTER.test(result.at(-1) ?? '') && SYMBOL_CHARACTER.test(text[position] ?? '');
    if (isBetween) result += ' ';
  }
  return result;
}

/** Reads the arguments of a macro, an `.irp`, one after the other. */
export class ArgumentReader {
  position = 0;

  constructor(
    readonly text: string,
    private readonly syntax: ArgumentSyntax,
  ) {
    this.skipSpace();
  }

  atEnd(): boolean {
    return this.position >= this.text.length;
  }

  private skipSpace(): void {
    while (/\s/.test(this.text[this.position] ?? '')) this.position++;
  }

  /** White space and at most one comma. */
  skipSeparator(): void {
    this.skipSpace();
    if (this.text[this.position] === ',') this.position++;
    this.skipSpace();
  }

  /** All that is left. */
  rest(): string {
    const text = this.text.slice(this.position);
    this.position = this.text.length;
    return text;
  }

  /** Takes what matches here. */
  match(pattern: RegExp): string | undefined {
    const found = pattern.exec(this.text.slice(this.position))?.[0];
    this.position += found?.length ?? 0;
    return found;
  }

  /** `name=` before a value; taken when one of the names stands here. */
  keyword(): string | undefined {
    const found = /^([A-Za-z_.$][\w.$]*)=(?!=)/.exec(this.text.slice(this.position));
    if (!found || this.syntax.isAlternate) return undefined;
    this.position += found[0].length;
    return found[1];
  }

  /** One argument, without the quotes around it. */
  argument(): string {
    this.skipSpace();
    const { text, position: start } = this;
    const first = text[start];
    if (first === '%' && this.syntax.isAlternate) return this.expression();
    if (first === '<' && this.syntax.isAlternate) return this.angleString();
    if (first === '"') {
      const string = this.quotedString();
      return this.syntax.isAlternate ? `"${string}"` : string;
    }
    return this.plain();
  }

  /** `%expression` is its value in decimal. */
  private expression(): string {
    this.position++;
    return String(this.syntax.evaluate(this.plain()));
  }

  private angleString(): string {
    const { text } = this;
    let depth = 0;
    let value = '';
    for (this.position++; this.position < text.length; this.position++) {
      const character = text[this.position];
      if (character === '!' && this.position + 1 < text.length) {
        value += text[++this.position];
        continue;
      }
      if (character === '<') depth++;
      if (character === '>' && depth-- === 0) break;
      value += character;
    }
    this.position++;
    return value;
  }

  /** Adjacent strings are one; a doubled quote stands for a quote. */
  private quotedString(): string {
    let value = '';
    while (this.text[this.position] === '"') {
      const length = literalLength(this.text, this.position);
      const inside = this.text.slice(this.position + 1, this.position + length - 1);
      value += (value === '' ? '' : '"') + inside.replace(/\\"/g, '"');
      this.position += length;
    }
    return value;
  }

  /** Up to a comma, or to white space outside of brackets. */
  private plain(): string {
    const { text } = this;
    const start = this.position;
    const brackets: string[] = [];
    while (this.position < text.length) {
      const character = text[this.position];
      if (character === ',' || (brackets.length === 0 && /\s/.test(character))) break;
      if (character === '<' && this.syntax.isAlternate) break;
      if (character === '"' || character === "'") {
        const end = text.indexOf(character, this.position + 1);
        this.position = end < 0 ? text.length : end + 1;
        continue;
      }
      if (character === '(' || character === '[') brackets.push(character === '(' ? ')' : ']');
      else if (character === brackets.at(-1)) brackets.pop();
      this.position++;
    }
    return text.slice(start, this.position);
  }
}

/** @throws AssemblyError for what is no list of parameters */
export function parseParameters(text: string, syntax: ArgumentSyntax): MacroParameter[] {
  const parameters: MacroParameter[] = [];
  // Parameters are words, so white space around `:` and `=` goes.
  const reader = new ArgumentReader(withoutLooseSpace(text), syntax);
  while (!reader.atEnd()) {
    const name = reader.match(/^[A-Za-z_.$][\w.$]*/);
    if (!name) throw new AssemblyError(`bad macro parameter '${reader.rest()}'`);
    if (parameters.some((other) => other.name === name))
      throw new AssemblyError(`macro parameter '${name}' stands twice`);
    const qualifier = reader.match(/^:(req|vararg)/i)?.toLowerCase();
    const defaultValue = reader.match(/^=/) ? reader.argument() : '';
    parameters.push({
      name,
      defaultValue,
      isRequired: qualifier === ':req',
      isVararg: qualifier === ':vararg',
    });
    reader.skipSeparator();
  }
  return parameters;
}

/**
 * The value of every parameter in one use of a macro.
 * @throws AssemblyError for arguments that do not fit
 */
export function bindArguments(
  macro: string,
  parameters: readonly MacroParameter[],
  text: string,
  syntax: ArgumentSyntax,
): Map<string, string> {
  const bound = new Map<string, string>();
  const reader = new ArgumentReader(withoutLooseSpace(text), syntax);
  let next = 0;
  while (!reader.atEnd()) {
    const before = reader.position;
    const keyword = reader.keyword();
    if (keyword !== undefined && parameters.some(({ name }) => name === keyword)) {
      bound.set(keyword, reader.argument());
    } else {
      reader.position = before;
      const parameter = parameters[next++];
      if (!parameter) throw new AssemblyError(`too many arguments for macro '${macro}'`);
      bound.set(parameter.name, parameter.isVararg ? reader.rest() : reader.argument());
    }
    reader.skipSeparator();
  }
  for (const { name, defaultValue, isRequired } of parameters) {
    if (bound.get(name)) continue;
    if (isRequired)
      throw new AssemblyError(`macro '${macro}': missing value for required parameter '${name}'`);
    bound.set(name, defaultValue);
  }
  return bound;
}
