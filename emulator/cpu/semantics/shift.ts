/** Shifts and rotates. Flags that the manual leaves undefined for counts above 1 come from the same formulas. */
import type { Expression } from '../../wasm/expression.js';
import { i32, i64 } from '../../wasm/expression.js';
import { Access } from '../seams.js';
import type { Emitter, Place } from './emitter.js';
import { operationsOf } from './emitter.js';
import { FlagBit, FlagKind } from './flagKind.js';
import type { Semantics } from './semantics.js';

const READ_WRITE = Access.READ | Access.WRITE;

/**
 * The count as an i32 masked to 5 or 6 bits; `body` runs only when it is not 0. A 32-bit register loses its upper half
 * in any case.
 */
function withCount(
  e: Emitter,
  operand: number,
  destination: Place,
  value: Expression,
  body: (count: Expression) => void,
): void {
  const mask = e.sizeOf(0) === 8 ? 63 : 31;
  const shape = e.shape.operands[operand];
  const count = e.let(i32.and(e.read(operand), i32.constant(mask)));
  if (shape.kind === 'immediate' && shape.nonZero) body(count);
  else if (e.sizeOf(0) === 4)
    e.when(
      count,
      () => body(count),
      () => destination.set(value),
    );
  else e.when(count, () => body(count));
}

const typed = (count: Expression, size: number) => (size === 8 ? i64.extendU(count) : count);

type Shift = (e: Emitter, size: number, a: Expression, count: Expression) => Expression;

const shl: Shift = (_, size, a, count) => operationsOf(size).shl(a, typed(count, size));
const shr: Shift = (_, size, a, count) => operationsOf(size).shrU(a, typed(count, size));
const sar: Shift = (e, size, a, count) => {
  const value = size >= 4 ? a : i32.wrap(e.signExtended(a, size));
  return operationsOf(size).shrS(value, typed(count, size));
};

/** SHL, SHR, SAR: the operand shifted one less than `count` shows CF (see FlagKind). */
const shift =
  (operation: Shift, kind: FlagKind): Semantics =>
  (e) => {
    const size = e.sizeOf(0);
    const destination = e.operand(0, READ_WRITE);
    const value = e.let(destination.get());
    withCount(e, 1, destination, value, (count) => {
      const result = e.let(operation(e, size, value, count));
      const a = operation(e, size, value, i32.sub(count, i32.constant(1)));
      destination.set(result);
      e.setFlags(kind, size, { result, a });
    });
  };

/** Rotates change CF and OF alone. */
function setRotateFlags(e: Emitter, cf: Expression, of: Expression): void {
  const flags = i32.or(i32.and(cf, i32.constant(1)), i32.shl(of, i32.constant(Math.log2(FlagBit.OF))));
  e.flags.replace(FlagBit.CF | FlagBit.OF, e.let(flags));
}

/** A bit of a value, i32 0 or 1. */
function bitOf(value: Expression, size: number, position: number): Expression {
  const operations = operationsOf(size);
  const bit = operations.shrU(value, operations.constant(position));
  return i32.and(size === 8 ? i32.wrap(bit) : bit, i32.constant(1));
}

const xor = (a: Expression, b: Expression) => i32.xor(a, b);

function rotated(size: number, value: Expression, count: Expression, left: boolean): Expression {
  const operations = operationsOf(size);
  if (size >= 4) return (left ? operations.rotl : operations.rotr)(value, typed(count, size));
  const bits = size * 8;
  const turns = i32.and(count, i32.constant(bits - 1));
  const rest = i32.sub(i32.constant(bits), turns);
  const [up, down] = left ? [turns, rest] : [rest, turns];
  return i32.or(i32.shl(value, up), i32.shrU(value, down));
}

const rotate =
  (left: boolean): Semantics =>
  (e) => {
    const size = e.sizeOf(0);
    const top = size * 8 - 1;
    const destination = e.operand(0, READ_WRITE);
    const value = e.let(destination.get());
    withCount(e, 1, destination, value, (count) => {
      const result = e.let(rotated(size, value, count, left));
      destination.set(result);
      const sign = bitOf(result, size, top);
      if (left) {
        const cf = bitOf(result, size, 0);
        setRotateFlags(e, cf, xor(sign, cf));
      } else {
        setRotateFlags(e, sign, xor(sign, bitOf(result, size, top - 1)));
      }
    });
  };

