/** Something that an expression needs and the frame does not have. */
export class Unavailable extends Error {}

/** The type of a value on the expression stack: an integer of `size` bytes (DWARF 5 2.5.1). */
export interface StackType {
  readonly size: number;
  readonly signed: boolean;
  /** The generic type: the size of an address, "unspecified signedness"; some operations take it as signed. */
  readonly generic: boolean;
}

export interface StackValue {
  readonly value: bigint;
  readonly type: StackType;
}

/** The generic type by address size. */
export const INTEGER_TYPES: Readonly<Record<number, StackType>> = {
  4: { size: 4, signed: false, generic: true },
  8: { size: 8, signed: false, generic: true },
};

/** The value as the operations see it that DWARF 5 2.5.1.4 defines as signed on the generic type. */
export function signedValue({ value, type }: StackValue): bigint {
  return type.generic ? BigInt.asIntN(type.size * 8, value) : value;
}

/** The value's bits, without a sign. */
export function unsignedValue({ value, type }: StackValue): bigint {
  return BigInt.asUintN(type.size * 8, value);
}
