/** Operands of cold instructions: effective addresses, segment checks, reading and writing. */
import type { Instruction, MemoryOperand, Operand, OperandSize } from '../../isa/instruction.js';
import type { Fault } from '../fault.js';
import { generalProtection, stackFault } from '../fault.js';
import { SEGMENTS } from '../layout.js';
import { is64BitMode, isProtectedMode, SegmentAccess } from '../registerBits.js';
import type { ColdOutcome, Processor } from '../seams.js';
import { Access, Cold } from '../seams.js';
import type { ProcessorState } from '../state.js';

export type AccessSize = 1 | 2 | 4 | 8;
/** Why an access did not happen: it faulted, or it made a VM exit. */
export type Failure = Fault | 'exited';

/** Encoding numbers of the segment registers (SDM 2B B.1.4.4). */
export const Segment = { ES: 0, CS: 1, SS: 2, DS: 3, FS: 4, GS: 5 } as const;

/** The outcome of a cold instruction whose access failed. */
export const failed = (failure: Failure): ColdOutcome => (failure === 'exited' ? Cold.SWITCHED : failure);

/** Is an answer a failure and not a value? */
export const isFailure = (answer: unknown): answer is Failure =>
  answer === 'exited' ||
  (typeof answer === 'object' && answer !== null && (answer as { kind?: unknown }).kind === 'fault');

/** Cuts a value to `size` bytes. */
export const cut = (value: bigint, size: number): bigint => BigInt.asUintN(size * 8, value);

/** Offset of a memory operand in its segment, cut to the address size (SDM 1 3.7.5). */
export function effectiveAddress(
  state: ProcessorState,
  operand: MemoryOperand,
  addressSize: 2 | 4 | 8,
): bigint {
  let address = operand.displacement;
  if (operand.base >= 0) address += state.gpr(operand.base);
  if (operand.index >= 0) address += state.gpr(operand.index) << BigInt(operand.scale);
  return cut(address, addressSize);
}

/**
 * Linear address of `size` bytes at an offset in a segment, after the checks of SDM 3A 5.3 and 5.5. A non-canonical
 * address is found by the memory system. `access`: READ, WRITE.
 */
export function linearAddress(
  state: ProcessorState,
  segment: number,
  offset: bigint,
  size: number,
  access: number,
): bigint | Fault {
  const { base } = state.segments[SEGMENTS[segment]];
  if (is64BitMode(state)) {
    const flat = segment !== Segment.FS && segment !== Segment.GS;
    return flat ? offset : cut(base + offset, 8);
  }
  if (!segmentAllows(state, segment, offset, size, access)) {
    return segment === Segment.SS ? stackFault() : generalProtection();
  }
  return cut(base + offset, 4);
}

/** Does a segment, outside 64-bit mode, let `size` bytes at `offset` be accessed so? */
export function segmentAllows(
  state: ProcessorState,
  segment: number,
  offset: bigint,
  size: number,
  access: number,
): boolean {
  const { access: rights, limit } = state.segments[SEGMENTS[segment]];
  if (isProtectedMode(state)) {
    if ((rights & SegmentAccess.UNUSABLE) !== 0) return false;
    const code = (rights & 8) !== 0;
    const readableOrWritable = (rights & 2) !== 0;
    if ((access & Access.WRITE) !== 0 && (code || !readableOrWritable)) return false;
    if ((access & Access.READ) !== 0 && code && !readableOrWritable) return false;
  }
  return withinLimit(rights, limit, offset, size);
}

/** The limit check of SDM 3A 5.3; expand-down data segments are valid above their limit. */
export function withinLimit(rights: number, limit: number, offset: bigint, size: number): boolean {
  const last = Number(offset) + size - 1;
  const expandDown = (rights & 0xc) === 4;
  if (!expandDown) return last <= limit;
  const top = (rights & SegmentAccess.DB) !== 0 ? 0xffff_ffff : 0xffff;
  return Number(offset) > limit && last <= top;
}