/** RCL and RCR of 8, 16 and 32 bits: rotate the operand with CF on top, size + 1 bits in an i64. */
function rotateThroughCarryNarrow(e: Emitter, left: boolean, destination: Place, value: Expression): void {
  const size = e.sizeOf(0);
  const bits = size * 8;
  withCount(e, 1, destination, value, (count) => {
    const turns = e.let(size === 4 ? count : i32.remU(count, i32.constant(bits + 1)));
    e.when(turns, () => {
      const carry = i64.shl(i64.extendU(e.flags.carry()), i64.constant(bits));
      const whole = e.let(i64.or(e.zeroExtended(value, size), carry));
      const rest = i32.sub(i32.constant(bits + 1), turns);
      const [up, down] = left ? [turns, rest] : [rest, turns];
      const upper = i64.shl(whole, i64.extendU(up));
      const result = e.let(i64.or(upper, i64.shrU(whole, i64.extendU(down))));
      const kept = e.let(i32.wrap(result));
      destination.set(kept);
      const cf = e.let(bitOf(result, 8, bits));
      const sign = bitOf(kept, size, bits - 1);
      setRotateFlags(e, cf, xor(sign, left ? cf : bitOf(kept, size, bits - 2)));
    });
  });
}

/** RCL and RCR of 64 bits: 65 bits do not fit, so CF is put in its place by hand. */
function rotateThroughCarryWide(e: Emitter, left: boolean, destination: Place, value: Expression): void {
  withCount(e, 1, destination, value, (count) => {
    const carry = e.let(i64.extendU(e.flags.carry()));
    const turns = e.let(i64.extendU(count));
    const rest = e.let(i64.sub(i64.constant(64), turns));
    const one = i64.constant(1);
    const less = i64.sub(turns, one);
    const result = e.let(
      left
        ? i64.or(i64.or(i64.shl(value, turns), i64.shl(carry, less)), i64.shrU(i64.shrU(value, one), rest))
        : i64.or(i64.or(i64.shrU(value, turns), i64.shl(carry, rest)), i64.shl(i64.shl(value, one), rest)),
    );
    destination.set(result);
    const out = i64.shrU(value, left ? rest : less);
    const cf = e.let(i32.wrap(i64.and(out, one)));
    const sign = bitOf(result, 8, 63);
    setRotateFlags(e, cf, xor(sign, left ? cf : bitOf(result, 8, 62)));
  });
}

const rotateThroughCarry =
  (left: boolean): Semantics =>
  (e) => {
    const destination = e.operand(0, READ_WRITE);
    const value = e.let(destination.get());
    const emit = e.sizeOf(0) === 8 ? rotateThroughCarryWide : rotateThroughCarryNarrow;
    emit(e, left, destination, value);
  };

/**
 * SHLD and SHRD. Of 16 bits, with counts above 16 (undefined by the manual), the bits that follow the source are the
 * destination's again.
 */
const doubleShift =
  (left: boolean): Semantics =>
  (e) => {
    const size = e.sizeOf(0);
    const bits = size * 8;
    const operations = operationsOf(size);
    const destination = e.operand(0, READ_WRITE);
    const value = e.let(destination.get());
    const source = e.read(1);
    withCount(e, 2, destination, value, (count) => {
      let result: Expression;
      let cf: Expression;
      if (size === 2) {
        const parts = [value, source, value].map((part) => i64.extendU(part));
        const shifted = (part: Expression, places: number) => i64.shl(part, i64.constant(places));
        const whole = e.let(i64.or(i64.or(shifted(parts[0], 32), shifted(parts[1], 16)), parts[2]));
        const turns = i64.extendU(count);
        const moved = left ? i64.shrU(i64.shl(whole, turns), i64.constant(32)) : i64.shrU(whole, turns);
        result = e.let(i32.wrap(moved));
        const last = left
          ? i64.shrU(whole, i64.sub(i64.constant(48), turns))
          : i64.shrU(whole, i64.sub(turns, i64.constant(1)));
        cf = i32.and(i32.wrap(last), i32.constant(1));
      } else {
        const turns = e.let(typed(count, size));
        const rest = e.let(operations.sub(operations.constant(bits), turns));
        result = e.let(
          left
            ? operations.or(operations.shl(value, turns), operations.shrU(source, rest))
            : operations.or(operations.shrU(value, turns), operations.shl(source, rest)),
        );
        const less = operations.sub(turns, operations.constant(1));
        cf = bitOf(operations.shrU(value, left ? rest : less), size, 0);
      }
      destination.set(result);
      const of = e.sign(operations.xor(value, result), size);
      e.setFlags(FlagKind.CARRIED, size, { result, carry: e.carried(cf, of) });
    });
  };

export const shiftAndRotate: Readonly<Record<string, Semantics>> = {
  shl: shift(shl, FlagKind.SHL),
  shr: shift(shr, FlagKind.SHR),
  sar: shift(sar, FlagKind.SAR),
  rol: rotate(true),
  ror: rotate(false),
  rcl: rotateThroughCarry(true),
  rcr: rotateThroughCarry(false),
  shld: doubleShift(true),
  shrd: doubleShift(false),
};
