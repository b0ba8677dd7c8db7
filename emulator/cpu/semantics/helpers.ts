/** WebAssembly functions that emitted code calls: flags from their lazy form, wide multiplication and division. */
import type { Expression } from '../../wasm/expression.js';
import { ValueType, i32, i64 } from '../../wasm/expression.js';
import { FunctionBuilder } from '../../wasm/functionBuilder.js';
import type { ModuleBuilder } from '../../wasm/moduleBuilder.js';
import { FLAG_KIND_MASK, FLAG_SIZE_SHIFT, FlagBit, FlagKind } from './flagKind.js';

const { i32: I32, i64: I64 } = ValueType;

/** Parameters of every flag helper: flagsKind, flagsResult, flagsA, flagsB, flagsCarry. */
const LAZY_FLAGS = [I32, I64, I64, I64, I32] as const;

/** Name, type and meaning of each helper. The flag helpers answer 0 or 1, `allFlags` the six RFLAGS bits. */
export const helperTypes = {
  carryFlag: { parameters: LAZY_FLAGS, result: I32 },
  overflowFlag: { parameters: LAZY_FLAGS, result: I32 },
  parityFlag: { parameters: LAZY_FLAGS, result: I32 },
  /** SF differs from OF. */
  signedLess: { parameters: LAZY_FLAGS, result: I32 },
  allFlags: { parameters: LAZY_FLAGS, result: I32 },
  /** High half of the unsigned product of two i64. */
  multiplyHighUnsigned: { parameters: [I64, I64], result: I64 },
  multiplyHighSigned: { parameters: [I64, I64], result: I64 },
  /** Quotient of (high, low) by divisor, unsigned; high is below divisor. */
  divideWide: { parameters: [I64, I64, I64], result: I64 },
} as const;
export type HelperName = keyof typeof helperTypes;

/** Function index of each helper in the module being built. */
export type HelperIndices = Readonly<Record<HelperName, number>>;

class LazyFlags {
  readonly kind: Expression;
  readonly result: Expression;
  readonly a: Expression;
  readonly b: Expression;
  readonly carry: Expression;

  constructor(readonly f: FunctionBuilder) {
    [this.kind, this.result, this.a, this.b, this.carry] = [0, 1, 2, 3, 4].map((n) => f.parameter(n));
  }

  get operation(): Expression {
    return i32.and(this.kind, i32.constant(FLAG_KIND_MASK));
  }
  private get size(): Expression {
    return i32.shrU(this.kind, i32.constant(FLAG_SIZE_SHIFT));
  }
  /** 64 - operand size in bits. */
  private get spare(): Expression {
    return i64.extendU(i32.sub(i32.constant(64), i32.shl(i32.constant(8), this.size)));
  }
  signExtended(value: Expression): Expression {
    const spare = this.f.let(this.spare);
    return i64.shrS(i64.shl(value, spare), spare);
  }
  /** The second operand of an addition or subtraction, with or without carry. */
  addend(carryIn: Expression): Expression {
    return this.f.let(this.signExtended(i64.sub(i64.sub(this.result, this.a), carryIn)));
  }
  subtrahend(carryIn: Expression): Expression {
    return this.f.let(this.signExtended(i64.sub(i64.sub(this.a, this.result), carryIn)));
  }
  get carryIn(): Expression {
    return i64.extendU(this.carry);
  }
  /** The most negative number of the operand size. */
  get smallest(): Expression {
    return i64.shl(i64.constant(-1), i64.sub(i64.constant(63), this.spare));
  }
  bit(mask: number): Expression {
    return i32.ne(i32.and(this.carry, i32.constant(mask)), i32.constant(0));
  }
  when(kind: FlagKind, body: () => void): void {
    this.f.if(i32.eq(this.operation, i32.constant(kind)), body);
  }
  answer(kind: FlagKind, value: () => Expression): void {
    this.when(kind, () => this.f.return(value()));
  }
  get imulOverflow(): Expression {
    const { f } = this;
    const over = f.temporary(I32);
    f.if(
      i32.eq(this.size, i32.constant(3)),
      () => {
        const high = multiplyHigh(f, this.a, this.b, i64.shrS);
        f.set(over, i64.ne(high, i64.shrS(i64.mul(this.a, this.b), i64.constant(63))));
      },
      () => {
        const product = f.let(i64.mul(this.a, this.b));
        f.set(over, i64.ne(product, this.signExtended(product)));
      },
    );
    return over;
  }
}

const flagFunction = (body: (flags: LazyFlags) => void): FunctionBuilder => {
  const f = new FunctionBuilder(LAZY_FLAGS, [I32]);
  body(new LazyFlags(f));
  return f;
};

