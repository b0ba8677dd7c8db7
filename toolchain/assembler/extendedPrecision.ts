import { writeInteger } from './integers.js';

const SIGNIFICAND_BITS = 64;
const BIAS = 16383;
const MAX_EXPONENT = 0x7fff;

/**
 * The ten bytes of a decimal number in the x87's format: sign and exponent of 16 bits above a significand of 64 with
 * an explicit integer bit (SDM 1, 4.2.2), rounded to nearest. Undefined for what is no number.
 */
export function extendedPrecision(text: string): Uint8Array | undefined {
  const found = /^([-+]?)(\d*)\.?(\d*)(?:[eE]([-+]?\d+))?$/.exec(text.trim());
  if (!found || found[2] + found[3] === '') return undefined;
  const [, sign, whole, fraction, power = '0'] = found;
  const bytes = new Uint8Array(10);
  const signBit = sign === '-' ? 0x8000 : 0;
  const scale = Number(power) - fraction.length;
  const digits = BigInt(whole + fraction);
  const { exponent, significand } = normalize(
    digits * 10n ** BigInt(Math.max(0, scale)),
    10n ** BigInt(Math.max(0, -scale)),
  );
  writeInteger(bytes, 0, 8, significand);
  writeInteger(bytes, 8, 2, BigInt(signBit | exponent));
  return bytes;
}

/** `numerator / denominator` as biased exponent and significand. */
function normalize(numerator: bigint, denominator: bigint): { exponent: number; significand: bigint } {
  if (numerator === 0n) return { exponent: 0, significand: 0n };
  // The quotient gets one bit more than the significand, or two.
  const width = numerator.toString(2).length - denominator.toString(2).length;
  const shift = SIGNIFICAND_BITS + 1 - width;
  const quotient = (numerator << BigInt(Math.max(0, shift))) / (denominator << BigInt(Math.max(0, -shift)));
  const length = quotient.toString(2).length;
  const dropped = BigInt(length - SIGNIFICAND_BITS);
  let significand = (quotient + (1n << (dropped - 1n))) >> dropped;
  let exponent = BIAS + SIGNIFICAND_BITS - 1 + Number(dropped) - shift;
  if (significand >> BigInt(SIGNIFICAND_BITS) !== 0n) {
    significand >>= 1n;
    exponent++;
  }
  if (exponent >= MAX_EXPONENT) return { exponent: MAX_EXPONENT, significand: 1n << 63n };
  return exponent <= 0
    ? { exponent: 0, significand: significand >> BigInt(1 - exponent) }
    : { exponent, significand };
}
