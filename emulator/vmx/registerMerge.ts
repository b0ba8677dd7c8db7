/** Registers of which VM entry and VM exit load only a part. */

const bit = (...numbers: number[]): bigint =>
  numbers.reduce((mask, number) => mask | (1n << BigInt(number)), 0n);
const range = (first: number, last: number): bigint => {
  let mask = 0n;
  for (let number = first; number <= last; number++) mask |= 1n << BigInt(number);
  return mask;
};

/** ET, CD, NW and the reserved bits 15:6, 17 and 28:19 (SDM 3C 27.3.2.1 and 28.5.1). */
const CR0_NOT_LOADED = bit(4, 17, 29, 30) | range(6, 15) | range(19, 28);

/** CR0 after VM entry or VM exit loaded `field`. */
export const mergeCr0 = (current: bigint, field: bigint): bigint =>
  (current & CR0_NOT_LOADED) | (field & ~CR0_NOT_LOADED & 0xffff_ffffn);

/** DR7 as VM entry loads it: bits 12, 14 and 15 become 0, bit 10 becomes 1 (SDM 3C 27.3.2.1). */
export const loadedDr7 = (field: bigint): bigint => (field & ~bit(12, 14, 15) & 0xffff_ffffn) | bit(10);