const ZERO = i64.constant(0);

const carryFlag = () =>
  flagFunction((flags) => {
    const { f, result, a, carry } = flags;
    flags.answer(FlagKind.SUB, () => i64.ltU(a, flags.subtrahend(ZERO)));
    flags.answer(FlagKind.LOGIC, () => i32.constant(0));
    flags.answer(FlagKind.ADD, () => i64.ltU(result, a));
    flags.answer(FlagKind.ADC, () => i32.or(i64.ltU(result, a), i32.and(carry, i64.eq(result, a))));
    flags.when(FlagKind.SBB, () => {
      const b = flags.subtrahend(flags.carryIn);
      f.return(i32.or(i64.ltU(a, b), i32.and(carry, i64.eq(a, b))));
    });
    flags.answer(FlagKind.SHL, () => i64.ltS(a, ZERO));
    flags.answer(FlagKind.SHR, () => i32.wrap(i64.and(a, i64.constant(1))));
    flags.answer(FlagKind.SAR, () => i32.wrap(i64.and(a, i64.constant(1))));
    flags.when(FlagKind.IMUL, () => f.return(flags.imulOverflow));
    // INC, DEC, CARRIED, EXPLICIT keep it in bit 0.
    f.return(i32.and(carry, i32.constant(1)));
    f.unreachable();
  });

const overflowFlag = () =>
  flagFunction((flags) => {
    const { f, result, a } = flags;
    const negative = (value: Expression) => i64.ltS(value, ZERO);
    const ofSubtraction = (b: Expression) => negative(i64.and(i64.xor(a, b), i64.xor(a, result)));
    const ofAddition = (b: Expression) => negative(i64.and(i64.xor(a, result), i64.xor(b, result)));
    flags.answer(FlagKind.SUB, () => ofSubtraction(flags.subtrahend(ZERO)));
    flags.answer(FlagKind.LOGIC, () => i32.constant(0));
    flags.answer(FlagKind.ADD, () => ofAddition(flags.addend(ZERO)));
    flags.answer(FlagKind.ADC, () => ofAddition(flags.addend(flags.carryIn)));
    flags.answer(FlagKind.SBB, () => ofSubtraction(flags.subtrahend(flags.carryIn)));
    flags.answer(FlagKind.INC, () => i64.eq(result, flags.smallest));
    flags.answer(FlagKind.DEC, () => i64.eq(result, i64.xor(flags.smallest, i64.constant(-1))));
    flags.answer(FlagKind.SHL, () => negative(i64.xor(a, result)));
    flags.answer(FlagKind.SHR, () => negative(a));
    flags.answer(FlagKind.SAR, () => i32.constant(0));
    flags.when(FlagKind.IMUL, () => f.return(flags.imulOverflow));
    f.return(flags.bit(FlagBit.OF));
    f.unreachable();
  });

const evenParity = (result: Expression): Expression =>
  i32.eqz(i32.and(i32.popcnt(i32.and(i32.wrap(result), i32.constant(0xff))), i32.constant(1)));

const parityFlag = () =>
  flagFunction((flags) => {
    flags.answer(FlagKind.EXPLICIT, () => flags.bit(FlagBit.PF));
    flags.f.return(evenParity(flags.result));
    flags.f.unreachable();
  });

const callFlag = (f: FunctionBuilder, functionIndex: number) => {
  const answer = f.temporary(I32);
  f.callInto(
    answer,
    functionIndex,
    [0, 1, 2, 3, 4].map((n) => f.parameter(n)),
  );
  return answer;
};

const signedLess = (overflow: number) =>
  flagFunction((flags) => {
    const { f } = flags;
    flags.answer(FlagKind.EXPLICIT, () => i32.ne(flags.bit(FlagBit.SF), flags.bit(FlagBit.OF)));
    f.return(i32.ne(callFlag(f, overflow), i64.ltS(flags.result, ZERO)));
    f.unreachable();
  });

