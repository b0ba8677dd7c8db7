/** A decoded instruction: what the decoder makes and everything else reads. */
import type { InstructionRow } from './table.js';

/** Operand and address sizes in bytes. */
export type OperandSize = 1 | 2 | 4 | 8 | 16;

export interface RegisterOperand {
  readonly kind: 'register';
  /** Encoding number 0-15. */
  readonly index: number;
  /** AH, CH, DH, BH: `index` is the register that holds them (0-3). */
  readonly high: boolean;
  readonly size: OperandSize;
}
export interface MemoryOperand {
  readonly kind: 'memory';
  /** Encoding numbers, or -1 for none. RIP-relative operands have base -1 and the address in `displacement`. */
  readonly base: number;
  readonly index: number;
  /** Shift count 0-3. */
  readonly scale: number;
  /** Sign-extended to 64 bits; for RIP-relative operands the whole linear offset. */
  readonly displacement: bigint;
  /** Segment register number 0-5 that the operand uses after defaults and overrides. */
  readonly segment: number;
  readonly size: OperandSize;
}
export interface ImmediateOperand {
  readonly kind: 'immediate';
  /** Unsigned number of `size` bytes: the operand size of the instruction, sign extension done where it does so. */
  readonly value: bigint;
  readonly size: OperandSize;
}
/** Segment, control and debug registers. */
export interface SystemRegisterOperand {
  readonly kind: 'segment' | 'control' | 'debug';
  readonly index: number;
  readonly size: OperandSize;
}
/** XMM register. */
export interface VectorOperand {
  readonly kind: 'vector';
  readonly index: number;
  readonly size: OperandSize;
}
export type Operand =
  VectorOperand | RegisterOperand | MemoryOperand | ImmediateOperand | SystemRegisterOperand;

export interface Instruction {
  /** Row of the instruction table: mnemonic, semantics, properties. */
  readonly row: InstructionRow;
  /** RIP (offset in CS) of the first byte. */
  readonly rip: bigint;
  /** Length in bytes, 1-15. */
  readonly length: number;
  readonly operandSize: 2 | 4 | 8;
  readonly addressSize: 2 | 4 | 8;
  /** In the manual's order. A relative branch has none (see `target`); a far pointer is two: offset, selector. */
  readonly operands: readonly Operand[];
  /** Condition code 0-15 of Jcc, SETcc, CMOVcc; -1 otherwise. */
  readonly condition: number;
  /** Target RIP of a relative branch, cut to the operand size; 0n otherwise. */
  readonly target: bigint;
  readonly lock: boolean;
  /** REP/REPE (0xF3) or REPNE (0xF2) prefix on a string instruction. */
  readonly repeat: 'none' | 'rep' | 'repne';
  /** The bytes as fetched, for the debugger and for exit information. */
  readonly bytes: Uint8Array;
}
