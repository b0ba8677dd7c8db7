import { AssemblyError } from './source.js';
import type { TokenReader } from './lexer.js';
import { fixedDistance } from './sections.js';
import type { Location } from './sections.js';

/** `start` and `end` are offsets in the statement that the part was written in. */
interface Range {
  readonly start: number;
  readonly end: number;
}

export interface SymbolReference {
  readonly name: string;
  /** The value once all is assembled: an expression, a location, or undefined. */
  definition(): Expression | Location | undefined;
}

export interface NameExpression {
  readonly kind: 'name';
  readonly name: string;
  readonly meaning: 'symbol' | 'localLabel' | 'here';
  readonly start: number;
  readonly end: number;
}

export type BinaryExpression = Expression & { readonly kind: 'binary' };

export type Expression = Range &
  (
    | { readonly kind: 'constant'; readonly value: bigint }
    | { readonly kind: 'location'; readonly location: Location }
    | { readonly kind: 'symbol'; readonly symbol: SymbolReference }
    /** A name that has not been looked up: so expressions can be kept from one run to the next. */
    | NameExpression
    /** `operand@relocation` */
    | { readonly kind: 'relocated'; readonly relocation: string; readonly operand: Expression }
    | { readonly kind: 'unary'; readonly operator: string; readonly operand: Expression }
    | {
        readonly kind: 'binary';
        readonly operator: string;
        readonly left: Expression;
        readonly right: Expression;
      }
  );

/** What names mean at a place of the source. */
export interface NameResolver {
  resolve(name: NameExpression): Expression;
}

/** Binding strengths of GNU as ("Infix Operators"), which are not those of C. */
const PRECEDENCE: Readonly<Record<string, number>> = {
  '||': 1,
  '&&': 2,
  '==': 3,
  '!=': 3,
  '<>': 3,
  '<': 3,
  '>': 3,
  '<=': 3,
  '>=': 3,
  '+': 4,
  '-': 4,
  '|': 5,
  '^': 5,
  '&': 5,
  '!': 5,
  '*': 6,
  '/': 6,
  '%': 6,
  '<<': 6,
  '>>': 6,
};

export const signed64 = (value: bigint): bigint => BigInt.asIntN(64, value);
const truth = (value: boolean): bigint => (value ? -1n : 0n);

const BINARY: Readonly<Record<string, (left: bigint, right: bigint) => bigint>> = {
  '||': (left, right) => (left !== 0n || right !== 0n ? 1n : 0n),
  '&&': (left, right) => (left !== 0n && right !== 0n ? 1n : 0n),
  '==': (left, right) => truth(left === right),
  '!=': (left, right) => truth(left !== right),
  '<>': (left, right) => truth(left !== right),
  '<': (left, right) => truth(left < right),
  '>': (left, right) => truth(left > right),
  '<=': (left, right) => truth(left <= right),
  '>=': (left, right) => truth(left >= right),
  '+': (left, right) => left + right,
  '-': (left, right) => left - right,
  '|': (left, right) => left | right,
  '^': (left, right) => left ^ right,
  '&': (left, right) => left & right,
  '!': (left, right) => left | ~right,
  '*': (left, right) => left * right,
  '/': (left, right) => left / right,
  '%': (left, right) => left % right,
  '<<': (left, right) => (right >= 0n && right < 64n ? left << right : 0n),
  '>>': (left, right) => (right >= 0n && right < 64n ? BigInt.asUintN(64, left) >> right : 0n),
};

export const UNARY: Readonly<Record<string, (operand: bigint) => bigint>> = {
  '-': (operand) => -operand,
  '+': (operand) => operand,
  '~': (operand) => ~operand,
  '!': (operand) => (operand === 0n ? 1n : 0n),
};

/** @throws AssemblyError when the tokens at the reader's position start no expression */
export function parseExpression(reader: TokenReader, minimum = 1): Expression {
  let left = parsePrimary(reader);
  for (;;) {
    const token = reader.peek();
    const precedence = token?.kind === 'punctuation' ? PRECEDENCE[token.text] : undefined;
    if (!token || precedence === undefined || precedence < minimum) return left;
    reader.next();
    const right = parseExpression(reader, precedence + 1);
    left = foldConstants({
      kind: 'binary',
      operator: token.text,
      left,
      right,
      start: left.start,
      end: right.end,
    });
  }
}

