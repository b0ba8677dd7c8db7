/**
 * WebAssembly expressions as trees. A tree is evaluated where a statement of `FunctionBuilder` uses it: what it loads
 * is what memory and locals hold at that place. Bind it with `FunctionBuilder.let` to evaluate it once.
 */
import { ByteBuffer } from './byteBuffer.js';

/** Value types, by their code in the binary format. */
export const ValueType = { i32: 0x7f, i64: 0x7e, v128: 0x7b } as const;
export type ValueType = (typeof ValueType)[keyof typeof ValueType];

export abstract class Expression {
  constructor(readonly type: ValueType) {}
  /** Appends the instructions that leave the value on the stack. */
  abstract emit(code: ByteBuffer): void;
  /** The value of a constant, else undefined. */
  get constant(): bigint | undefined {
    return undefined;
  }
}

class Constant extends Expression {
  /** The instruction, encoded when it is first used. */
  private code: Uint8Array | undefined;

  constructor(
    type: ValueType,
    readonly value: bigint,
  ) {
    super(type);
  }
  override get constant(): bigint {
    return this.value;
  }
  private encode(): Uint8Array {
    const code = new ByteBuffer(11);
    if (this.type === ValueType.i32) {
      code.byte(0x41);
      code.signed32(Number(this.value));
    } else {
      code.byte(0x42);
      code.signed64(this.value);
    }
    return code.toBytes();
  }
  emit(code: ByteBuffer): void {
    code.append((this.code ??= this.encode()));
  }
}

const SMALLEST_SHARED = -0x1_0000;
const LARGEST_SHARED = 0x1_0000;

/** Makes constants; small ones, which every instruction uses, are made once. */
function constantsOf(type: ValueType): (value: number | bigint) => Expression {
  const shared = new Map<number, Constant>();
  return (value) => {
    const small = typeof value === 'number' && value >= SMALLEST_SHARED && value <= LARGEST_SHARED;
    if (!small) return new Constant(type, asInteger(type, BigInt(value)));
    let constant = shared.get(value);
    if (!constant) shared.set(value, (constant = new Constant(type, BigInt(value))));
    return constant;
  };
}

export class Local extends Expression {
  constructor(
    type: ValueType,
    readonly index: number,
  ) {
    super(type);
  }
  emit(code: ByteBuffer): void {
    code.byte(0x20);
    code.unsigned(this.index);
  }
}

class Operation extends Expression {
  constructor(
    type: ValueType,
    readonly opcode: number,
    readonly operands: readonly Expression[],
  ) {
    super(type);
  }
  emit(code: ByteBuffer): void {
    for (const operand of this.operands) operand.emit(code);
    code.byte(this.opcode);
  }
}

class Load extends Expression {
  constructor(
    type: ValueType,
    readonly opcode: number,
    readonly address: Expression,
    readonly offset: number,
  ) {
    super(type);
  }
  emit(code: ByteBuffer): void {
    this.address.emit(code);
    code.byte(this.opcode);
    // Alignment hint 0: guest addresses have any alignment.
    code.byte(0);
    code.unsigned(this.offset);
  }
}

class Call extends Expression {
  constructor(
    type: ValueType,
    readonly functionIndex: number,
    readonly operands: readonly Expression[],
  ) {
    super(type);
  }
  emit(code: ByteBuffer): void {
    for (const operand of this.operands) operand.emit(code);
    code.byte(0x10);
    code.unsigned(this.functionIndex);
  }
}

const asInteger = (type: ValueType, value: bigint) => BigInt.asIntN(type === ValueType.i32 ? 32 : 64, value);
const isConstant = (expression: Expression, value: bigint) => expression.constant === value;

type Fold = (a: bigint, b: bigint) => bigint;

/** A binary operation with constant folding; `neutral` on the right side leaves the left as it is. */
const binary =
  (type: ValueType, opcode: number, fold?: Fold, neutral?: bigint) =>
  (left: Expression, right: Expression): Expression => {
    if (neutral !== undefined && isConstant(right, neutral)) return left;
    if (fold && left.constant !== undefined && right.constant !== undefined) {
      return new Constant(type, asInteger(type, fold(left.constant, right.constant)));
    }
    return new Operation(type, opcode, [left, right]);
  };

const unary =
  (type: ValueType, opcode: number) =>
  (operand: Expression): Expression =>
    new Operation(type, opcode, [operand]);

const compare = (opcode: number) => binary(ValueType.i32, opcode);

const load =
  (type: ValueType, opcode: number) =>
  (address: Expression, offset = 0): Expression =>
    new Load(type, opcode, address, offset);

const add: Fold = (a, b) => a + b;
const subtract: Fold = (a, b) => a - b;
const and: Fold = (a, b) => a & b;

const I32_WRAP_I64 = 0xa7;
const I64_EXTEND_I32_S = 0xac;
const I64_EXTEND_I32_U = 0xad;

