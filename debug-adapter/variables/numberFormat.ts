/** How numbers are shown and read: hexadecimal unless the user asks for decimal. */
import { RequestError } from '../session/requestError.js';

export type NumberFormat = 'hex' | 'decimal';

/** Hexadecimal without padding: `0x55aa`. */
export const hex = (value: bigint | number): string => `0x${value.toString(16)}`;

/** An unsigned number of the machine in the chosen format. */
export const formatNumber = (value: bigint | number, format: NumberFormat): string =>
  format === 'hex' ? hex(value) : value.toString();

/** A request that cannot be served; the message is for the user. */
export class VariableError extends RequestError {
  constructor(message: string) {
    super(message);
    this.name = 'VariableError';
  }
}

const NUMBER = /^(-?)\s*(0[xX][0-9a-fA-F_]+|0[bB][01_]+|[0-9][0-9_]*|[0-9][0-9a-fA-F]*[hH])$/;

/** A number as users write it: `42`, `-1`, `0x55aa`, `0b101`, `55aah`; undefined for anything else. */
export function parseNumber(text: string): bigint | undefined {
  const match = NUMBER.exec(text.trim());
  if (!match) return undefined;
  const [, sign, written] = match;
  const digits = written.replaceAll('_', '');
  const isSuffixed = /h$/i.test(digits);
  if (/^0[xb]$/i.test(digits)) return undefined;
  const value = BigInt(isSuffixed ? `0x${digits.slice(0, -1)}` : digits);
  return sign === '-' ? -value : value;
}

/** The number cut to `bits`, two's complement when negative. Throws VariableError when it does not fit. */
export function fitted(value: bigint, bits: number, name: string): bigint {
  const fits = value >= -(1n << BigInt(bits - 1)) && value < 1n << BigInt(bits);
  if (!fits)
    throw new VariableError(`${value < 0n ? value : hex(value)} does not fit ${name}: it has ${bits} bits`);
  return BigInt.asUintN(bits, value);
}
