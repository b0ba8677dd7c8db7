import { bindNames, constantValue, parseExpression } from './expression.js';
import type { Expression, NameResolver } from './expression.js';
import { TokenReader, tokenize } from './lexer.js';
import { splitOutsideLiterals } from './lines.js';
import { AssemblyError } from './source.js';
import type { SourceText } from './source.js';

const SIMPLE_ESCAPES: Readonly<Record<string, number>> = {
  n: 10,
  t: 9,
  r: 13,
  b: 8,
  f: 12,
  v: 11,
  a: 7,
  e: 27,
};

/** The operands of one directive. */
export class DirectiveArguments {
  private tokens: TokenReader | undefined;

  /** Where the operands start in the statement. */
  readonly from: number;

  constructor(
    readonly source: SourceText,
    nameEnd: number,
    private readonly names: NameResolver,
  ) {
    this.from = nameEnd + /^\s*/.exec(source.text.slice(nameEnd))![0].length;
  }

  get text(): string {
    return this.source.text.slice(this.from).trim();
  }

  get reader(): TokenReader {
    this.tokens ??= new TokenReader(tokenize(this.source.text, this.from), this.source.text.length);
    return this.tokens;
  }

  /** The operands as text, split at commas. */
  parts(): { text: string; start: number; end: number }[] {
    if (this.text === '') return [];
    const all = this.source.text.slice(this.from);
    return splitOutsideLiterals(all, ',').map(({ start, end }) => ({
      text: all.slice(start, end).trim(),
      start: this.from + start,
      end: this.from + end,
    }));
  }

  expression(): Expression {
    return bindNames(parseExpression(this.reader), this.names);
  }

  /** All operands as expressions. */
  expressions(): Expression[] {
    const list: Expression[] = [];
    if (this.reader.atEnd()) return list;
    do list.push(this.expression());
    while (this.reader.accept(','));
    this.reader.expectEnd();
    return list;
  }

  /** A number that is known now. */
  number(): number {
    const expression = this.expression();
    const value = constantValue(expression);
    if (value === undefined) throw new AssemblyError('expected a constant', expression.start, expression.end);
    return Number(BigInt.asIntN(64, value));
  }

  /** The next operand, or undefined when it is left out. */
  optionalNumber(): number | undefined {
    if (!this.reader.accept(',')) return undefined;
    return this.reader.atEnd() || this.reader.is(',') ? undefined : this.number();
  }

  name(): string {
    const token = this.reader.peek();
    if (token?.kind !== 'name' && token?.kind !== 'string') throw this.reader.error('expected a symbol name');
    this.reader.next();
    return token.text;
  }

  /** All operands as names. */
  namesList(): string[] {
    const list = [this.name()];
    while (this.reader.accept(',')) list.push(this.name());
    this.reader.expectEnd();
    return list;
  }

  end(): void {
    this.reader.expectEnd();
  }

  optionalString(): string | undefined {
    const token = this.reader.peek();
    return token?.kind === 'string' ? new TextDecoder().decode(decodeString(token.text)) : undefined;
  }
}

/** The bytes of a string's text between its quotes; characters as UTF-8. */
export function decodeString(text: string): Uint8Array {
  const bytes: number[] = [];
  for (let position = 0; position < text.length;) {
    if (text[position] !== '\\') {
      const character = String.fromCodePoint(text.codePointAt(position)!);
      bytes.push(...new TextEncoder().encode(character));
      position += character.length;
      continue;
    }
    const octal = /^\\([0-7]{1,3})/.exec(text.slice(position, position + 4));
    const hexadecimal = /^\\[xX]([0-9a-fA-F]+)/.exec(text.slice(position));
    if (octal) {
      bytes.push(Number.parseInt(octal[1], 8) & 0xff);
      position += octal[0].length;
    } else if (hexadecimal) {
      bytes.push(Number.parseInt(hexadecimal[1].slice(-2), 16));
      position += hexadecimal[0].length;
    } else {
      bytes.push(SIMPLE_ESCAPES[text[position + 1]] ?? text.charCodeAt(position + 1) & 0xff);
      position += 2;
    }
  }
  return Uint8Array.from(bytes);
}
