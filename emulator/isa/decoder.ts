/** The instruction decoder (SDM 2A chapter 2, 2D appendix A): bytes to `Instruction`, by the rows of the table. */
import type { Instruction, MemoryOperand, Operand, OperandSize } from './instruction.js';
import type { OpcodePattern } from './opcodeMap.js';
import { opcodeMap } from './opcodeMap.js';
import type { OperandForm } from './table.js';
import { unimplementedName } from './unimplemented.js';

/** Width of the code segment: CS.L and CS.D. */
export type CodeWidth = 16 | 32 | 64;

/** The byte at an offset from RIP, or -1 when it cannot be fetched. Bytes are asked for in order, none twice. */
export type FetchByte = (offset: number) => number;

/** Bytes that the manual has a name for and this machine does not execute. */
export interface UnimplementedEncoding {
  readonly unimplemented: string;
}

export type Decoded =
  | Instruction
  /** No instruction, an operand that it must not have, or an illegal LOCK: #UD. */
  | 'invalid'
  /** More than 15 bytes: #GP(0). */
  | 'tooLong'
  /** A byte could not be fetched. */
  | 'unfetchable'
  | UnimplementedEncoding;

/** Is this a decoded instruction (and not a reason why there is none)? */
export const isInstruction = (decoded: Decoded): decoded is Instruction =>
  typeof decoded === 'object' && 'row' in decoded;

const MAX_LENGTH = 15;
const NO_OVERRIDE = -1;
const [ES, SS, DS, FS] = [0, 2, 3, 4];
const RSP = 4;
const RBP = 5;

/** Thrown inside the decoder only, to leave it from any depth. */
class Stop extends Error {
  constructor(readonly reason: 'tooLong' | 'unfetchable' | 'invalid') {
    super(reason);
  }
}
const TOO_LONG = new Stop('tooLong');
const UNFETCHABLE = new Stop('unfetchable');
const INVALID = new Stop('invalid');

/** 16-bit ModRM.rm: base, index (SDM 2A table 2-1). */
const ADDRESS16 = [
  [3, 6],
  [3, 7],
  [5, 6],
  [5, 7],
  [6, -1],
  [7, -1],
  [5, -1],
  [3, -1],
] as const;

const REPEATABLE = new Set(['movs', 'cmps', 'stos', 'lods', 'scas', 'ins', 'outs']);

class Decoding {
  private readonly bytes = new Uint8Array(MAX_LENGTH);
  private length = 0;
  private rex = 0;
  private operandOverride = false;
  private addressOverride = false;
  private segmentOverride = NO_OVERRIDE;
  private lock = false;
  /** Last of F2, F3, or 0. */
  private repeat = 0;
  private opcode = 0;
  private modrm = -1;
  private memory: MemoryOperand | undefined;
  private ripRelative = false;
  private addressSize: 2 | 4 | 8;
  private operandSize: 2 | 4 | 8 = 4;
  private target = 0n;

  constructor(
    private readonly fetch: FetchByte,
    private readonly rip: bigint,
    private readonly width: CodeWidth,
  ) {
    this.addressSize = width === 64 ? 8 : width === 32 ? 4 : 2;
  }

  decode(): Decoded {
    const map = this.readOpcode();
    const patterns = opcodeMap[map * 256 + this.opcode];
    const pattern = this.match(patterns);
    if (!pattern) {
      if (this.lock) return 'invalid';
      const name = unimplementedName({
        map,
        opcode: this.opcode,
        prefix: this.repeat || (this.operandOverride ? 0x66 : 0),
        modrm: () => this.readModRM(),
        next: () => this.byte(),
      });
      return name === undefined ? 'invalid' : { unimplemented: name };
    }
    return this.instruction(pattern);
  }

  private byte(): number {
    if (this.length === MAX_LENGTH) throw TOO_LONG;
    const value = this.fetch(this.length);
    if (value < 0) throw UNFETCHABLE;
    this.bytes[this.length] = value;
    this.length += 1;
    return value;
  }