const allFlags = (carry: number, overflow: number) =>
  flagFunction((flags) => {
    const { f, result, a } = flags;
    flags.answer(FlagKind.EXPLICIT, () => flags.carry);
    const adjust = f.temporary(I32);
    const bit4 = (value: Expression) => i32.and(i32.wrap(value), i32.constant(FlagBit.AF));
    const ofSum = (b: Expression) => bit4(i64.xor(i64.xor(a, b), result));
    const lowNibble = i32.and(i32.wrap(result), i32.constant(15));
    const when = (kind: FlagKind, value: () => Expression) => flags.when(kind, () => f.set(adjust, value()));
    f.set(adjust, i32.constant(0));
    when(FlagKind.ADD, () => ofSum(flags.addend(ZERO)));
    when(FlagKind.SUB, () => ofSum(flags.subtrahend(ZERO)));
    when(FlagKind.ADC, () => ofSum(flags.addend(flags.carryIn)));
    when(FlagKind.SBB, () => ofSum(flags.subtrahend(flags.carryIn)));
    when(FlagKind.INC, () => i32.shl(i32.eqz(lowNibble), i32.constant(4)));
    when(FlagKind.DEC, () => i32.shl(i32.eq(lowNibble, i32.constant(15)), i32.constant(4)));
    when(FlagKind.CARRIED, () => i32.and(flags.carry, i32.constant(FlagBit.AF)));
    const at = (value: Expression, position: number) => i32.shl(value, i32.constant(position));
    const parts = [
      callFlag(f, carry),
      at(evenParity(result), 2),
      adjust,
      at(i64.eqz(result), 6),
      at(i64.ltS(result, ZERO), 7),
      at(callFlag(f, overflow), 11),
    ];
    f.return(parts.reduce((sum, part) => i32.or(sum, part)));
    f.unreachable();
  });

/** High half of a * b from four 32-bit products; `shift` is arithmetic for signed and logical for unsigned factors. */
function multiplyHigh(
  f: FunctionBuilder,
  a: Expression,
  b: Expression,
  shift: (value: Expression, count: Expression) => Expression,
): Expression {
  const mask = i64.constant(0xffff_ffffn);
  const half = i64.constant(32);
  const aLow = f.let(i64.and(a, mask));
  const aHigh = f.let(shift(a, half));
  const bLow = f.let(i64.and(b, mask));
  const bHigh = f.let(shift(b, half));
  const first = f.let(i64.add(i64.mul(aHigh, bLow), i64.shrU(i64.mul(aLow, bLow), half)));
  const second = f.let(i64.add(i64.mul(aLow, bHigh), i64.and(first, mask)));
  return f.let(i64.add(i64.add(i64.mul(aHigh, bHigh), shift(first, half)), shift(second, half)));
}

const multiplyHighFunction = (shift: (value: Expression, count: Expression) => Expression) => {
  const f = new FunctionBuilder([I64, I64], [I64]);
  f.return(multiplyHigh(f, f.parameter(0), f.parameter(1), shift));
  f.unreachable();
  return f;
};

/** Shift and subtract, one quotient bit a turn; a dividend below 2^64 is one machine division. */
const divideWide = () => {
  const f = new FunctionBuilder([I64, I64, I64], [I64]);
  const [high, low, divisor] = [f.parameter(0), f.parameter(1), f.parameter(2)];
  f.if(i64.eqz(high), () => f.return(i64.divU(low, divisor)));
  const turns = f.local(I32);
  const carry = f.local(I32);
  f.set(turns, i32.constant(64));
  f.loop((again) => {
    f.set(carry, i64.ltS(high, ZERO));
    f.set(high, i64.or(i64.shl(high, i64.constant(1)), i64.shrU(low, i64.constant(63))));
    f.set(low, i64.shl(low, i64.constant(1)));
    f.if(i32.or(carry, i64.geU(high, divisor)), () => {
      f.set(high, i64.sub(high, divisor));
      f.set(low, i64.or(low, i64.constant(1)));
    });
    f.set(turns, i32.sub(turns, i32.constant(1)));
    f.branchIf(again, turns);
  });
  f.return(low);
  f.unreachable();
  return f;
};

/** Adds all helpers to a module, exported under their names. */
export function addHelpers(module: ModuleBuilder): HelperIndices {
  const add = (name: HelperName, body: FunctionBuilder) => module.add(body, name);
  const carry = add('carryFlag', carryFlag());
  const overflow = add('overflowFlag', overflowFlag());
  return {
    carryFlag: carry,
    overflowFlag: overflow,
    parityFlag: add('parityFlag', parityFlag()),
    signedLess: add('signedLess', signedLess(overflow)),
    allFlags: add('allFlags', allFlags(carry, overflow)),
    multiplyHighUnsigned: add('multiplyHighUnsigned', multiplyHighFunction(i64.shrU)),
    multiplyHighSigned: add('multiplyHighSigned', multiplyHighFunction(i64.shrS)),
    divideWide: add('divideWide', divideWide()),
  };
}

/** Imports all helpers into a module from the one that defines them. */
export function importHelpers(module: ModuleBuilder, from: string): HelperIndices {
  const names = Object.keys(helperTypes) as HelperName[];
  const indices = names.map((name) => {
    const { parameters, result } = helperTypes[name];
    return [name, module.importFunction(from, name, parameters, [result])];
  });
  return Object.fromEntries(indices) as HelperIndices;
}
