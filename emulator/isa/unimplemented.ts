/** Names of the encodings that the manual has and the machine does not execute: x87, MMX, SSE, AVX and later. */

/** What the decoder knows when no row of the instruction table matches. */
export interface UnknownEncoding {
  /** 0: one byte; 1: 0F; 2: 0F 38; 3: 0F 3A. */
  readonly map: 0 | 1 | 2 | 3;
  readonly opcode: number;
  /** F2 or F3, else 66, else 0. */
  readonly prefix: number;
  readonly code64: boolean;
  /** Fetches the ModRM byte. */
  readonly modrm: () => number;
}

/** The manual's name for an encoding without a row, or undefined when the manual has none: #UD. */
export function unimplementedName(encoding: UnknownEncoding): string | undefined {
  const { map, opcode } = encoding;
  if (map === 0) {
    if (opcode >= 0xd8 && opcode <= 0xdf) return 'x87 instruction';
    if (opcode === 0xc4 || opcode === 0xc5) return 'VEX-encoded instruction (AVX)';
    if (opcode === 0x62) return 'EVEX-encoded instruction (AVX-512)';
    if (opcode === 0x9b) return 'fwait';
    return undefined;
  }
  return undefined;
}
