import { littleEndian, toLittleEndian } from '../dwarf/bytes.js';
import { Unavailable } from '../dwarf/stackTypes.js';

/** The number of a float, double or x87 long double (SDM 1 4.2), the last one rounded to double precision. */
export function decodeFloat(bytes: Uint8Array): number {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  switch (bytes.length) {
    case 4:
      return view.getFloat32(0, true);
    case 8:
      return view.getFloat64(0, true);
    case 12:
    case 16:
      return decodeExtended(bytes);
    default:
      throw new Unavailable(`a floating-point number of ${bytes.length} bytes is not supported`);
  }
}

export function encodeFloat(value: number, size: number): Uint8Array {
  const bytes = new Uint8Array(size);
  const view = new DataView(bytes.buffer);
  switch (size) {
    case 4:
      view.setFloat32(0, value, true);
      return bytes;
    case 8:
      view.setFloat64(0, value, true);
      return bytes;
    case 12:
    case 16:
      bytes.set(encodeExtended(value));
      return bytes;
    default:
      throw new Unavailable(`a floating-point number of ${size} bytes is not supported`);
  }
}

const EXTENDED_BIAS = 16383;

/** Double extended precision: 64 bits of significand with its integer bit, 15 of exponent, the sign (SDM 1 4.2.2). */
function decodeExtended(bytes: Uint8Array): number {
  const significand = littleEndian(bytes.subarray(0, 8));
  const head = Number(littleEndian(bytes.subarray(8, 10)));
  const exponent = head & 0x7fff;
  const sign = head >> 15 === 0 ? 1 : -1;
  if (exponent === 0x7fff) {
    return BigInt.asUintN(63, significand) === 0n ? sign * Infinity : NaN;
  }
  return sign * Number(significand) * 2 ** (exponent - EXTENDED_BIAS - 63);
}

function encodeExtended(value: number): Uint8Array {
  const double = littleEndian(encodeFloat(value, 8));
  const sign = double >> 63n;
  const exponent = (double >> 52n) & 0x7ffn;
  const fraction = double & ((1n << 52n) - 1n);
  const integerBit = 1n << 63n;
  if (exponent === 0n) {
    if (fraction !== 0n) {
      throw new Unavailable('a denormal double as long double is not supported');
    }
    return toLittleEndian(sign << 79n, 10);
  }
  const biased = exponent === 0x7ffn ? 0x7fffn : exponent - 1023n + BigInt(EXTENDED_BIAS);
  return toLittleEndian((sign << 79n) | (biased << 64n) | integerBit | (fraction << 11n), 10);
}