function parsePrimary(reader: TokenReader): Expression {
  const token = reader.peek();
  if (!token) throw reader.error('expected an expression');
  if (token.kind === 'punctuation') {
    if (token.text === '(') {
      reader.next();
      const inner = parseExpression(reader);
      reader.expect(')');
      return parseRelocation(inner, reader);
    }
    if (token.text in UNARY) {
      reader.next();
      const operand = parsePrimary(reader);
      return foldConstants({
        kind: 'unary',
        operator: token.text,
        operand,
        start: token.start,
        end: operand.end,
      });
    }
    throw reader.error(`expected an expression, found '${token.text}'`);
  }
  const { start, end } = token;
  switch (token.kind) {
    case 'number':
      reader.next();
      return { kind: 'constant', value: token.value, start, end };
    case 'localLabel':
      reader.next();
      return parseRelocation({ kind: 'name', name: token.text, meaning: 'localLabel', start, end }, reader);
    case 'name':
    case 'string':
      reader.next();
      return parseRelocation(
        { kind: 'name', name: token.text, meaning: token.text === '.' ? 'here' : 'symbol', start, end },
        reader,
      );
    case 'register':
      throw reader.error(`expected an expression, found the register %${token.text}`);
  }
}

/** `operand@PLT`: the operand with the relocation operator that follows it. */
export function parseRelocation(operand: Expression, reader: TokenReader): Expression {
  if (!reader.is('@') || reader.peek(1)?.kind !== 'name') return operand;
  const suffix = reader.peek(1)!;
  const relocation = suffix.text.toLowerCase();
  if (!RELOCATION_OPERATORS.has(relocation))
    throw new AssemblyError(`unknown relocation operator '@${suffix.text}'`, suffix.start, suffix.end);
  reader.next();
  reader.next();
  return { kind: 'relocated', relocation, operand, start: operand.start, end: suffix.end };
}

/** GNU as, "x86-Dependent Features", "Relocations". */
const RELOCATION_OPERATORS: ReadonlySet<string> = new Set(
  (
    'plt pltoff got gotoff gotpcrel gotplt tlsgd tlsldm tlsld gottpoff tpoff ntpoff dtpoff gotntpoff indntpoff ' +
    'size tlsdesc tlscall secrel32'
  ).split(' '),
);

/** A constant when its parts are. */
export function foldConstants(expression: Expression): Expression {
  const value = constantValue(expression);
  return value === undefined
    ? expression
    : { kind: 'constant', value, start: expression.start, end: expression.end };
}

/**
 * The value of an expression that needs no addresses: constants, and differences of locations with code of fixed
 * size between them. Undefined when it must wait for layout.
 */
export function constantValue(expression: Expression): bigint | undefined {
  switch (expression.kind) {
    case 'constant':
      return expression.value;
    case 'location':
    case 'symbol':
    case 'name':
    case 'relocated':
      return undefined;
    case 'unary': {
      const operand = constantValue(expression.operand);
      return operand === undefined ? undefined : signed64(UNARY[expression.operator](operand));
    }
    case 'binary': {
      const left = constantValue(expression.left);
      const right = constantValue(expression.right);
      if (left !== undefined && right !== undefined) return applyBinary(expression, left, right);
      return locationDifference(expression.operator, expression.left, expression.right);
    }
  }
}

function locationDifference(operator: string, left: Expression, right: Expression): bigint | undefined {
  if (operator !== '-') return undefined;
  const from = splitLocation(right);
  const to = splitLocation(left);
  if (!from || !to) return undefined;
  const distance = fixedDistance(from.location, to.location);
  return distance === undefined ? undefined : distance + to.addend - from.addend;
}

/** `location + constant` as its two parts. */
export function splitLocation(expression: Expression): { location: Location; addend: bigint } | undefined {
  if (expression.kind === 'location') return { location: expression.location, addend: 0n };
  if (expression.kind === 'symbol') {
    const definition = expression.symbol.definition();
    if (!definition || 'kind' in definition) return undefined;
    return { location: definition, addend: 0n };
  }
  if (expression.kind !== 'binary' || (expression.operator !== '+' && expression.operator !== '-'))
    return undefined;
  const base = splitLocation(expression.left);
  const addend = constantValue(expression.right);
  if (!base || addend === undefined) return undefined;
  return { location: base.location, addend: base.addend + (expression.operator === '+' ? addend : -addend) };
}

export function applyBinary(expression: BinaryExpression, left: bigint, right: bigint): bigint {
  if (right === 0n && (expression.operator === '/' || expression.operator === '%')) {
    throw new AssemblyError('division by zero', expression.start, expression.end);
  }
  return signed64(BINARY[expression.operator](left, right));
}

/** The expression with what its names mean at this place; itself when it has none. */
export function bindNames(expression: Expression, names: NameResolver): Expression {
  switch (expression.kind) {
    case 'name':
      return names.resolve(expression);
    case 'relocated': {
      const operand = bindNames(expression.operand, names);
      return operand === expression.operand ? expression : { ...expression, operand };
    }
    case 'unary': {
      const operand = bindNames(expression.operand, names);
      return operand === expression.operand ? expression : foldConstants({ ...expression, operand });
    }
    case 'binary': {
      const left = bindNames(expression.left, names);
      const right = bindNames(expression.right, names);
      const isSame = left === expression.left && right === expression.right;
      return isSame ? expression : foldConstants({ ...expression, left, right });
    }
    default:
      return expression;
  }
}
