/** Where the return address of a function without call frame information lies, told by the CALL that pushed it. */

/** Words on the stack that are looked at: assembly without frame information saves few registers. */
const MOST_WORDS = 8;
/** A function that is longer is not recognized. */
const MOST_FUNCTION_BYTES = 0x1000n;
/** CALL rel32 (SDM 2A, CALL): E8 and a displacement from the next instruction. */
const CALL_REL32 = 0xe8;
const CALL_BYTES = 5;

/**
 * The address of the stack slot whose value is behind a `call` to the function that `pc` is in: a target at or a little before
 * it. Undefined when no such slot is near the top of the stack.
 */
export function findReturnSlot(
  pc: bigint,
  stackPointer: bigint,
  bits: 32 | 64,
  read: (address: bigint, length: number) => Uint8Array | undefined,
): bigint | undefined {
  const wordBytes = bits / 8;
  for (let index = 0; index < MOST_WORDS; index++) {
    const slot = stackPointer + BigInt(index * wordBytes);
    const word = read(slot, wordBytes);
    if (!word) return undefined;
    const target = targetOfCallBefore(littleEndian(word), bits, read);
    if (target !== undefined && target <= pc && pc - target < MOST_FUNCTION_BYTES) return slot;
  }
  return undefined;
}

function targetOfCallBefore(
  returnAddress: bigint,
  bits: 32 | 64,
  read: (address: bigint, length: number) => Uint8Array | undefined,
): bigint | undefined {
  const code = read(returnAddress - BigInt(CALL_BYTES), CALL_BYTES);
  if (code?.[0] !== CALL_REL32) return undefined;
  return BigInt.asUintN(bits, returnAddress + BigInt.asIntN(32, littleEndian(code.subarray(1))));
}

const littleEndian = (bytes: Uint8Array): bigint =>
  bytes.reduceRight((value, byte) => (value << 8n) | BigInt(byte), 0n);
