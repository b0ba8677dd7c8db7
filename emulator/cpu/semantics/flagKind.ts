/**
 * Lazy arithmetic flags: what the last flag-setting instruction was and what it worked on. CF, OF and AF are computed
 * from that when something reads them. `flagsResult` is 0 exactly when ZF is 1, whatever the kind; operands and results
 * smaller than 64 bits are kept sign-extended.
 */

/** The low four bits of `flagsKind`; bits 4 and 5 are log2 of the operand size in bytes. */
export const FlagKind = {
  /** AND, OR, XOR, TEST: CF and OF are 0. */
  LOGIC: 0,
  /** result = a + b; b follows from the two. */
  ADD: 1,
  /** result = a - b. */
  SUB: 2,
  /** result = a + b + carry. */
  ADC: 3,
  /** result = a - b - carry. */
  SBB: 4,
  /** result = x + 1; `carry` is the CF that stays. */
  INC: 5,
  /** result = x - 1; `carry` is the CF that stays. */
  DEC: 6,
  /** a = the operand shifted left by count - 1: its sign is CF. */
  SHL: 7,
  /** a = the operand shifted right by count - 1: bit 0 is CF, the sign is OF. */
  SHR: 8,
  /** The same with OF 0. */
  SAR: 9,
  /** result = low half of a * b, signed; CF = OF = it did not fit. */
  IMUL: 10,
  /** ZF, SF and PF as the result says; CF, AF and OF are bits 0, 4 and 11 of `carry`. */
  CARRIED: 11,
  /** `carry` holds all six flags where RFLAGS has them. */
  EXPLICIT: 12,
} as const;
export type FlagKind = (typeof FlagKind)[keyof typeof FlagKind];

export const FLAG_KIND_MASK = 15;
export const FLAG_SIZE_SHIFT = 4;

/** RFLAGS bits of the six arithmetic flags (SDM 1 3.4.3.1). */
export const FlagBit = { CF: 0x001, PF: 0x004, AF: 0x010, ZF: 0x040, SF: 0x080, OF: 0x800 } as const;
export const ARITHMETIC_FLAGS = 0x8d5;

const LOG2: Readonly<Record<number, number>> = { 1: 0, 2: 1, 4: 2, 8: 3 };
/** `flagsKind` of a kind and an operand size in bytes. */
export const flagKindOf = (kind: FlagKind, size: number): number => kind | (LOG2[size] << FLAG_SIZE_SHIFT);
