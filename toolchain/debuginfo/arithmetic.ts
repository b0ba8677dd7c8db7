import { builtinType } from './cTypeNames.js';
import { ExpressionError } from './expressionLexer.js';
import type { BaseType, PointerType, Type } from './types.js';
import { sizeOf, stripped, typeName } from './types.js';
import { encodeScalar, integerOf, isFloat, isScalar, isSigned, numberOf, rvalue } from './values.js';
import type { Value } from './values.js';

/** C's arithmetic on values, for programs of 32 or 64 bits. Values are scalars; arrays have decayed to pointers. */
export class Arithmetic {
  readonly int: BaseType;
  readonly long: BaseType;
  readonly unsignedLong: BaseType;
  private readonly double: BaseType = { kind: 'base', name: 'double', byteSize: 8, encoding: 'float' };

  constructor(private readonly bits: 32 | 64) {
    this.int = this.integerType('int');
    this.long = this.integerType('long');
    this.unsignedLong = this.integerType('unsigned long');
  }

  integerType(name: string): BaseType {
    return builtinType(name, this.bits)!;
  }

  /** The first of C's types that holds a literal (C17 6.4.4.1). */
  literal(value: bigint, suffix: string, decimal: boolean): Value {
    const isUnsigned = suffix.includes('u');
    const lengths = ['int', 'long', 'long long'].slice(suffix.replace('u', '').length);
    for (const length of lengths) {
      for (const name of [length, `unsigned ${length}`]) {
        const type = this.integerType(name);
        const signed = isSigned(type);
        // A decimal literal without suffix only gets signed types, but for one that fits none of them.
        const allowed = signed ? !isUnsigned : isUnsigned || !decimal || value >= 1n << 63n;
        if (allowed && value < 1n << BigInt(type.byteSize * 8 - (signed ? 1 : 0))) {
          return this.number(type, value);
        }
      }
    }
    throw new ExpressionError(`${value} does not fit any integer type`);
  }

  number(type: Type, value: bigint | number): Value {
    return rvalue(type, encodeScalar(type, value));
  }

  floating(value: number): Value {
    return this.number(this.double, value);
  }

  /** The value in another scalar type. */
  convert(value: Value, type: Type): Value {
    return this.number(type, isFloat(value.type) ? numberOf(value) : integerOf(value));
  }

  isTrue(value: Value): boolean {
    return isFloat(value.type) ? numberOf(value) !== 0 : integerOf(value) !== 0n;
  }

  boolean(value: boolean): Value {
    return this.number(this.int, value ? 1n : 0n);
  }

  unary(operator: string, operand: Value): Value {
    if (operator === '!') {
      return this.boolean(!this.isTrue(operand));
    }
    requireArithmetic(operator, operand);
    if (isFloat(operand.type)) {
      if (operator === '~') {
        throw new ExpressionError(`"~" cannot be applied to ${typeName(operand.type)}`);
      }
      return this.number(operand.type, operator === '-' ? -numberOf(operand) : numberOf(operand));
    }
    const type = this.promoted(operand.type);
    const integer = integerOf(operand);
    return this.number(type, operator === '-' ? -integer : operator === '~' ? ~integer : integer);
  }

  binary(operator: string, left: Value, right: Value): Value {
    requireScalar(operator, left);
    requireScalar(operator, right);
    if (operator in COMPARISONS) {
      return this.compare(operator, left, right);
    }
    const leftPointer = pointerType(left);
    const rightPointer = pointerType(right);
    if (leftPointer !== undefined || rightPointer !== undefined) {
      return this.pointerArithmetic(operator, left, right);
    }
    if (operator === '<<' || operator === '>>') {
      return this.shift(operator, left, right);
    }
    const type = this.common(left.type, right.type);
    if (isFloat(type)) {
      const compute = FLOAT_OPERATIONS[operator];
      if (compute === undefined) {
        throw new ExpressionError(`"${operator}" cannot be applied to ${typeName(type)}`);
      }
      return this.number(type, compute(numberOf(left), numberOf(right)));
    }
    const a = integerOf(this.convert(left, type));
    const b = integerOf(this.convert(right, type));
    if ((operator === '/' || operator === '%') && b === 0n) {
      throw new ExpressionError('division by zero');
    }
    return this.number(type, INTEGER_OPERATIONS[operator](a, b));
  }

  private compare(operator: string, left: Value, right: Value): Value {
    const holds = COMPARISONS[operator];
    if (isFloat(left.type) || isFloat(right.type)) {
      return this.boolean(holds(numberOf(left), numberOf(right)));
    }
    const isPointer = pointerType(left) !== undefined || pointerType(right) !== undefined;
    const type = isPointer ? this.unsignedLong : this.common(left.type, right.type);
    return this.boolean(holds(integerOf(this.convert(left, type)), integerOf(this.convert(right, type))));
  }

