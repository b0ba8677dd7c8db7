/** From decoded instructions to shapes: what the generated code is specialised for. */
import type { Instruction, MemoryOperand, Operand } from '../../isa/instruction.js';
import { shifts, usesStack } from '../semantics/semantics.js';
import type { InstructionShape, MemoryShape, OperandShape, SegmentUse } from '../semantics/shape.js';

/** What of the processor's mode decoded code depends on. */
export interface CodeMode {
  /** Width of the code segment in bits. */
  readonly width: 16 | 32 | 64;
  /** Address size of the stack in bytes. */
  readonly stackSize: 2 | 4 | 8;
  /** By segment register number: what the segment contributes to a data access. */
  readonly segments: readonly SegmentUse[];
  /** CS has a limit that branch targets can exceed. */
  readonly codeChecked: boolean;
}

const RSP = 4;
const CS = 1;
const SS = 2;
const ES = 0;

/**
 * How the record gives the offset. A constant address (absolute or RIP-relative: the decoder has added RIP) is a
 * displacement when it fits, else the immediate, else, when there is an immediate operand too, relative to RIP.
 */
function addressForm(memory: MemoryOperand, instruction: Instruction): MemoryShape['address'] {
  if (memory.index >= 0) return 'index';
  if (memory.base >= 0 || instruction.addressSize < 8) return 'base';
  const address = BigInt.asIntN(64, memory.displacement);
  if (address === BigInt.asIntN(32, address)) return 'base';
  return instruction.operands.some(({ kind }) => kind === 'immediate') ? 'rip' : 'absolute';
}

function memoryShape(
  memory: MemoryOperand,
  instruction: Instruction,
  mode: CodeMode,
  name: string,
): MemoryShape {
  return {
    kind: 'memory',
    size: memory.size,
    address: addressForm(memory, instruction),
    stackBased: name === 'pop' && memory.base === RSP,
    // Data behind CS is never writable: its rights are always checked outside 64-bit mode.
    segment: memory.segment === CS && mode.width !== 64 ? 'checked' : mode.segments[memory.segment],
  };
}

function operandShape(
  operand: Operand,
  instruction: Instruction,
  mode: CodeMode,
  name: string,
): OperandShape {
  switch (operand.kind) {
    case 'memory':
      return memoryShape(operand, instruction, mode, name);
    case 'immediate': {
      const mask = instruction.operands[0].size === 8 ? 63n : 31n;
      return {
        kind: 'immediate',
        size: operand.size,
        nonZero: shifts.has(name) && (operand.value & mask) !== 0n,
      };
    }
    case 'register':
      return { kind: 'register', size: operand.size };
    case 'vector':
      return { kind: 'vector', size: operand.size };
    default:
      return { kind: 'segment', size: operand.size };
  }
}

/** Instructions whose meaning depends on the address size without a memory operand. */
const COUNTED = new Set(['loop', 'loope', 'loopne', 'jcxz']);
const STRINGS = new Set(['movs', 'stos', 'lods', 'cmps', 'scas']);
const RELATIVE = new Set(['jmp', 'jcc', 'call', 'loop', 'loope', 'loopne', 'jcxz']);
const INDIRECT = new Set(['jmpIndirect', 'callIndirect', 'ret']);

/** Name of the semantics of an instruction. */
export const semanticsName = (instruction: Instruction): string =>
  instruction.row.semantics ?? instruction.row.mnemonic;

/** Instructions whose meaning depends on the operand size beyond the sizes of their operands. */
const SIZED = new Set([...usesStack, ...INDIRECT, 'extendAccumulator', 'extendIntoData']);

/** The operand size as far as the meaning depends on it. */
export const relevantOperandSize = (semantics: string, operandSize: 2 | 4 | 8): 2 | 4 | 8 =>
  SIZED.has(semantics) ? operandSize : 8;

/** The shape of a hot instruction in a mode. Facts that its meaning does not depend on have one fixed value. */
export function shapeOf(instruction: Instruction, mode: CodeMode): InstructionShape {
  const semantics = semanticsName(instruction);
  const operands =
    semantics === 'nop'
      ? []
      : instruction.operands.map((operand) => operandShape(operand, instruction, mode, semantics));
  const stack = usesStack.has(semantics);
  const addressed =
    operands.some(({ kind }) => kind === 'memory') || COUNTED.has(semantics) || semantics === 'lea';
  return {
    semantics,
    operandSize: relevantOperandSize(semantics, instruction.operandSize),
    addressSize: addressed ? instruction.addressSize : 8,
    operands,
    condition: instruction.condition,
    repeat: instruction.repeat,
    stackSize: stack ? mode.stackSize : 8,
    stackSegment: stack ? mode.segments[SS] : 'flat',
    extraSegment: STRINGS.has(semantics) ? mode.segments[ES] : 'flat',
    codeChecked: mode.codeChecked && (RELATIVE.has(semantics) || INDIRECT.has(semantics)),
  };
}

const ADDRESS_LETTER = { base: 'b', index: 'x', rip: 'p', absolute: 'o' } as const;
const SEGMENT_LETTER = { flat: '', based: 's', checked: 'k' } as const;
const REPEAT_LETTER = { none: '', rep: 'r', repne: 'n' } as const;

function operandKey(operand: OperandShape): string {
  switch (operand.kind) {
    case 'register':
      return `r${operand.size}`;
    case 'immediate':
      return `i${operand.size}${operand.nonZero ? '!' : ''}`;
    case 'vector':
      return 'v';
    case 'segment':
      return 'sr';
    case 'memory':
      return `m${operand.size}${ADDRESS_LETTER[operand.address]}${SEGMENT_LETTER[operand.segment]}${operand.stackBased ? '^' : ''}`;
  }
}

/** A shape as a string: equal exactly for equal shapes. */
export function shapeKey(shape: InstructionShape): string {
  const operands = shape.operands.map(operandKey).join(',');
  const condition = shape.condition < 0 ? '' : `.${shape.condition}`;
  const address = shape.addressSize === 8 ? '' : `a${shape.addressSize}`;
  const stack =
    shape.stackSize === 8 && shape.stackSegment === 'flat'
      ? ''
      : `s${shape.stackSize}${SEGMENT_LETTER[shape.stackSegment]}`;
  const extra = shape.extraSegment === 'flat' ? '' : `e${SEGMENT_LETTER[shape.extraSegment]}`;
  const code = shape.codeChecked ? 'c' : '';
  const suffix = `${REPEAT_LETTER[shape.repeat]}${address}${stack}${extra}${code}`;
  return `${shape.semantics}${condition}/${shape.operandSize}:${operands}/${suffix}`;
}