/** Integer operations that both widths have. Comparisons answer i32. */
export interface IntegerOperations {
  readonly type: ValueType;
  readonly bits: 32 | 64;
  constant(value: number | bigint): Expression;
  readonly add: (a: Expression, b: Expression) => Expression;
  readonly sub: (a: Expression, b: Expression) => Expression;
  readonly mul: (a: Expression, b: Expression) => Expression;
  readonly divU: (a: Expression, b: Expression) => Expression;
  readonly divS: (a: Expression, b: Expression) => Expression;
  readonly remU: (a: Expression, b: Expression) => Expression;
  readonly remS: (a: Expression, b: Expression) => Expression;
  readonly and: (a: Expression, b: Expression) => Expression;
  readonly or: (a: Expression, b: Expression) => Expression;
  readonly xor: (a: Expression, b: Expression) => Expression;
  readonly shl: (a: Expression, b: Expression) => Expression;
  readonly shrS: (a: Expression, b: Expression) => Expression;
  readonly shrU: (a: Expression, b: Expression) => Expression;
  readonly rotl: (a: Expression, b: Expression) => Expression;
  readonly rotr: (a: Expression, b: Expression) => Expression;
  readonly clz: (a: Expression) => Expression;
  readonly ctz: (a: Expression) => Expression;
  readonly popcnt: (a: Expression) => Expression;
  readonly eqz: (a: Expression) => Expression;
  readonly eq: (a: Expression, b: Expression) => Expression;
  readonly ne: (a: Expression, b: Expression) => Expression;
  readonly ltS: (a: Expression, b: Expression) => Expression;
  readonly ltU: (a: Expression, b: Expression) => Expression;
  readonly gtS: (a: Expression, b: Expression) => Expression;
  readonly gtU: (a: Expression, b: Expression) => Expression;
  readonly leS: (a: Expression, b: Expression) => Expression;
  readonly leU: (a: Expression, b: Expression) => Expression;
  readonly geS: (a: Expression, b: Expression) => Expression;
  readonly geU: (a: Expression, b: Expression) => Expression;
  readonly extend8S: (a: Expression) => Expression;
  readonly extend16S: (a: Expression) => Expression;
  readonly load: (address: Expression, offset?: number) => Expression;
  readonly load8U: (address: Expression, offset?: number) => Expression;
  readonly load16U: (address: Expression, offset?: number) => Expression;
}

/** Opcodes in the order of the binary format, from the first comparison, arithmetic instruction and load. */
const integer = (
  type: ValueType,
  bits: 32 | 64,
  comparison: number,
  arithmetic: number,
  opcodes: { extend8S: number; extend16S: number; load: number; load8U: number; load16U: number },
): IntegerOperations => ({
  type,
  bits,
  constant: constantsOf(type),
  eqz: unary(ValueType.i32, comparison),
  eq: compare(comparison + 1),
  ne: compare(comparison + 2),
  ltS: compare(comparison + 3),
  ltU: compare(comparison + 4),
  gtS: compare(comparison + 5),
  gtU: compare(comparison + 6),
  leS: compare(comparison + 7),
  leU: compare(comparison + 8),
  geS: compare(comparison + 9),
  geU: compare(comparison + 10),
  clz: unary(type, arithmetic),
  ctz: unary(type, arithmetic + 1),
  popcnt: unary(type, arithmetic + 2),
  add: binary(type, arithmetic + 3, add, 0n),
  sub: binary(type, arithmetic + 4, subtract, 0n),
  mul: binary(type, arithmetic + 5),
  divS: binary(type, arithmetic + 6),
  divU: binary(type, arithmetic + 7),
  remS: binary(type, arithmetic + 8),
  remU: binary(type, arithmetic + 9),
  and: binary(type, arithmetic + 10, and, -1n),
  or: binary(type, arithmetic + 11, undefined, 0n),
  xor: binary(type, arithmetic + 12, undefined, 0n),
  shl: binary(type, arithmetic + 13, undefined, 0n),
  shrS: binary(type, arithmetic + 14, undefined, 0n),
  shrU: binary(type, arithmetic + 15, undefined, 0n),
  rotl: binary(type, arithmetic + 16),
  rotr: binary(type, arithmetic + 17),
  extend8S: unary(type, opcodes.extend8S),
  extend16S: unary(type, opcodes.extend16S),
  load: load(type, opcodes.load),
  load8U: load(type, opcodes.load8U),
  load16U: load(type, opcodes.load16U),
});

export const i32 = {
  ...integer(ValueType.i32, 32, 0x45, 0x67, {
    extend8S: 0xc0,
    extend16S: 0xc1,
    load: 0x28,
    load8U: 0x2d,
    load16U: 0x2f,
  }),
  /** The low half of an i64. */
  wrap(operand: Expression): Expression {
    if (operand.constant !== undefined) return i32.constant(operand.constant);
    const extended =
      operand instanceof Operation &&
      (operand.opcode === I64_EXTEND_I32_S || operand.opcode === I64_EXTEND_I32_U) &&
      operand.type === ValueType.i64;
    return extended ? operand.operands[0] : new Operation(ValueType.i32, I32_WRAP_I64, [operand]);
  },
};

export const i64 = {
  ...integer(ValueType.i64, 64, 0x50, 0x79, {
    extend8S: 0xc2,
    extend16S: 0xc3,
    load: 0x29,
    load8U: 0x31,
    load16U: 0x33,
  }),
  extend32S: unary(ValueType.i64, 0xc4),
  load32U: load(ValueType.i64, 0x35),
  load32S: load(ValueType.i64, 0x34),
  extendS: (operand: Expression): Expression =>
    operand.constant === undefined
      ? new Operation(ValueType.i64, I64_EXTEND_I32_S, [operand])
      : i64.constant(operand.constant),
  extendU: (operand: Expression): Expression =>
    operand.constant === undefined
      ? new Operation(ValueType.i64, I64_EXTEND_I32_U, [operand])
      : i64.constant(BigInt.asUintN(32, operand.constant)),
};

/** `whenTrue` if the i32 `condition` is not 0, else `whenFalse`; both are evaluated. */
export function select(whenTrue: Expression, whenFalse: Expression, condition: Expression): Expression {
  return new Operation(whenTrue.type, 0x1b, [whenTrue, whenFalse, condition]);
}

/** The result of a call. The call happens where the expression is evaluated: bind it. */
export function call(type: ValueType, functionIndex: number, operands: readonly Expression[]): Expression {
  return new Call(type, functionIndex, operands);
}