  /** Little-endian unsigned number of `size` bytes. */
  private unsigned(size: number): bigint {
    let low = 0;
    for (let index = 0; index < Math.min(size, 4); index += 1) low += this.byte() * 2 ** (8 * index);
    if (size < 8) return BigInt(low);
    let high = 0;
    for (let index = 0; index < 4; index += 1) high += this.byte() * 2 ** (8 * index);
    return BigInt(low) | (BigInt(high) << 32n);
  }

  private signed(size: number): bigint {
    return BigInt.asIntN(size * 8, this.unsigned(size));
  }

  /** Prefixes (SDM 2A 2.1.1, 2.2.1) and the opcode; answers the map. */
  private readOpcode(): 0 | 1 | 2 | 3 {
    let byte = this.byte();
    for (; this.isPrefix(byte); byte = this.byte());
    if (this.addressOverride) this.addressSize = this.width === 32 ? 2 : 4;
    if (byte !== 0x0f) {
      this.opcode = byte;
      return 0;
    }
    this.opcode = this.byte();
    if (this.opcode !== 0x38 && this.opcode !== 0x3a) return 1;
    const map = this.opcode === 0x38 ? 2 : 3;
    this.opcode = this.byte();
    return map;
  }

  private isPrefix(byte: number): boolean {
    if (this.width === 64 && (byte & 0xf0) === 0x40) {
      this.rex = byte;
      return true;
    }
    switch (byte) {
      case 0x26:
      case 0x2e:
      case 0x36:
      case 0x3e:
        // ES, CS, SS and DS overrides mean nothing in 64-bit mode (SDM 2A 2.1.1).
        if (this.width !== 64) this.segmentOverride = (byte >> 3) & 3;
        break;
      case 0x64:
      case 0x65:
        this.segmentOverride = byte - 0x64 + FS;
        break;
      case 0x66:
        this.operandOverride = true;
        break;
      case 0x67:
        this.addressOverride = true;
        break;
      case 0xf0:
        this.lock = true;
        break;
      case 0xf2:
      case 0xf3:
        this.repeat = byte;
        break;
      default:
        return false;
    }
    // REX counts only directly before the opcode.
    this.rex = 0;
    return true;
  }

  private readModRM(): number {
    if (this.modrm < 0) this.modrm = this.byte();
    return this.modrm;
  }

  private match(patterns: readonly OpcodePattern[]): OpcodePattern | undefined {
    for (const pattern of patterns) {
      if (this.matches(pattern)) return pattern;
    }
    return undefined;
  }

  private matches(pattern: OpcodePattern): boolean {
    const { row, prefix } = pattern;
    if (row.modes === (this.width === 64 ? 'not64' : 'only64')) return false;
    if (prefix === 'NP') {
      if (this.repeat !== 0 || this.operandOverride) return false;
    } else if (prefix === 'NFx') {
      if (this.repeat !== 0) return false;
    } else if (prefix === 0x66) {
      if (this.repeat !== 0 || !this.operandOverride) return false;
    } else if (prefix !== 'any' && this.repeat !== prefix) {
      return false;
    }
    if (pattern.rexW !== undefined && pattern.rexW !== (this.rex & 8) > 0) return false;
    if (pattern.withoutRexB && this.rex & 1) return false;
    if (pattern.operandSize !== undefined && pattern.operandSize !== this.operandSizeOf(pattern))
      return false;
    if (pattern.addressSize !== undefined && pattern.addressSize !== this.addressSize) return false;
    if (!pattern.hasModRM) return true;
    const modrm = this.readModRM();
    if (pattern.fixedModRM >= 0) return modrm === pattern.fixedModRM;
    if (pattern.extension >= 0 && pattern.extension !== ((modrm >> 3) & 7)) return false;
    return pattern.memory === undefined || pattern.memory === modrm < 0xc0;
  }

  private operandSizeOf({ row }: OpcodePattern): 2 | 4 | 8 {
    if (this.width === 16) return this.operandOverride ? 4 : 2;
    if (this.width === 32) return this.operandOverride ? 2 : 4;
    if (row.force64 || this.rex & 8) return 8;
    if (this.operandOverride) return 2;
    return row.default64 ? 8 : 4;
  }

