import { AssemblyError } from './source.js';
import type { TokenReader } from './lexer.js';
import { addressOf, fixedDistance } from './sections.js';
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
  /** An undefined weak symbol is 0. */
  readonly isWeak: boolean;
}

export type Expression = Range &
  (
    | { readonly kind: 'constant'; readonly value: bigint }
    | { readonly kind: 'location'; readonly location: Location }
    | { readonly kind: 'symbol'; readonly symbol: SymbolReference }
    | { readonly kind: 'unary'; readonly operator: string; readonly operand: Expression }
    | {
        readonly kind: 'binary';
        readonly operator: string;
        readonly left: Expression;
        readonly right: Expression;
      }
  );

/** What names mean while a statement is parsed. */
export interface NameResolver {
  symbol(name: string, range: Range): Expression;
  localLabel(text: string, range: Range): Expression;
  here(range: Range): Expression;
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

const signed64 = (value: bigint): bigint => BigInt.asIntN(64, value);
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

const UNARY: Readonly<Record<string, (operand: bigint) => bigint>> = {
  '-': (operand) => -operand,
  '+': (operand) => operand,
  '~': (operand) => ~operand,
  '!': (operand) => (operand === 0n ? 1n : 0n),
};

/** @throws AssemblyError when the tokens at the reader's position start no expression */
export function parseExpression(reader: TokenReader, names: NameResolver, minimum = 1): Expression {
  let left = parsePrimary(reader, names);
  for (;;) {
    const token = reader.peek();
    const precedence = token?.kind === 'punctuation' ? PRECEDENCE[token.text] : undefined;
    if (!token || precedence === undefined || precedence < minimum) return left;
    reader.next();
    const right = parseExpression(reader, names, precedence + 1);
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

function parsePrimary(reader: TokenReader, names: NameResolver): Expression {
  const token = reader.peek();
  if (!token) throw reader.error('expected an expression');
  if (token.kind === 'punctuation') {
    if (token.text === '(') {
      reader.next();
      const inner = parseExpression(reader, names);
      reader.expect(')');
      return inner;
    }
    if (token.text in UNARY) {
      reader.next();
      const operand = parsePrimary(reader, names);
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
      return names.localLabel(token.text, { start, end });
    case 'name':
    case 'string':
      reader.next();
      skipRelocationSuffix(reader);
      return token.text === '.' ? names.here({ start, end }) : names.symbol(token.text, { start, end });
    case 'register':
      throw reader.error(`expected an expression, found the register %${token.text}`);
  }
}

/** `symbol@PLT`: in a static link the procedure linkage table is not needed. */
function skipRelocationSuffix(reader: TokenReader): void {
  if (!reader.is('@') || reader.peek(1)?.kind !== 'name') return;
  const suffix = reader.peek(1)!;
  if (!/^plt$/i.test(suffix.text)) {
    throw new AssemblyError(
      `relocation '@${suffix.text}' is not supported in a static link`,
      suffix.start,
      suffix.end,
    );
  }
  reader.next();
  reader.next();
}

function foldConstants(expression: Expression): Expression {
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

function applyBinary(expression: Expression & { kind: 'binary' }, left: bigint, right: bigint): bigint {
  if (right === 0n && (expression.operator === '/' || expression.operator === '%')) {
    throw new AssemblyError('division by zero', expression.start, expression.end);
  }
  return signed64(BINARY[expression.operator](left, right));
}

/** A value after layout. */
export interface Value {
  readonly value: bigint;
  /** It moves with the image: an address, not a number. */
  readonly isAddress: boolean;
}

/** A symbol that nothing defines was used. */
export class UndefinedSymbolError extends AssemblyError {}

/**
 * The value of an expression after layout.
 * @throws UndefinedSymbolError, AssemblyError
 */
export function evaluate(expression: Expression, depth = 0): Value {
  if (depth > 200) throw new AssemblyError('a symbol is defined by itself', expression.start, expression.end);
  switch (expression.kind) {
    case 'constant':
      return { value: expression.value, isAddress: false };
    case 'location':
      return { value: addressOf(expression.location), isAddress: expression.location.section.flags.allocate };
    case 'symbol':
      return evaluateSymbol(expression, depth);
    case 'unary': {
      const operand = evaluate(expression.operand, depth + 1);
      return { value: signed64(UNARY[expression.operator](operand.value)), isAddress: false };
    }
    case 'binary': {
      const left = evaluate(expression.left, depth + 1);
      const right = evaluate(expression.right, depth + 1);
      return {
        value: applyBinary(expression, left.value, right.value),
        isAddress: isAddressResult(expression.operator, left, right),
      };
    }
  }
}

function isAddressResult(operator: string, left: Value, right: Value): boolean {
  if (operator === '+') return left.isAddress || right.isAddress;
  if (operator === '-') return left.isAddress && !right.isAddress;
  return false;
}

function evaluateSymbol(expression: Expression & { kind: 'symbol' }, depth: number): Value {
  const { symbol, start, end } = expression;
  const definition = symbol.definition();
  if (!definition) {
    if (symbol.isWeak) return { value: 0n, isAddress: false };
    throw new UndefinedSymbolError(`undefined symbol '${symbol.name}'`, start, end);
  }
  if (!('kind' in definition)) return { value: addressOf(definition), isAddress: true };
  // Ranges inside a definition belong to another statement.
  try {
    return evaluate(definition, depth + 1);
  } catch (error) {
    if (!(error instanceof AssemblyError)) throw error;
    const Kind = error instanceof UndefinedSymbolError ? UndefinedSymbolError : AssemblyError;
    throw new Kind(error.message, start, end);
  }
}
