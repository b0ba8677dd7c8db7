/** 128-bit vectors of WebAssembly: expressions of type v128 (core specification 5.4.8, opcodes behind the prefix FD). */
import type { ByteBuffer } from './byteBuffer.js';
import { Expression, ValueType } from './expression.js';

const PREFIX = 0xfd;

class VectorOperation extends Expression {
  constructor(
    type: ValueType,
    private readonly opcode: number,
    private readonly operands: readonly Expression[],
    /** What stands behind the opcode: a lane, 16 lanes of a shuffle, 16 bytes of a constant. */
    private readonly immediates: readonly number[] = [],
  ) {
    super(type);
  }
  emit(code: ByteBuffer): void {
    for (const operand of this.operands) operand.emit(code);
    code.byte(PREFIX);
    code.unsigned(this.opcode);
    for (const byte of this.immediates) code.byte(byte);
  }
}

class VectorLoad extends Expression {
  constructor(
    private readonly address: Expression,
    private readonly offset: number,
  ) {
    super(ValueType.v128);
  }
  emit(code: ByteBuffer): void {
    this.address.emit(code);
    code.byte(PREFIX);
    code.unsigned(0);
    code.byte(0);
    code.unsigned(this.offset);
  }
}

/** Opcode of `v128.store`, which is a statement. */
export const V128_STORE = 11;

export const v128 = {
  type: ValueType.v128,
  load: (address: Expression, offset = 0): Expression => new VectorLoad(address, offset),
  /** From 16 bytes. */
  constant: (bytes: readonly number[]): Expression => new VectorOperation(ValueType.v128, 12, [], bytes),
  /** Byte `lanes[i]` of the 32 of `a` and `b` becomes byte i. */
  shuffle: (a: Expression, b: Expression, lanes: readonly number[]): Expression =>
    new VectorOperation(ValueType.v128, 13, [a, b], lanes),
  /** An operation of vectors by its opcode. */
  unary: (opcode: number, a: Expression): Expression => new VectorOperation(ValueType.v128, opcode, [a]),
  binary: (opcode: number, a: Expression, b: Expression): Expression =>
    new VectorOperation(ValueType.v128, opcode, [a, b]),
  /** Shifts every lane by an i32 count, modulo the width of a lane. */
  shift: (opcode: number, a: Expression, count: Expression): Expression =>
    new VectorOperation(ValueType.v128, opcode, [a, count]),
  /** One bit a lane, its sign: i32. */
  bitmask: (opcode: number, a: Expression): Expression => new VectorOperation(ValueType.i32, opcode, [a]),
  /** All lanes alike; opcode 15 takes i32 to bytes, 16 to words, 17 to doublewords, 18 i64 to quadwords. */
  splat: (opcode: 15 | 16 | 17 | 18, value: Expression): Expression =>
    new VectorOperation(ValueType.v128, opcode, [value]),
  extractI32: (a: Expression, lane: number): Expression =>
    new VectorOperation(ValueType.i32, 27, [a], [lane]),
  extractI64: (a: Expression, lane: number): Expression =>
    new VectorOperation(ValueType.i64, 29, [a], [lane]),
  extractU16: (a: Expression, lane: number): Expression =>
    new VectorOperation(ValueType.i32, 25, [a], [lane]),
  replaceI16: (a: Expression, lane: number, value: Expression): Expression =>
    new VectorOperation(ValueType.v128, 26, [a, value], [lane]),
  replaceI32: (a: Expression, lane: number, value: Expression): Expression =>
    new VectorOperation(ValueType.v128, 28, [a, value], [lane]),
  replaceI64: (a: Expression, lane: number, value: Expression): Expression =>
    new VectorOperation(ValueType.v128, 30, [a, value], [lane]),
} as const;