/** Linear address of a memory operand of an instruction. */
export function operandAddress(
  processor: Processor,
  instruction: Instruction,
  operand: MemoryOperand,
  size: number,
  access: number,
): bigint | Fault {
  const offset = effectiveAddress(processor.state, operand, instruction.addressSize);
  return linearAddress(processor.state, operand.segment, offset, size, access);
}

/** Reads memory through a segment. */
export function readMemory(
  processor: Processor,
  segment: number,
  offset: bigint,
  size: AccessSize,
): bigint | Failure {
  const linear = linearAddress(processor.state, segment, offset, size, Access.READ);
  if (typeof linear !== 'bigint') return linear;
  return processor.linear.read(linear, size, false, segment === Segment.SS);
}

/** Writes memory through a segment. */
export function writeMemory(
  processor: Processor,
  segment: number,
  offset: bigint,
  size: AccessSize,
  value: bigint,
): Failure | undefined {
  const linear = linearAddress(processor.state, segment, offset, size, Access.WRITE);
  if (typeof linear !== 'bigint') return linear;
  return processor.linear.write(linear, size, value, false, segment === Segment.SS);
}

/** Low `size` bytes of a general register. */
export const readRegister = (
  state: ProcessorState,
  index: number,
  size: OperandSize,
  high = false,
): bigint => (high ? cut(state.gpr(index) >> 8n, 1) : cut(state.gpr(index), Math.min(size, 8)));

/** Writes a general register: 4 bytes clear the upper half, 1 and 2 bytes leave the rest (SDM 1 3.4.1.1). */
export function writeRegister(
  state: ProcessorState,
  index: number,
  size: OperandSize,
  value: bigint,
  high = false,
): void {
  if (size >= 4) {
    state.setGpr(index, cut(value, Math.min(size, 8)));
    return;
  }
  const shift = high ? 8n : 0n;
  const mask = (size === 1 ? 0xffn : 0xffffn) << shift;
  state.setGpr(index, (state.gpr(index) & ~mask) | ((value << shift) & mask));
}

/** Reads operand `index`: a register, an immediate, or memory of up to 8 bytes. */
export function readOperand(processor: Processor, instruction: Instruction, index: number): bigint | Failure {
  const operand: Operand = instruction.operands[index];
  if (operand.kind === 'register') {
    return readRegister(processor.state, operand.index, operand.size, operand.high);
  }
  if (operand.kind === 'immediate') return operand.value;
  if (operand.kind !== 'memory')
    throw new TypeError(`${instruction.row.mnemonic}: operand ${index} is ${operand.kind}`);
  const offset = effectiveAddress(processor.state, operand, instruction.addressSize);
  return readMemory(processor, operand.segment, offset, operand.size as AccessSize);
}

/** Writes operand `index`: a register or memory. */
export function writeOperand(
  processor: Processor,
  instruction: Instruction,
  index: number,
  value: bigint,
): Failure | undefined {
  const operand: Operand = instruction.operands[index];
  if (operand.kind === 'register') {
    writeRegister(processor.state, operand.index, operand.size, value, operand.high);
    return undefined;
  }
  if (operand.kind !== 'memory')
    throw new TypeError(`${instruction.row.mnemonic}: operand ${index} is ${operand.kind}`);
  const offset = effectiveAddress(processor.state, operand, instruction.addressSize);
  return writeMemory(processor, operand.segment, offset, operand.size as AccessSize, value);
}

/** EDX:EAX as one number. */
export const readEdxEax = (state: ProcessorState): bigint => (cut(state.rdx, 4) << 32n) | cut(state.rax, 4);

/** Writes EDX:EAX; the upper halves of RDX and RAX are cleared. */
export function writeEdxEax(state: ProcessorState, value: bigint): void {
  state.rax = cut(value, 4);
  state.rdx = cut(value >> 32n, 4);
}