  private instruction(pattern: OpcodePattern): Decoded {
    const { row } = pattern;
    this.operandSize = this.operandSizeOf(pattern);
    if (
      pattern.hasModRM &&
      this.readModRM() < 0xc0 &&
      !row.operands.some((form) => /^[RCD][a-z]/.test(form))
    ) {
      this.readAddress();
    }
    let operands: readonly Operand[] = row.operands.flatMap((form) => this.operand(form));
    if (this.lock && !(row.lockable && operands[0].kind === 'memory')) return 'invalid';
    if (this.ripRelative) operands = operands.map((operand) => this.resolveRipRelative(operand));
    const repeats = this.repeat !== 0 && REPEATABLE.has(row.semantics ?? row.mnemonic);
    return {
      row,
      rip: this.rip,
      length: this.length,
      operandSize: this.operandSize,
      addressSize: this.addressSize,
      operands,
      condition: pattern.condition,
      target: this.relativeTarget(row.operands),
      lock: this.lock,
      repeat: !repeats ? 'none' : this.repeat === 0xf3 ? 'rep' : 'repne',
      bytes: this.bytes.slice(0, this.length),
    };
  }

  /** The target of a relative branch: behind the instruction plus displacement, cut to the operand size. */
  private relativeTarget(forms: readonly OperandForm[]): bigint {
    if (forms[0] !== 'Jb' && forms[0] !== 'Jz') return 0n;
    return BigInt.asUintN(this.operandSize * 8, this.rip + BigInt(this.length) + this.target);
  }

  private resolveRipRelative(operand: Operand): Operand {
    if (operand.kind !== 'memory') return operand;
    const next = this.rip + BigInt(this.length);
    const displacement = BigInt.asUintN(this.addressSize * 8, next + operand.displacement);
    return { ...operand, displacement };
  }

  private readAddress(): void {
    this.memory = this.addressSize === 2 ? this.address16() : this.address32();
  }

  private makeMemory(base: number, index: number, scale: number, displacement: bigint, stack: boolean) {
    const segment = this.segmentOverride === NO_OVERRIDE ? (stack ? SS : DS) : this.segmentOverride;
    return { kind: 'memory', base, index, scale, displacement, segment, size: 8 } as const;
  }

  private address16(): MemoryOperand {
    const mod = this.modrm >> 6;
    const rm = this.modrm & 7;
    if (mod === 0 && rm === 6) return this.makeMemory(-1, -1, 0, this.signed(2), false);
    const [base, index] = ADDRESS16[rm];
    const displacement = mod === 1 ? this.signed(1) : mod === 2 ? this.signed(2) : 0n;
    return this.makeMemory(base, index, 0, displacement, base === RBP);
  }

  /** ModRM and SIB with 32- or 64-bit addresses (SDM 2A tables 2-2 and 2-3). */
  private address32(): MemoryOperand {
    const mod = this.modrm >> 6;
    let base = this.modrm & 7;
    let index = -1;
    let scale = 0;
    if (base === 4) {
      const sib = this.byte();
      scale = sib >> 6;
      index = ((sib >> 3) & 7) | ((this.rex & 2) << 2);
      if (index === 4) index = -1;
      base = sib & 7;
      if (base === 5 && mod === 0) {
        return this.makeMemory(-1, index, index < 0 ? 0 : scale, this.signed(4), false);
      }
    } else if (base === 5 && mod === 0) {
      this.ripRelative = this.width === 64;
      return this.makeMemory(-1, -1, 0, this.signed(4), false);
    }
    base |= (this.rex & 1) << 3;
    const displacement = mod === 1 ? this.signed(1) : mod === 2 ? this.signed(4) : 0n;
    return this.makeMemory(base, index, index < 0 ? 0 : scale, displacement, base === RSP || base === RBP);
  }

