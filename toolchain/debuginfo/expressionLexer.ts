/** A mistake in an expression, or something it asks for that is not there. The message is for the user. */
export class ExpressionError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'ExpressionError';
  }
}

export type Token =
  | { readonly kind: 'integer'; readonly value: bigint; readonly suffix: string; readonly decimal: boolean }
  | { readonly kind: 'float'; readonly value: number }
  | { readonly kind: 'character'; readonly value: number }
  | { readonly kind: 'identifier'; readonly name: string }
  | { readonly kind: 'register'; readonly name: string }
  | { readonly kind: 'operator'; readonly text: string }
  | { readonly kind: 'end' };

const OPERATORS =
  /^(?:<<=|>>=|->|<<|>>|<=|>=|==|!=|&&|\|\||\+\+|--|\+=|-=|\*=|\/=|%=|&=|\|=|\^=|[-+*/%&|^~!<>=?:.,()[\]])/;
const CHARACTER = /^'((?:[^'\\]|\\(?:x[0-9a-fA-F]+|[0-7]{1,3}|.))+)'/;
const FLOAT = /^(?:\d+\.\d*|\.\d+)(?:[eE][-+]?\d+)?|^\d+[eE][-+]?\d+/;
const INTEGER = /^(0[xX][0-9a-fA-F]+|0[bB][01]+|\d+)([uUlL]*)/;

/** The tokens of a C expression (C17 6.4), with `$name` for registers. */
export function tokenize(text: string): Token[] {
  const tokens: Token[] = [];
  let rest = text.trimStart();
  while (rest !== '') {
    const { token, length } = nextToken(rest);
    tokens.push(token);
    rest = rest.slice(length).trimStart();
  }
  tokens.push({ kind: 'end' });
  return tokens;
}

function nextToken(text: string): { token: Token; length: number } {
  const name = /^(\$?)([A-Za-z_][\w]*)/.exec(text);
  if (name !== null) {
    return {
      token: { kind: name[1] === '$' ? 'register' : 'identifier', name: name[2] },
      length: name[0].length,
    };
  }
  const float = FLOAT.exec(text);
  if (float !== null) {
    return { token: { kind: 'float', value: Number(float[0]) }, length: float[0].length };
  }
  const integer = INTEGER.exec(text);
  if (integer !== null) {
    return { token: integerToken(integer[1], integer[2]), length: integer[0].length };
  }
  const character = CHARACTER.exec(text);
  if (character !== null) {
    return { token: { kind: 'character', value: characterValue(character[1]) }, length: character[0].length };
  }
  const operator = OPERATORS.exec(text);
  if (operator !== null) {
    return { token: { kind: 'operator', text: operator[0] }, length: operator[0].length };
  }
  throw new ExpressionError(`unexpected ${text.startsWith('"') ? 'string literal' : `"${text[0]}"`}`);
}

function integerToken(digits: string, suffix: string): Token {
  if (!/^(?:u?(?:l|ll)?|(?:l|ll)u)$/i.test(suffix)) {
    throw new ExpressionError(`"${digits}${suffix}" is not a number`);
  }
  const isOctal = /^0\d+$/.test(digits);
  if (isOctal && /[89]/.test(digits)) {
    throw new ExpressionError(`"${digits}" is not an octal number`);
  }
  const value = BigInt(isOctal ? `0o${digits.slice(1)}` : digits);
  if (value >= 1n << 64n) {
    throw new ExpressionError(`${digits} does not fit 64 bits`);
  }
  return { kind: 'integer', value, suffix: suffix.toLowerCase(), decimal: /^[1-9]|^0$/.test(digits) };
}

const ESCAPES: Readonly<Record<string, number>> = {
  n: 10,
  t: 9,
  r: 13,
  a: 7,
  b: 8,
  f: 12,
  v: 11,
  e: 27,
  '\\': 92,
  "'": 39,
  '"': 34,
  '?': 63,
};

function characterValue(body: string): number {
  if (!body.startsWith('\\')) {
    const code = body.codePointAt(0)!;
    if (body.length !== 1 || code > 0x7f) {
      throw new ExpressionError(`'${body}' is not one character`);
    }
    return code;
  }
  const number = /^\\x([0-9a-fA-F]{1,2})$/.exec(body) ?? /^\\([0-7]{1,3})$/.exec(body);
  const value = number !== null ? parseInt(number[1], body[1] === 'x' ? 16 : 8) : ESCAPES[body.slice(1)];
  if (value === undefined || value > 0xff) {
    throw new ExpressionError(`'${body}' is not one character`);
  }
  return value;
}
