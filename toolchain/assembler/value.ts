import { UNARY, applyBinary, signed64 } from './expression.js';
import type { BinaryExpression, Expression, SymbolReference } from './expression.js';
import { offsetOf } from './sections.js';
import type { Location } from './sections.js';
import { AssemblyError } from './source.js';

/** A place that a value is relative to. */
export interface Target {
  readonly symbol?: SymbolReference;
  /** Undefined for a symbol of another object. */
  readonly location?: Location;
  /** Bytes behind the location. */
  readonly offset: bigint;
}

/** A value after layout: the sum of a number and of `plus`, less `minus`. */
export interface Value {
  readonly value: bigint;
  readonly plus: readonly Target[];
  readonly minus: readonly Target[];
  /** The relocation operator, in lower case: `plt`, `gotpcrel`. */
  readonly relocation?: string;
}

const NONE: readonly Target[] = [];
const number = (value: bigint): Value => ({ value, plus: NONE, minus: NONE });

/** From the start of the section; only for targets with a location. */
export function targetOffset({ location, offset }: Target): bigint {
  return BigInt(offsetOf(location!)) + offset;
}

/**
 * The value of an expression after layout; differences within a section are numbers then.
 * @throws AssemblyError
 */
export function evaluate(expression: Expression, depth = 0): Value {
  if (depth > 200) throw new AssemblyError('a symbol is defined by itself', expression.start, expression.end);
  switch (expression.kind) {
    case 'constant':
      return number(expression.value);
    case 'location':
      return { value: 0n, plus: [{ location: expression.location, offset: 0n }], minus: NONE };
    case 'symbol':
      return evaluateSymbol(expression, depth);
    case 'relocated':
      return { ...evaluate(expression.operand, depth + 1), relocation: expression.relocation };
    case 'name':
      throw new AssemblyError(`'${expression.name}' has no value here`, expression.start, expression.end);
    case 'unary': {
      const operand = evaluate(expression.operand, depth + 1);
      if (expression.operator === '-')
        return { value: signed64(-operand.value), plus: operand.minus, minus: operand.plus };
      return number(signed64(UNARY[expression.operator](plainNumber(operand, expression))));
    }
    case 'binary':
      return combine(expression, evaluate(expression.left, depth + 1), evaluate(expression.right, depth + 1));
  }
}

/** @throws AssemblyError for a value that moves with a section */
function plainNumber({ value, plus, minus }: Value, { start, end }: Expression): bigint {
  if (plus.length === 0 && minus.length === 0) return value;
  const undefinedTarget = [...plus, ...minus].find(({ location }) => !location);
  throw new AssemblyError(
    undefinedTarget?.symbol
      ? `undefined symbol '${undefinedTarget.symbol.name}' in an operation that needs a number`
      : 'the value depends on where a section is loaded: a number is needed',
    start,
    end,
  );
}

function combine(expression: BinaryExpression, left: Value, right: Value): Value {
  const { operator } = expression;
  const relocation = left.relocation ?? right.relocation;
  if (operator === '+' || operator === '-') {
    const isSum = operator === '+';
    const value = signed64(isSum ? left.value + right.value : left.value - right.value);
    const plus = joined(left.plus, isSum ? right.plus : right.minus);
    const minus = joined(left.minus, isSum ? right.minus : right.plus);
    const sum = plus.length > 0 && minus.length > 0 ? cancel(value, plus, minus) : { value, plus, minus };
    return relocation ? { ...sum, relocation } : sum;
  }
  if (operator in COMPARISONS && left.plus.length > 0 && right.plus.length > 0) {
    const distance = cancel(signed64(left.value - right.value), left.plus, right.plus);
    return number(applyBinary(expression, plainNumber(distance, expression), 0n));
  }
  return number(applyBinary(expression, plainNumber(left, expression), plainNumber(right, expression)));
}

const COMPARISONS: Readonly<Record<string, true>> = {
  '==': true,
  '!=': true,
  '<>': true,
  '<': true,
  '>': true,
  '<=': true,
  '>=': true,
};

const joined = (first: readonly Target[], second: readonly Target[]): readonly Target[] =>
  first.length === 0 ? second : second.length === 0 ? first : [...first, ...second];

/** Takes out what is added and subtracted in one section. */
function cancel(value: bigint, plus: readonly Target[], minus: readonly Target[]): Value {
  let rest = value;
  const kept = [...plus];
  const keptMinus = minus.filter((subtracted) => {
    const index = kept.findIndex((added) =>
      added.location && subtracted.location
        ? added.location.chunk.section === subtracted.location.chunk.section
        : added.symbol !== undefined && added.symbol === subtracted.symbol,
    );
    if (index < 0) return true;
    const [added] = kept.splice(index, 1);
    if (added.location) rest += targetOffset(added) - targetOffset(subtracted);
    return false;
  });
  return { value: signed64(rest), plus: kept, minus: keptMinus };
}

function evaluateSymbol(expression: Expression & { kind: 'symbol' }, depth: number): Value {
  const { symbol, start, end } = expression;
  const definition = symbol.definition();
  if (!definition) return { value: 0n, plus: [{ symbol, offset: 0n }], minus: NONE };
  if (!('kind' in definition))
    return { value: 0n, plus: [{ symbol, location: definition, offset: 0n }], minus: NONE };
  let value: Value;
  // Ranges inside a definition belong to another statement.
  try {
    value = evaluate(definition, depth + 1);
  } catch (error) {
    if (!(error instanceof AssemblyError)) throw error;
    throw new AssemblyError(error.message, start, end);
  }
  const [only] = value.plus;
  if (value.plus.length !== 1 || value.minus.length > 0 || !only.location) return value;
  // An alias of a place is a symbol of its own: a global one is known by its own name.
  return {
    value: 0n,
    plus: [{ symbol, location: only.location, offset: only.offset + value.value }],
    minus: NONE,
  };
}

/**
 * The number that an expression is after layout.
 * @throws AssemblyError when it depends on where a section is loaded, or on a symbol of another object
 */
export function evaluateNumber(expression: Expression): bigint {
  return plainNumber(evaluate(expression), expression);
}