  private register(index: number, size: OperandSize): Operand {
    // Without REX, byte registers 4-7 are AH, CH, DH, BH (SDM 2A table 2-2).
    const high = size === 1 && this.rex === 0 && index >= 4 && index < 8;
    return { kind: 'register', index: high ? index - 4 : index, high, size };
  }

  private rmRegister(size: OperandSize): Operand {
    return this.register((this.modrm & 7) | ((this.rex & 1) << 3), size);
  }

  private regField(): number {
    return ((this.modrm >> 3) & 7) | ((this.rex & 4) << 1);
  }

  private rm(size: OperandSize): Operand {
    return this.memory ? { ...this.memory, size } : this.rmRegister(size);
  }

  private vector(index: number): Operand {
    return { kind: 'vector', index, size: 16 };
  }

  private vectorRm(size: OperandSize): Operand {
    return this.memory ? { ...this.memory, size } : this.vector((this.modrm & 7) | ((this.rex & 1) << 3));
  }

  private immediate(value: bigint, size: OperandSize): Operand {
    return { kind: 'immediate', value: BigInt.asUintN(size * 8, value), size };
  }

  /** Memory that a string instruction, XLAT or MONITOR implies. */
  private implied(base: number, size: OperandSize, segment: number | undefined): Operand {
    const memory = this.makeMemory(base, -1, 0, 0n, false);
    return { ...memory, size, segment: segment ?? memory.segment };
  }

  private absolute(size: OperandSize): Operand {
    return { ...this.makeMemory(-1, -1, 0, this.unsigned(this.addressSize), false), size };
  }

  private control(index: number): Operand {
    // CR1, CR5-CR7 and CR9-CR15 raise #UD (SDM 2B, MOV to/from control registers).
    if (![0, 2, 3, 4, 8].includes(index)) throw INVALID;
    return { kind: 'control', index, size: this.operandSize };
  }

  private debug(index: number): Operand {
    if (index > 7) throw INVALID;
    return { kind: 'debug', index, size: this.operandSize };
  }

  private segment(index: number): Operand {
    if (index > 5) throw INVALID;
    return { kind: 'segment', index, size: 2 };
  }

  private operand(form: OperandForm): Operand | Operand[] {
    return OPERAND_FORMS[form](this);
  }

