/** MUL, IMUL, DIV, IDIV and the ASCII and decimal adjustments. */
import type { Expression } from '../../wasm/expression.js';
import { i32, i64 } from '../../wasm/expression.js';
import { Vector } from '../fault.js';
import { Access } from '../seams.js';
import type { Emitter } from './emitter.js';
import { operationsOf } from './emitter.js';
import { FlagBit, FlagKind } from './flagKind.js';
import type { Semantics } from './semantics.js';

const RAX = 0;
const RDX = 2;

/** Two- and three-operand IMUL: the first operand is the destination, the last two are multiplied. */
const imul: Semantics = (e) => {
  const size = e.sizeOf(0);
  const last = e.shape.operands.length - 1;
  const a = e.read(last - 1);
  const b = e.read(last);
  const result = e.let(operationsOf(size).mul(a, b));
  e.operand(0, Access.WRITE).set(result);
  e.setFlags(FlagKind.IMUL, size, { result, a, b });
};

/** One-operand MUL and IMUL: the product in AX, DX:AX, EDX:EAX, RDX:RAX. SF, ZF, AF, PF: of the low half, AF 0. */
const multiplyWide =
  (signed: boolean): Semantics =>
  (e) => {
    const size = e.sizeOf(0);
    const source = e.read(0);
    const extended = (value: Expression) =>
      signed ? e.signExtended(value, size) : e.zeroExtended(value, size);
    const a = e.let(extended(e.general(RAX, size).get()));
    const b = e.let(extended(source));
    const low = e.let(i64.mul(a, b));
    let overflow: Expression;
    if (size === 8) {
      const high = e.helper(signed ? 'multiplyHighSigned' : 'multiplyHighUnsigned', [a, b]);
      e.general(RAX, 8).set(low);
      e.general(RDX, 8).set(high);
      overflow = i64.ne(high, signed ? i64.shrS(low, i64.constant(63)) : i64.constant(0));
    } else {
      const kept = e.fromI64(low, size);
      overflow = i64.ne(low, signed ? e.signExtended(kept, size) : e.zeroExtended(kept, size));
      if (size === 1) {
        e.general(RAX, 2).set(kept);
      } else {
        const high = e.let(i32.wrap(i64.shrU(low, i64.constant(size * 8))));
        e.general(RAX, size).set(kept);
        e.general(RDX, size).set(high);
      }
    }
    const over = e.let(overflow);
    e.setFlags(FlagKind.CARRIED, size, { result: e.fromI64(low, size), carry: e.carried(over, over) });
  };

/** The dividend of 8-, 16- and 32-bit divisions as i64. */
function narrowDividend(e: Emitter, size: number, signed: boolean): Expression {
  if (size === 1) {
    const ax = e.general(RAX, 2).get();
    return e.let(signed ? e.signExtended(ax, 2) : i64.extendU(ax));
  }
  const low = i64.extendU(e.general(RAX, size).get());
  const high = e.general(RDX, size).get();
  const highPart = signed ? e.signExtended(high, size) : i64.extendU(high);
  return e.let(i64.or(i64.shl(highPart, i64.constant(size * 8)), low));
}

function setQuotient(e: Emitter, size: number, quotient: Expression, remainder: Expression): void {
  const kept = e.let(e.fromI64(quotient, size));
  const left = e.let(e.fromI64(remainder, size));
  e.general(RAX, size).set(kept);
  if (size === 1) e.general(RAX, 1, true).set(left);
  else e.general(RDX, size).set(left);
}

const div: Semantics = (e) => {
  const size = e.sizeOf(0);
  const divisor = e.let(e.zeroExtended(e.read(0), size));
  if (size === 8) {
    const low = e.let(e.general(RAX, 8).get());
    const high = e.let(e.general(RDX, 8).get());
    // Also true for divisor 0.
    e.raiseIf(i64.geU(high, divisor), Vector.DE);
    const quotient = e.helper('divideWide', [high, low, divisor]);
    setQuotient(e, 8, quotient, i64.sub(low, i64.mul(quotient, divisor)));
    return;
  }
  e.raiseIf(i64.eqz(divisor), Vector.DE);
  const dividend = narrowDividend(e, size, false);
  const quotient = e.let(i64.divU(dividend, divisor));
  e.raiseIf(i64.gtU(quotient, i64.constant((1n << BigInt(size * 8)) - 1n)), Vector.DE);
  setQuotient(e, size, quotient, i64.remU(dividend, divisor));
};

const idiv: Semantics = (e) => {
  const size = e.sizeOf(0);
  const divisor = e.let(e.signExtended(e.read(0), size));
  e.raiseIf(i64.eqz(divisor), Vector.DE);
  if (size === 8) {
    idiv64(e, divisor);
    return;
  }
  const dividend = narrowDividend(e, size, true);
  // The one division that overflows 64 bits would trap in WebAssembly.
  const smallest = i64.constant(-(1n << 63n));
  const overflows = i32.and(i64.eq(dividend, smallest), i64.eq(divisor, i64.constant(-1)));
  e.raiseIf(overflows, Vector.DE);
  const quotient = e.let(i64.divS(dividend, divisor));
  e.raiseIf(i64.ne(quotient, e.signExtended(e.fromI64(quotient, size), size)), Vector.DE);
  setQuotient(e, size, quotient, i64.remS(dividend, divisor));
};