  /** C17 6.5.6: pointers count in elements; as in GNU C those of void count in bytes. */
  private pointerArithmetic(operator: string, left: Value, right: Value): Value {
    const leftPointer = pointerType(left);
    const rightPointer = pointerType(right);
    if (operator === '-' && leftPointer !== undefined && rightPointer !== undefined) {
      return this.number(this.long, (integerOf(left) - integerOf(right)) / elementSize(leftPointer));
    }
    if (operator === '+' && leftPointer === undefined && rightPointer !== undefined) {
      return this.pointerArithmetic(operator, right, left);
    }
    if ((operator !== '+' && operator !== '-') || leftPointer === undefined || rightPointer !== undefined) {
      throw new ExpressionError(
        `"${operator}" cannot be applied to ${typeName(left.type)} and ${typeName(right.type)}`,
      );
    }
    const distance = integerOf(right) * elementSize(leftPointer);
    return this.number(left.type, integerOf(left) + (operator === '+' ? distance : -distance));
  }

  /** The type of a shift is that of its left operand; counts beyond the width, undefined in C, shift all bits out. */
  private shift(operator: string, left: Value, right: Value): Value {
    requireArithmetic(operator, left, right);
    if (isFloat(left.type) || isFloat(right.type)) {
      throw new ExpressionError(`"${operator}" cannot be applied to floating point`);
    }
    const type = this.promoted(left.type);
    const count = integerOf(right);
    if (count < 0n) {
      throw new ExpressionError('a shift by a negative count');
    }
    const limited = count > 64n ? 64n : count;
    const value = integerOf(left);
    return this.number(type, operator === '<<' ? value << limited : value >> limited);
  }

  /** C17 6.3.1.1: what is narrower than int is int. */
  private promoted(type: Type): Type {
    const plain = stripped(type);
    const size = sizeOf(plain) ?? 0;
    if (size < 4) {
      return this.int;
    }
    return plain.kind === 'base'
      ? plain
      : this.integerType(`${isSigned(plain) ? '' : 'unsigned '}${size === 8 ? 'long long' : 'int'}`);
  }

  /** C17 6.3.1.8: the usual arithmetic conversions. */
  private common(left: Type, right: Type): Type {
    if (isFloat(left) || isFloat(right)) {
      const candidates = [left, right].filter(isFloat);
      return stripped(candidates.reduce((a, b) => ((sizeOf(b) ?? 0) > (sizeOf(a) ?? 0) ? b : a)));
    }
    const a = this.promoted(left);
    const b = this.promoted(right);
    const sizeA = sizeOf(a) ?? 0;
    const sizeB = sizeOf(b) ?? 0;
    if (sizeA !== sizeB) {
      return sizeA > sizeB ? a : b;
    }
    return isSigned(a) ? b : a;
  }
}

const COMPARISONS: Readonly<Record<string, (a: bigint | number, b: bigint | number) => boolean>> = {
  '==': (a, b) => a === b,
  '!=': (a, b) => a !== b,
  '<': (a, b) => a < b,
  '<=': (a, b) => a <= b,
  '>': (a, b) => a > b,
  '>=': (a, b) => a >= b,
};

const INTEGER_OPERATIONS: Readonly<Record<string, (a: bigint, b: bigint) => bigint>> = {
  '+': (a, b) => a + b,
  '-': (a, b) => a - b,
  '*': (a, b) => a * b,
  '/': (a, b) => a / b,
  '%': (a, b) => a % b,
  '&': (a, b) => a & b,
  '|': (a, b) => a | b,
  '^': (a, b) => a ^ b,
};

const FLOAT_OPERATIONS: Readonly<Record<string, (a: number, b: number) => number>> = {
  '+': (a, b) => a + b,
  '-': (a, b) => a - b,
  '*': (a, b) => a * b,
  '/': (a, b) => a / b,
};

function pointerType(value: Value): PointerType | undefined {
  const plain = stripped(value.type);
  return plain.kind === 'pointer' ? plain : undefined;
}

function elementSize(type: PointerType): bigint {
  const target = stripped(type.target);
  const size = target.kind === 'void' || target.kind === 'function' ? 1 : sizeOf(target);
  if (size === undefined || size === 0) {
    throw new ExpressionError(`the size of ${typeName(type.target)} is not known`);
  }
  return BigInt(size);
}

function requireScalar(operator: string, value: Value): void {
  if (!isScalar(value.type)) {
    throw new ExpressionError(`"${operator}" cannot be applied to ${typeName(value.type)}`);
  }
}

function requireArithmetic(operator: string, ...values: readonly Value[]): void {
  for (const value of values) {
    requireScalar(operator, value);
    if (pointerType(value) !== undefined) {
      throw new ExpressionError(`"${operator}" cannot be applied to ${typeName(value.type)}`);
    }
  }
}
