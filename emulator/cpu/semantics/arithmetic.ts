/** ADD to XADD: two-operand arithmetic and logic, increments, negation, exchange-add, sign extension. */
import type { Expression, IntegerOperations } from '../../wasm/expression.js';
import { i64 } from '../../wasm/expression.js';
import { Access } from '../seams.js';
import type { Emitter } from './emitter.js';
import { operationsOf } from './emitter.js';
import { FlagKind } from './flagKind.js';
import type { Semantics } from './semantics.js';

const READ_WRITE = Access.READ | Access.WRITE;
const RAX = 0;
const RDX = 2;

type Operation = (operations: IntegerOperations, a: Expression, b: Expression) => Expression;

/** destination = destination op source; `write` false: only the flags (CMP, TEST). */
const twoOperands =
  (operation: Operation, kind: FlagKind, write = true): Semantics =>
  (e) => {
    const size = e.sizeOf(0);
    const destination = e.operand(0, write ? READ_WRITE : Access.READ);
    const a = e.let(destination.get());
    const b = e.read(1);
    const result = e.let(operation(operationsOf(size), a, b));
    if (write) destination.set(result);
    e.setFlags(kind, size, { result, a, b });
  };

/** ADC and SBB. */
const withCarry =
  (operation: Operation, kind: FlagKind): Semantics =>
  (e) => {
    const size = e.sizeOf(0);
    const operations = operationsOf(size);
    const destination = e.operand(0, READ_WRITE);
    const a = e.let(destination.get());
    const b = e.read(1);
    const carry = e.flags.carry();
    const sum = operation(operations, a, b);
    const result = e.let(operation(operations, sum, size === 8 ? i64.extendU(carry) : carry));
    destination.set(result);
    e.setFlags(kind, size, { result, a, carry });
  };

const step =
  (difference: 1 | -1, kind: FlagKind): Semantics =>
  (e) => {
    const size = e.sizeOf(0);
    const destination = e.operand(0, READ_WRITE);
    const carry = e.flags.carry();
    const result = e.let(operationsOf(size).add(destination.get(), e.constant(size, difference)));
    destination.set(result);
    e.setFlags(kind, size, { result, carry });
  };

const not: Semantics = (e) => {
  const size = e.sizeOf(0);
  const destination = e.operand(0, READ_WRITE);
  destination.set(operationsOf(size).xor(destination.get(), e.constant(size, -1)));
};

const neg: Semantics = (e) => {
  const size = e.sizeOf(0);
  const destination = e.operand(0, READ_WRITE);
  const b = e.let(destination.get());
  const a = e.constant(size, 0);
  const result = e.let(operationsOf(size).sub(a, b));
  destination.set(result);
  e.setFlags(FlagKind.SUB, size, { result, a, b });
};

const xadd: Semantics = (e) => {
  const size = e.sizeOf(0);
  const destination = e.operand(0, READ_WRITE);
  const source = e.operand(1, READ_WRITE);
  const a = e.let(destination.get());
  const b = e.let(source.get());
  const result = e.let(operationsOf(size).add(a, b));
  // With the same register twice the sum wins (SDM 2D, XADD); a memory destination comes first for its side effects.
  source.set(a);
  destination.set(result);
  e.setFlags(FlagKind.ADD, size, { result, a, b });
};

/** CBW, CWDE, CDQE: the accumulator from its lower half. */
const extendAccumulator: Semantics = (e) => {
  const half = e.operandSize / 2;
  const value = e.signExtended(e.general(RAX, half).get(), half);
  e.general(RAX, e.operandSize).set(e.fromI64(value, e.operandSize));
};

/** CWD, CDQ, CQO: the sign of the accumulator in every bit of rDX. */
const extendIntoData: Semantics = (e: Emitter) => {
  const size = e.operandSize;
  const value = e.signExtended(e.general(RAX, size).get(), size);
  e.general(RDX, size).set(e.fromI64(i64.shrS(value, i64.constant(63)), size));
};

export const arithmetic: Readonly<Record<string, Semantics>> = {
  add: twoOperands((n, a, b) => n.add(a, b), FlagKind.ADD),
  sub: twoOperands((n, a, b) => n.sub(a, b), FlagKind.SUB),
  cmp: twoOperands((n, a, b) => n.sub(a, b), FlagKind.SUB, false),
  and: twoOperands((n, a, b) => n.and(a, b), FlagKind.LOGIC),
  or: twoOperands((n, a, b) => n.or(a, b), FlagKind.LOGIC),
  xor: twoOperands((n, a, b) => n.xor(a, b), FlagKind.LOGIC),
  test: twoOperands((n, a, b) => n.and(a, b), FlagKind.LOGIC, false),
  adc: withCarry((n, a, b) => n.add(a, b), FlagKind.ADC),
  sbb: withCarry((n, a, b) => n.sub(a, b), FlagKind.SBB),
  inc: step(1, FlagKind.INC),
  dec: step(-1, FlagKind.DEC),
  not,
  neg,
  xadd,
  extendAccumulator,
  extendIntoData,
};