/** 128 by 64 bits: divide the magnitudes, then give the quotient its sign. */
function idiv64(e: Emitter, divisor: Expression): void {
  const zero = i64.constant(0);
  const low = e.let(e.general(RAX, 8).get());
  const high = e.let(e.general(RDX, 8).get());
  /** 0, or -1 when the value is negative: (value ^ mask) - mask is the magnitude. */
  const signMask = (value: Expression) => e.let(i64.shrS(value, i64.constant(63)));
  const dividendMask = signMask(high);
  const divisorMask = signMask(divisor);
  const magnitude = e.let(i64.sub(i64.xor(divisor, divisorMask), divisorMask));
  const lowMagnitude = e.let(i64.sub(i64.xor(low, dividendMask), dividendMask));
  const borrow = i64.and(dividendMask, i64.extendU(i64.eqz(low)));
  const highMagnitude = e.let(i64.add(i64.xor(high, dividendMask), borrow));
  e.raiseIf(i64.geU(highMagnitude, magnitude), Vector.DE);
  const unsigned = e.helper('divideWide', [highMagnitude, lowMagnitude, magnitude]);
  const quotientMask = e.let(i64.xor(dividendMask, divisorMask));
  const quotient = e.let(i64.sub(i64.xor(unsigned, quotientMask), quotientMask));
  // A magnitude of 2^63 fits only when negative; the sign of the result tells, except for 0.
  const wrongSign = i64.ltS(i64.xor(quotient, quotientMask), zero);
  e.raiseIf(i32.and(wrongSign, i64.ne(quotient, zero)), Vector.DE);
  setQuotient(e, 8, quotient, i64.sub(low, i64.mul(quotient, divisor)));
}

const bit = (flags: Expression, mask: number) => i32.ne(i32.and(flags, i32.constant(mask)), i32.constant(0));

/** Sets SF, ZF and PF by AL, CF and AF as given; OF becomes 0. */
function adjusted(e: Emitter, al: Expression, cf: Expression, af: Expression): void {
  const carry = i32.or(cf, i32.shl(af, i32.constant(Math.log2(FlagBit.AF))));
  e.setFlags(FlagKind.CARRIED, 1, { result: al, carry });
}

const AL_DIGIT_LIMIT = 9;

/** DAA (`direction` 1) and DAS (-1). */
const decimal =
  (direction: 1 | -1): Semantics =>
  (e) => {
    const flags = e.flags.all();
    const al = e.let(e.general(RAX, 1).get());
    const lowDigit = i32.and(al, i32.constant(15));
    const low = e.let(i32.or(i32.gtU(lowDigit, i32.constant(AL_DIGIT_LIMIT)), bit(flags, FlagBit.AF)));
    const high = e.let(i32.or(i32.gtU(al, i32.constant(0x99)), bit(flags, FlagBit.CF)));
    const correction = i32.add(i32.mul(low, i32.constant(6)), i32.mul(high, i32.constant(0x60)));
    const result = e.let(direction === 1 ? i32.add(al, correction) : i32.sub(al, correction));
    // DAS: the borrow of the first step counts too.
    const borrow = i32.and(low, i32.ltU(al, i32.constant(6)));
    e.general(RAX, 1).set(result);
    adjusted(e, result, direction === 1 ? high : i32.or(high, borrow), low);
  };

/** AAA (`direction` 1) and AAS (-1). SF, ZF, PF: of AL; OF: 0. */
const ascii =
  (direction: 1 | -1): Semantics =>
  (e) => {
    const flags = e.flags.all();
    const ax = e.let(e.general(RAX, 2).get());
    const lowDigit = i32.and(ax, i32.constant(15));
    const adjust = e.let(i32.or(i32.gtU(lowDigit, i32.constant(AL_DIGIT_LIMIT)), bit(flags, FlagBit.AF)));
    const changed = e.let(i32.add(ax, i32.mul(adjust, i32.constant(0x106 * direction))));
    const result = e.let(i32.and(changed, i32.constant(0xff0f)));
    e.general(RAX, 2).set(result);
    adjusted(e, result, adjust, adjust);
  };

const aam: Semantics = (e) => {
  const base = e.read(0);
  e.raiseIf(i32.eqz(base), Vector.DE);
  const al = e.let(e.general(RAX, 1).get());
  const digit = e.let(i32.remU(al, base));
  e.general(RAX, 2).set(i32.or(i32.shl(i32.divU(al, base), i32.constant(8)), digit));
  adjusted(e, digit, i32.constant(0), i32.constant(0));
};

const aad: Semantics = (e) => {
  const base = e.read(0);
  const ah = e.general(RAX, 1, true).get();
  const sum = i32.add(e.general(RAX, 1).get(), i32.mul(ah, base));
  const al = e.let(i32.and(sum, i32.constant(0xff)));
  e.general(RAX, 2).set(al);
  adjusted(e, al, i32.constant(0), i32.constant(0));
};

export const multiply: Readonly<Record<string, Semantics>> = {
  imul,
  mulWide: multiplyWide(false),
  imulWide: multiplyWide(true),
  div,
  idiv,
  daa: decimal(1),
  das: decimal(-1),
  aaa: ascii(1),
  aas: ascii(-1),
  aam,
  aad,
};
