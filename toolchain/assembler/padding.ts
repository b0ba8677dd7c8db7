/** Which NOPs suit: by the mode of the code and by the object's width. */
export interface PaddingMode {
  readonly bits: 16 | 32 | 64;
  readonly objectBits: 32 | 64;
}

/** A family of NOPs by their length, and how many may stand in a row before GNU as jumps over them. */
interface NopFamily {
  /** The index is the length minus 1; a hole is filled by the next shorter and a one-byte NOP. */
  readonly nops: readonly (readonly number[] | undefined)[];
  readonly maxInARow: number;
}

const OPERAND_SIZE = 0x66;
const CS = 0x2e;

/** SDM 2B, NOP: the recommended sequences, and longer ones by prefixes. */
const MULTI_BYTE: NopFamily = {
  nops: [
    [0x90],
    [OPERAND_SIZE, 0x90],
    [0x0f, 0x1f, 0x00],
    [0x0f, 0x1f, 0x40, 0x00],
    [0x0f, 0x1f, 0x44, 0x00, 0x00],
    [OPERAND_SIZE, 0x0f, 0x1f, 0x44, 0x00, 0x00],
    [0x0f, 0x1f, 0x80, 0x00, 0x00, 0x00, 0x00],
    [0x0f, 0x1f, 0x84, 0x00, 0x00, 0x00, 0x00, 0x00],
    [OPERAND_SIZE, 0x0f, 0x1f, 0x84, 0x00, 0x00, 0x00, 0x00, 0x00],
    [OPERAND_SIZE, CS, 0x0f, 0x1f, 0x84, 0x00, 0x00, 0x00, 0x00, 0x00],
    [OPERAND_SIZE, OPERAND_SIZE, CS, 0x0f, 0x1f, 0x84, 0x00, 0x00, 0x00, 0x00, 0x00],
  ],
  maxInARow: 7,
};

/** `lea 0(%esi), %esi`: an i386 has no multi-byte NOP. */
const LEA_32: NopFamily = {
  nops: [
    [0x90],
    [OPERAND_SIZE, 0x90],
    [0x8d, 0x76, 0x00],
    [0x8d, 0x74, 0x26, 0x00],
    undefined,
    [0x8d, 0xb6, 0x00, 0x00, 0x00, 0x00],
    [0x8d, 0xb4, 0x26, 0x00, 0x00, 0x00, 0x00],
  ],
  maxInARow: 2,
};

/** `lea 0(%si), %si` */
const LEA_16: NopFamily = {
  nops: [[0x90], [OPERAND_SIZE, 0x90], [0x8d, 0x74, 0x00], [0x8d, 0xb4, 0x00, 0x00]],
  maxInARow: 2,
};

/** Fills the room before an aligned place as GNU as does: by `pattern`, or in code by NOPs, or by zeros. */
export function writePadding(
  part: Uint8Array,
  pattern: Uint8Array | undefined,
  isCode: boolean,
  mode: PaddingMode,
): void {
  if (pattern) {
    for (let at = part.length; at >= pattern.length; at -= pattern.length)
      part.set(pattern, at - pattern.length);
    return;
  }
  if (isCode) writeNops(part, familyOf(mode), mode.bits);
}

function familyOf({ bits, objectBits }: PaddingMode): NopFamily {
  if (bits === 16) return LEA_16;
  return objectBits === 64 ? MULTI_BYTE : LEA_32;
}

/** As many of the longest NOPs as fit, then one that fills the rest. */
function writeNops(whole: Uint8Array, { nops, maxInARow }: NopFamily, bits: PaddingMode['bits']): void {
  const longest = nops.length;
  const isJumped = Math.floor(whole.length / longest) > maxInARow;
  const part = isJumped ? whole.subarray(writeJump(whole, bits)) : whole;
  let at = 0;
  for (; part.length - at >= longest; at += longest) part.set(nops[longest - 1]!, at);
  const rest = part.length - at;
  if (rest === 0) return;
  const nop = nops[rest - 1];
  if (nop) {
    part.set(nop, at);
    return;
  }
  part.set(nops[rest - 2]!, at);
  part[part.length - 1] = 0x90;
}

/** Writes a jump to the end of `part`; returns its length. */
function writeJump(part: Uint8Array, bits: PaddingMode['bits']): number {
  if (part.length - 2 <= 0x7f) {
    part.set([0xeb, part.length - 2]);
    return 2;
  }
  // A 16-bit segment needs the prefix for a 32-bit displacement.
  const opcode = bits === 16 ? [OPERAND_SIZE, 0xe9] : [0xe9];
  const length = opcode.length + 4;
  part.set(opcode);
  new DataView(part.buffer, part.byteOffset).setUint32(opcode.length, part.length - length, true);
  return length;
}

/** `.nops`: NOPs without a jump over them. */
export function writeNopRun(part: Uint8Array, mode: PaddingMode): void {
  writeNops(part, { ...familyOf(mode), maxInARow: Infinity }, mode.bits);
}
