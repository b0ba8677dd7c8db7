/** The instruction table's row type. The rows stand in `instructions/`, by group. */

/** How the operands are encoded (SDM 2A 3.1.1.1 and appendix A.2): what the decoder reads for each operand. */
export type OperandForm =
  | 'Eb' | 'Ew' | 'Ed' | 'Eq' | 'Ev' | 'Ey' | 'Edw'
  | 'Gb' | 'Gw' | 'Gd' | 'Gv' | 'Gy'
  | 'M' | 'Mb' | 'Mw' | 'Md' | 'Mq' | 'Mv' | 'Mdq' | 'Mp' | 'Ms'
  | 'Ib' | 'Ibs' | 'Iw' | 'Iz' | 'Iv' | 'I1'
  | 'Jb' | 'Jz' | 'Ap'
  | 'AL' | 'CL' | 'DX' | 'AX' | 'eAX' | 'rAX'
  | 'Zb' | 'Zv' | 'Zq'
  | 'Ob' | 'Ov'
  // Vector registers: ModRM.reg, ModRM.rm, register or memory of 16 or 8 bytes.
  | 'Vx' | 'Ux' | 'Ud' | 'Uq' | 'Wx' | 'Wq' | 'My' | 'Eyw'
  | 'Sw' | 'Cd' | 'Dd' | 'Rq' | 'Ry' | 'ES' | 'CS' | 'SS' | 'DS' | 'FS' | 'GS'
  // Implied memory: DS:rSI and ES:rDI of string instructions, DS:rBX of XLAT, DS:rAX of MONITOR.
  | 'Xb' | 'Xv' | 'Xz' | 'Yb' | 'Yv' | 'Yz' | 'mBX' | 'mAX'; // prettier-ignore

export type Flag = 'CF' | 'PF' | 'AF' | 'ZF' | 'SF' | 'OF';

export interface InstructionRow {
  /** Lower-case mnemonic; condition code forms have the bare name (`jcc`, `setcc`, `cmovcc`). */
  readonly mnemonic: string;
  /**
   * Opcode as in the manual: `01 /r`, `0F 01 C1`, `REX.W 0F C7 /1`, `F3 0F B8 /r`, `50+r`, `70+cc`; NP: none of 66, F2
   * and F3; NFx: neither F2 nor F3. Where the manual gives one opcode several names by size: o16, o32, o64 and a16, a32, a64 (as in NASM).
   */
  readonly opcode: string;
  readonly operands: readonly OperandForm[];
  /** Hot: an emitter in cpu/semantics. Cold: TypeScript in cpu/cold or vmx. */
  readonly kind: 'hot' | 'cold';
  /** Name of the semantics when it is not the mnemonic. */
  readonly semantics?: string;
  /** Not valid in 64-bit mode / only valid there. */
  readonly modes?: 'not64' | 'only64';
  /** Operand size is 64 bits in 64-bit mode without REX.W (SDM 2A 2.2.1.7); 66 makes it 16. */
  readonly default64?: boolean;
  /** Operand size is 64 bits in 64-bit mode whatever the prefixes (SDM 2D appendix A.2.5, superscript f64). */
  readonly force64?: boolean;
  /** LOCK is legal with a memory destination. */
  readonly lockable?: boolean;
  readonly writes?: readonly Flag[];
  readonly undefined?: readonly Flag[];
  readonly reads?: readonly Flag[];
  /** Only at this CPL (0), or at IOPL. */
  readonly privilege?: 'cpl0' | 'iopl';
  /** Names of VMX conditions under which it exits, for hover text and docs. */
  readonly exits?: string;
  /** The manual's one-line meaning, in our words. */
  readonly summary: string;
}
