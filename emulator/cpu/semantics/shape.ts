/** What is statically known of an instruction when its meaning is emitted. */
import type { Instruction, OperandSize } from '../../isa/instruction.js';

export interface RegisterShape {
  readonly kind: 'register';
  readonly size: OperandSize;
}
export interface ImmediateShape {
  readonly kind: 'immediate';
  readonly size: OperandSize;
  /** A shift count that is not 0 after masking: the flags always change. */
  readonly nonZero: boolean;
}
export interface MemoryShape {
  readonly kind: 'memory';
  readonly size: OperandSize;
  /** How the offset is made: base + displacement, base + index * scale + displacement, RIP-relative, 64-bit absolute. */
  readonly address: 'base' | 'index' | 'rip' | 'absolute';
  /** Base is rSP: POP computes the address with the stack pointer behind the pop. */
  readonly stackBased: boolean;
  readonly segment: SegmentUse;
}
export interface SegmentShape {
  readonly kind: 'segment';
  readonly size: OperandSize;
}
/** An XMM register. */
export interface VectorShape {
  readonly kind: 'vector';
  readonly size: OperandSize;
}
export type OperandShape = VectorShape | RegisterShape | ImmediateShape | MemoryShape | SegmentShape;

/**
 * What a segment contributes: nothing; its base (FS and GS in 64-bit mode); base, limit and rights (SDM 3A 5.3-5.5).
 */
export type SegmentUse = 'flat' | 'based' | 'checked';

export interface InstructionShape {
  /** Name of the semantics function. */
  readonly semantics: string;
  readonly operandSize: 2 | 4 | 8;
  readonly addressSize: 2 | 4 | 8;
  readonly operands: readonly OperandShape[];
  /** Condition code 0-15, or -1. */
  readonly condition: number;
  readonly repeat: Instruction['repeat'];
  /** Address size of the stack: 8 in 64-bit mode, else by SS.B. */
  readonly stackSize: 2 | 4 | 8;
  readonly stackSegment: SegmentUse;
  readonly extraSegment: SegmentUse;
  /** Branch targets are compared with the CS limit. */
  readonly codeChecked: boolean;
}
