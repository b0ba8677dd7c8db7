import { AssemblyError } from './source.js';

export type TokenKind = 'number' | 'string' | 'name' | 'register' | 'localLabel' | 'punctuation';

export interface Token {
  readonly kind: TokenKind;
  /** As written; for a quoted string its text without quotes, escapes not yet decoded. */
  readonly text: string;
  readonly value: bigint;
  readonly start: number;
  readonly end: number;
}

const SPACE = /[ \t\f\v\r]*/y;
const NUMBER = /0[xX][0-9a-fA-F]+|0[bB][01]+(?![0-9a-fA-F]*[hH])|\d[0-9a-fA-F]*[hH](?!\w)|\d+/y;
const LOCAL_LABEL = /\d+[bfBF](?![\w$.])/y;
const NAME = /[A-Za-z_.\u0080-\uffff][\w.$\u0080-\uffff]*/y;
const REGISTER = /%[ \t]*(st[ \t]*\([ \t]*\d[ \t]*\)|[A-Za-z]\w*)/iy;
const STRING = /"((?:\\.|[^"\\])*)"/y;
const CHARACTER = /'(\\[0-7]{1,3}|\\.|[^\\])'?/y;
/** `{1to16}`, `{rn-sae}` */
const DECORATION = /[\w-]+/y;
const OPERATOR = /<<|>>|<=|>=|==|!=|<>|&&|\|\||[-+*/%&|^~!()<>$,:@={}[\]\\#?]/y;

const CHARACTER_ESCAPES: Readonly<Record<string, number>> = {
  n: 10,
  t: 9,
  r: 13,
  b: 8,
  f: 12,
  '\\': 92,
  "'": 39,
  '"': 34,
};

function characterValue(text: string): bigint {
  if (text[0] !== '\\') return BigInt(text.codePointAt(0)!);
  if (/[0-7]/.test(text[1])) return BigInt(Number.parseInt(text.slice(1), 8) & 0xff);
  return BigInt(CHARACTER_ESCAPES[text[1]] ?? text.charCodeAt(1));
}

function numberValue(text: string, start: number): bigint {
  if (/[hH]$/.test(text)) return BigInt(`0x${text.slice(0, -1)}`);
  if (/^0[0-9]/.test(text)) {
    if (/[89]/.test(text)) throw new AssemblyError(`bad octal number '${text}'`, start, start + text.length);
    return BigInt(`0o${text}`);
  }
  return BigInt(text.toLowerCase());
}

/** After one of these a `%` is the remainder operator, not the start of a register. */
function endsValue(token: Token | undefined): boolean {
  if (!token) return false;
  return ['number', 'name', 'localLabel'].includes(token.kind) || token.text === ')';
}

/**
 * Splits the operands of a statement into tokens.
 * @throws AssemblyError at a character that starts no token
 */
export function tokenize(text: string, from = 0): Token[] {
  const tokens: Token[] = [];
  let position = from;
  const match = (pattern: RegExp): RegExpExecArray | null => {
    pattern.lastIndex = position;
    return pattern.exec(text);
  };
  for (;;) {
    position += match(SPACE)![0].length;
    if (position >= text.length) return tokens;
    const token = nextToken(text, position, match, tokens.at(-1));
    tokens.push(token);
    position = token.end;
  }
}

function nextToken(
  text: string,
  start: number,
  match: (pattern: RegExp) => RegExpExecArray | null,
  previous: Token | undefined,
): Token {
  const make = (kind: TokenKind, found: RegExpExecArray, value = 0n, tokenText = found[0]): Token => ({
    kind,
    text: tokenText,
    value,
    start,
    end: start + found[0].length,
  });
  let found: RegExpExecArray | null;
  if (previous?.text === '{' && (found = match(DECORATION))) return make('name', found);
  if ((found = match(LOCAL_LABEL)) && !/^0[bB][01]/.test(text.slice(start, start + 3))) {
    return make('localLabel', found);
  }
  if ((found = match(NUMBER))) {
    const after = text[start + found[0].length] ?? '';
    if (/[\w$]/.test(after)) {
      const word = /^[\w$.]+/.exec(text.slice(start))![0];
      throw new AssemblyError(`bad number '${word}'`, start, start + word.length);
    }
    return make('number', found, numberValue(found[0], start));
  }
  if ((found = match(NAME))) return make('name', found);
  if (text[start] === '%' && !endsValue(previous) && (found = match(REGISTER))) {
    return make('register', found, 0n, found[1].replace(/[ \t]/g, '').toLowerCase());
  }
  if ((found = match(STRING))) return make('string', found, 0n, found[1]);
  if (text[start] === '"') throw new AssemblyError('string without a closing quote', start);
  if (text[start] === "'" && (found = match(CHARACTER)))
    return make('number', found, characterValue(found[1]));
  if ((found = match(OPERATOR))) return make('punctuation', found);
  throw new AssemblyError(`unexpected character '${text[start]}'`, start, start + 1);
}

/** A cursor over tokens. */
export class TokenReader {
  private position = 0;

  constructor(
    private tokens: readonly Token[],
    /** Offset of the end of the text: where "something is missing" is reported. */
    private readonly endOffset: number,
  ) {}

  peek(ahead = 0): Token | undefined {
    return this.tokens[this.position + ahead];
  }

  next(): Token | undefined {
    return this.tokens[this.position++];
  }

  atEnd(): boolean {
    return this.position >= this.tokens.length;
  }

  is(text: string, ahead = 0): boolean {
    const token = this.peek(ahead);
    return token?.kind === 'punctuation' && token.text === text;
  }

  accept(text: string): boolean {
    if (!this.is(text)) return false;
    this.position++;
    return true;
  }

  expect(text: string): void {
    if (!this.accept(text)) throw this.error(`expected '${text}'`);
  }

  /** `.att_syntax noprefix`: names of registers are registers. */
  acceptBareRegisters(isRegister: (name: string) => boolean): void {
    this.tokens = this.tokens.map((token) => {
      const name = token.text.toLowerCase();
      return token.kind === 'name' && isRegister(name) ? { ...token, kind: 'register', text: name } : token;
    });
  }

  /** Offset of the next token. */
  offset(): number {
    return this.peek()?.start ?? this.endOffset;
  }

  /** Offset of the end of the token that was read last. */
  lastEnd(): number {
    return this.tokens[this.position - 1]?.end ?? 0;
  }

  expectEnd(): void {
    const token = this.peek();
    if (token) throw this.error(`unexpected '${token.text}'`);
  }

  error(message: string): AssemblyError {
    const token = this.peek();
    if (token) return new AssemblyError(message, token.start, token.end);
    return new AssemblyError(
      `${message} at the end of the statement`,
      Math.max(0, this.endOffset - 1),
      this.endOffset,
    );
  }

  mark(): number {
    return this.position;
  }

  reset(mark: number): void {
    this.position = mark;
  }
}
