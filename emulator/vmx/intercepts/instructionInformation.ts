/** The VM-exit instruction-information field, SDM 3C 28.2.5 tables 28-8 to 28-14. */
import type { Instruction, MemoryOperand, Operand } from '../../isa/instruction.js';

const REGISTER_FORM = 1 << 10;
const INDEX_INVALID = 1 << 22;
const BASE_INVALID = 1 << 27;

/** Bits 9:7: 0 is 16 bits, 1 is 32, 2 is 64. */
export const addressSizeCode = (instruction: Instruction): number =>
  (instruction.addressSize === 8 ? 2 : instruction.addressSize === 4 ? 1 : 0) << 7;

export const segmentCode = (segment: number): number => segment << 15;

export const isMemory = (operand: Operand): operand is MemoryOperand => operand.kind === 'memory';

/** The parts that all formats share: how the register-or-memory operand is addressed. */
function operandCode(instruction: Instruction, operand: Operand): number {
  if (!isMemory(operand)) return operand.kind === 'immediate' ? 0 : REGISTER_FORM | (operand.index << 3);
  const index = operand.index < 0 ? INDEX_INVALID : operand.scale | (operand.index << 18);
  const base = operand.base < 0 ? BASE_INVALID : operand.base << 23;
  return addressSizeCode(instruction) | segmentCode(operand.segment) | index | base;
}

const registerIndex = (operand: Operand): number =>
  operand.kind === 'immediate' || operand.kind === 'memory' ? 0 : operand.index;

/** VMCLEAR, VMPTRLD, VMPTRST, VMXON: one memory operand. */
export const memoryInformation = (instruction: Instruction): number =>
  operandCode(instruction, instruction.operands[0]) >>> 0;

/** VMREAD, VMWRITE, INVEPT, INVVPID: the other operand is Reg2, bits 31:28. */
export const twoOperandInformation = (
  instruction: Instruction,
  registerOrMemory: number,
  register: number,
): number =>
  (operandCode(instruction, instruction.operands[registerOrMemory]) |
    (registerIndex(instruction.operands[register]) << 28)) >>>
  0;

/** LGDT, LIDT, SGDT, SIDT: operand size in bit 11, identity in bits 29:28. */
export const descriptorTableInformation = (instruction: Instruction, identity: number): number => {
  const size = instruction.operandSize === 2 ? 0 : 1 << 11;
  return (operandCode(instruction, instruction.operands[0]) | size | (identity << 28)) >>> 0;
};

/** LLDT, LTR, SLDT, STR: identity in bits 29:28. */
export const systemSegmentInformation = (instruction: Instruction, identity: number): number =>
  (operandCode(instruction, instruction.operands[0]) | (identity << 28)) >>> 0;

/** Exit qualification of instructions with a memory operand: the displacement, SDM 3C 28.2.1. */
export function displacement(instruction: Instruction): bigint {
  const operand = instruction.operands.find(isMemory);
  if (!operand) return 0n;
  return BigInt.asUintN(instruction.addressSize === 8 ? 64 : 32, operand.displacement);
}