  /** How each operand form is read (SDM 2D appendix A.2). */
  static readonly forms = (() => {
    type Reader = (decoding: Decoding) => Operand | Operand[];
    const v = (d: Decoding) => d.operandSize;
    const z = (d: Decoding) => (d.operandSize === 2 ? 2 : 4);
    const y = (d: Decoding) => (d.operandSize === 8 ? 8 : 4);
    const size = (bytes: OperandSize) => () => bytes;
    const rm =
      (width: (d: Decoding) => OperandSize): Reader =>
      (d) =>
        d.rm(width(d));
    const reg =
      (width: (d: Decoding) => OperandSize): Reader =>
      (d) =>
        d.register(d.regField(), width(d));
    const low =
      (width: (d: Decoding) => OperandSize): Reader =>
      (d) =>
        d.register((d.opcode & 7) | ((d.rex & 1) << 3), width(d));
    const fixed =
      (index: number, width: (d: Decoding) => OperandSize): Reader =>
      (d) => ({ kind: 'register', index, high: false, size: width(d) });
    const implied =
      (base: number, width: (d: Decoding) => OperandSize, segment?: number): Reader =>
      (d) =>
        d.implied(base, width(d), segment);
    const branch =
      (width: (d: Decoding) => number): Reader =>
      (d) => {
        d.target = d.signed(width(d));
        return [];
      };
    const segment =
      (index: number): Reader =>
      () => ({ kind: 'segment', index, size: 2 });
    const rsi = 6;
    const rdi = 7;
    return {
      Eb: rm(size(1)),
      Ew: rm(size(2)),
      Ed: rm(size(4)),
      Eq: rm(size(8)),
      Ev: rm(v),
      Ey: rm(y),
      Edw: rm((d) => (d.memory ? 2 : d.operandSize)),
      Gb: reg(size(1)),
      Gw: reg(size(2)),
      Gd: reg(size(4)),
      Gv: reg(v),
      Gy: reg(y),
      M: rm(v),
      Mb: rm(size(1)),
      Mw: rm(size(2)),
      Md: rm(size(4)),
      Mq: rm(size(8)),
      Mv: rm(v),
      Mdq: rm(size(16)),
      My: rm(y),
      Eyw: rm((d) => (d.memory ? 2 : y(d))),
      Vx: (d) => d.vector(d.regField()),
      Ux: (d) => d.vectorRm(16),
      Ud: (d) => d.vectorRm(16),
      Uq: (d) => d.vectorRm(16),
      Wx: (d) => d.vectorRm(16),
      Wq: (d) => d.vectorRm(8),
      Mp: rm(v),
      Ms: rm((d) => (d.width === 64 ? 8 : 4)),
      Ib: (d) => d.immediate(d.unsigned(1), 1),
      Ibs: (d) => d.immediate(d.signed(1), d.operandSize),
      Iw: (d) => d.immediate(d.unsigned(2), 2),
      Iz: (d) => d.immediate(d.signed(z(d)), d.operandSize),
      Iv: (d) => d.immediate(d.unsigned(d.operandSize), d.operandSize),
      I1: (d) => d.immediate(1n, 1),
      Jb: branch(() => 1),
      Jz: branch(z),
      Ap: (d) => [d.immediate(d.unsigned(d.operandSize), d.operandSize), d.immediate(d.unsigned(2), 2)],
      AL: fixed(0, size(1)),
      CL: fixed(1, size(1)),
      DX: fixed(2, size(2)),
      AX: fixed(0, size(2)),
      eAX: fixed(0, z),
      rAX: fixed(0, v),
      Zb: low(size(1)),
      Zv: low(v),
      Zq: low(size(8)),
      Ob: (d) => d.absolute(1),
      Ov: (d) => d.absolute(d.operandSize),
      Sw: (d) => d.segment((d.modrm >> 3) & 7),
      Cd: (d) => d.control(d.regField()),
      Dd: (d) => d.debug(d.regField()),
      Rq: (d) => d.rmRegister(d.operandSize === 8 ? 8 : 4),
      Ry: (d) => d.rmRegister(y(d)),
      ES: segment(0),
      CS: segment(1),
      SS: segment(2),
      DS: segment(3),
      FS: segment(4),
      GS: segment(5),
      Xb: implied(rsi, size(1)),
      Xv: implied(rsi, v),
      Xz: implied(rsi, z),
      Yb: implied(rdi, size(1), ES),
      Yv: implied(rdi, v, ES),
      Yz: implied(rdi, z, ES),
      mBX: implied(3, size(1)),
      mAX: implied(0, size(1)),
    } satisfies Record<OperandForm, Reader>;
  })();
}

const OPERAND_FORMS = Decoding.forms;

/**
 * Decodes the instruction at `rip` (offset in CS). Bytes are fetched in order and only as far as they are needed, so a
 * fetch that fails belongs to this instruction.
 */
export function decode(fetch: FetchByte, rip: bigint, width: CodeWidth): Decoded {
  try {
    const decoded = new Decoding(fetch, rip, width).decode();
    // MOV to CS raises #UD (SDM 2B, MOV).
    const toCs =
      isInstruction(decoded) && decoded.row.semantics === 'movToSegment' && segmentOf(decoded) === 1;
    return toCs ? 'invalid' : decoded;
  } catch (error) {
    if (error instanceof Stop) return error.reason;
    throw error;
  }
}

function segmentOf({ operands: [destination] }: Instruction): number {
  return destination.kind === 'segment' ? destination.index : -1;
}

/** Decodes the first instruction of `bytes`; running out of them answers 'unfetchable'. */
export const decodeBytes = (bytes: Uint8Array, rip: bigint, width: CodeWidth): Decoded =>
  decode((offset) => (offset < bytes.length ? bytes[offset] : -1), rip, width);
