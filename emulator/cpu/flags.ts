/** RFLAGS of the state: the six arithmetic flags are kept lazily, the others in `rflagsSystem`. */
import {
  ARITHMETIC_FLAGS,
  FLAG_KIND_MASK,
  FLAG_SIZE_SHIFT,
  FlagBit,
  FlagKind,
} from './semantics/flagKind.js';
import type { ProcessorState } from './state.js';

const signed = (bits: number, value: bigint) => BigInt.asIntN(bits, value);
const unsigned = (value: bigint) => BigInt.asUintN(64, value);

/** CF, AF and OF from what the last flag-setting instruction left. */
function carries(state: ProcessorState): number {
  const kind = state.flagsKind & FLAG_KIND_MASK;
  const bits = 8 << (state.flagsKind >> FLAG_SIZE_SHIFT);
  const result = signed(64, state.flagsResult);
  const a = signed(64, state.flagsA);
  const carry = state.flagsCarry;
  const flags = (cf: boolean, af: boolean, of: boolean) =>
    (cf ? FlagBit.CF : 0) | (af ? FlagBit.AF : 0) | (of ? FlagBit.OF : 0);
  const addition = (carryIn: bigint) => {
    const b = signed(bits, result - a - carryIn);
    const over = unsigned(result) < unsigned(a) || (carryIn === 1n && result === a);
    return flags(over, ((a ^ b ^ result) & 16n) !== 0n, ((a ^ result) & (b ^ result)) < 0n);
  };
  const subtraction = (carryIn: bigint) => {
    const b = signed(bits, a - result - carryIn);
    const under = unsigned(a) < unsigned(b) || (carryIn === 1n && a === b);
    return flags(under, ((a ^ b ^ result) & 16n) !== 0n, ((a ^ b) & (a ^ result)) < 0n);
  };
  const smallest = -(1n << BigInt(bits - 1));
  switch (kind) {
    case FlagKind.ADD:
      return addition(0n);
    case FlagKind.ADC:
      return addition(BigInt(carry));
    case FlagKind.SUB:
      return subtraction(0n);
    case FlagKind.SBB:
      return subtraction(BigInt(carry));
    case FlagKind.INC:
      return flags(carry !== 0, (result & 15n) === 0n, result === smallest);
    case FlagKind.DEC:
      return flags(carry !== 0, (result & 15n) === 15n, result === ~smallest);
    case FlagKind.SHL:
      return flags(a < 0n, false, (a ^ result) < 0n);
    case FlagKind.SHR:
      return flags((a & 1n) !== 0n, false, a < 0n);
    case FlagKind.SAR:
      return flags((a & 1n) !== 0n, false, false);
    case FlagKind.IMUL: {
      const product = a * signed(64, state.flagsB);
      const over = product !== signed(bits, product);
      return flags(over, false, over);
    }
    case FlagKind.CARRIED:
      return carry & (FlagBit.CF | FlagBit.AF | FlagBit.OF);
    default:
      return 0;
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

/** RFLAGS with all flags computed. */
export const readRflags = (state: ProcessorState): bigint =>
  (state.rflagsSystem & ~BigInt(ARITHMETIC_FLAGS)) | BigInt(arithmeticFlags(state));

/** Sets RFLAGS as given; bit 1 reads as 1. The caller decides which bits the program may change. */
export function writeRflags(state: ProcessorState, value: bigint): void {
  writeArithmeticFlags(state, Number(value & 0xfffn));
  state.rflagsSystem = (value & ~BigInt(ARITHMETIC_FLAGS)) | 2n;
}
