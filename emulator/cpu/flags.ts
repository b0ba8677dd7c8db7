/** RFLAGS of the state: the six arithmetic flags are kept lazily, the others in `rflagsSystem`. */
import {
  ARITHMETIC_FLAGS,
  FLAG_KIND_MASK,
  FLAG_SIZE_SHIFT,
  FlagBit,
  FlagKind,
} from './semantics/flagKind.js';
import type { ProcessorState } from './state.js';

const flagsOf = (cf: boolean, af: boolean, of: boolean): number =>
  (cf ? FlagBit.CF : 0) | (af ? FlagBit.AF : 0) | (of ? FlagBit.OF : 0);

/** What the last flag-setting instruction left, as signed numbers. */
interface LazyFlags {
  readonly bits: number;
  readonly result: bigint;
  readonly a: bigint;
}

const below = (a: bigint, b: bigint): boolean => BigInt.asUintN(64, a) < BigInt.asUintN(64, b);

function ofAddition({ bits, result, a }: LazyFlags, carryIn: bigint): number {
  const b = BigInt.asIntN(bits, result - a - carryIn);
  const cf = below(result, a) || (carryIn === 1n && result === a);
  return flagsOf(cf, ((a ^ b ^ result) & 16n) !== 0n, ((a ^ result) & (b ^ result)) < 0n);
}

function ofSubtraction({ bits, result, a }: LazyFlags, carryIn: bigint): number {
  const b = BigInt.asIntN(bits, a - result - carryIn);
  const cf = below(a, b) || (carryIn === 1n && a === b);
  return flagsOf(cf, ((a ^ b ^ result) & 16n) !== 0n, ((a ^ b) & (a ^ result)) < 0n);
}

/** CF, AF and OF. */
function carries(state: ProcessorState): number {
  const kind = state.flagsKind & FLAG_KIND_MASK;
  const carry = state.flagsCarry;
  if (kind === FlagKind.LOGIC) return 0;
  if (kind === FlagKind.CARRIED) return carry & (FlagBit.CF | FlagBit.AF | FlagBit.OF);
  const lazy: LazyFlags = {
    bits: 8 << (state.flagsKind >> FLAG_SIZE_SHIFT),
    result: BigInt.asIntN(64, state.flagsResult),
    a: BigInt.asIntN(64, state.flagsA),
  };
  const { bits, result, a } = lazy;
  switch (kind) {
    case FlagKind.ADD:
      return ofAddition(lazy, 0n);
    case FlagKind.ADC:
      return ofAddition(lazy, BigInt(carry));
    case FlagKind.SUB:
      return ofSubtraction(lazy, 0n);
    case FlagKind.SBB:
      return ofSubtraction(lazy, BigInt(carry));
    case FlagKind.INC:
      return flagsOf(carry !== 0, (result & 15n) === 0n, result === -(1n << BigInt(bits - 1)));
    case FlagKind.DEC:
      return flagsOf(carry !== 0, (result & 15n) === 15n, result === (1n << BigInt(bits - 1)) - 1n);
    case FlagKind.SHL:
      return flagsOf(a < 0n, false, (a ^ result) < 0n);
    case FlagKind.SHR:
      return flagsOf((a & 1n) !== 0n, false, a < 0n);
    case FlagKind.SAR:
      return flagsOf((a & 1n) !== 0n, false, false);
    default: {
      const product = a * BigInt.asIntN(64, state.flagsB);
      const over = product !== BigInt.asIntN(bits, product);
      return flagsOf(over, false, over);
    }
  }
}

function evenParity(byte: number): boolean {
  let folded = byte ^ (byte >> 4);
  folded ^= folded >> 2;
  folded ^= folded >> 1;
  return (folded & 1) === 0;
}

/** CF, PF, AF, ZF, SF and OF where RFLAGS has them. */
export function arithmeticFlags(state: ProcessorState): number {
  if ((state.flagsKind & FLAG_KIND_MASK) === FlagKind.EXPLICIT) return state.flagsCarry & ARITHMETIC_FLAGS;
  const result = state.flagsResult;
  return (
    carries(state) |
    (evenParity(Number(result & 0xffn)) ? FlagBit.PF : 0) |
    (result === 0n ? FlagBit.ZF : 0) |
    (result >> 63n === 1n ? FlagBit.SF : 0)
  );
}

export function writeArithmeticFlags(state: ProcessorState, flags: number): void {
  state.flagsKind = FlagKind.EXPLICIT;
  state.flagsCarry = flags & ARITHMETIC_FLAGS;
  state.flagsResult = (flags & FlagBit.ZF) !== 0 ? 0n : 1n;
}

const SYSTEM_MASK = ~BigInt(ARITHMETIC_FLAGS);

/** RFLAGS with all flags computed. */
export const readRflags = (state: ProcessorState): bigint =>
  (state.rflagsSystem & SYSTEM_MASK) | BigInt(arithmeticFlags(state));

/** Sets RFLAGS as given; bit 1 reads as 1. The caller decides which bits the program may change. */
export function writeRflags(state: ProcessorState, value: bigint): void {
  writeArithmeticFlags(state, Number(value & 0xfffn));
  state.rflagsSystem = (value & SYSTEM_MASK) | 2n;
}
