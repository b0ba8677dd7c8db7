/** Arithmetic flags of a comparison, for what is not done by the engine. */
import { Rflags } from './registerBits.js';

const CF = Number(Rflags.CF);
const PF = Number(Rflags.PF);
const AF = Number(Rflags.AF);
const ZF = Number(Rflags.ZF);
const SF = Number(Rflags.SF);
const OF = Number(Rflags.OF);

/** The six flags of `left - right` on unsigned operands of `size` bytes (SDM 2A CMP). */
export function compareFlags(left: bigint, right: bigint, size: number): number {
  const bits = size * 8;
  const result = BigInt.asUintN(bits, left - right);
  const sign = (value: bigint): boolean => value >> BigInt(bits - 1) !== 0n;
  let parity = Number(result & 0xffn);
  parity ^= parity >> 4;
  parity ^= parity >> 2;
  parity ^= parity >> 1;
  const overflow = sign(left) !== sign(right) && sign(left) !== sign(result);
  return (
    (left < right ? CF : 0) |
    ((parity & 1) === 0 ? PF : 0) |
    (((left ^ right ^ result) & 0x10n) !== 0n ? AF : 0) |
    (result === 0n ? ZF : 0) |
    (sign(result) ? SF : 0) |
    (overflow ? OF : 0)
  );
}
