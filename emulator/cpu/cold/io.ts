/** IN and OUT, and the permission check that INS and OUTS share (SDM 1 19.5). */
import { generalProtection } from '../fault.js';
import { ioPrivilegeLevel, isProtectedMode, Rflags } from '../registerBits.js';
import { SystemType, typeOf } from '../descriptors.js';
import type { ColdSemantics, Processor } from '../seams.js';
import { Cold } from '../seams.js';
import type { Instruction } from '../../isa/instruction.js';
import type { Failure } from './operands.js';
import { cut, failed, readOperand, readRegister, writeOperand } from './operands.js';
import type { Check, ColdTable } from './semantics.js';

const IO_MAP_BASE = 0x66;

/** Ports need CPL <= IOPL, or clear bits for all their bytes in the TSS's I/O permission bitmap. */
export function checkPortAccess(processor: Processor, port: number, size: number): Failure | undefined {
  const { state } = processor;
  if (!isProtectedMode(state)) return undefined;
  const virtual8086 = (state.rflagsSystem & Rflags.VM) !== 0n;
  if (!virtual8086 && state.cpl <= ioPrivilegeLevel(state)) return undefined;
  const isTss32 = (typeOf(state.trAccess) & ~2) === SystemType.TSS32;
  if (!isTss32 || state.trLimit < IO_MAP_BASE + 1) return generalProtection();
  const base = processor.linear.read(state.trBase + BigInt(IO_MAP_BASE), 2, true);
  if (typeof base !== 'bigint') return base;
  // Two bytes are read so that an access which crosses a byte of the bitmap is covered.
  const offset = Number(base) + (port >> 3);
  if (offset + 1 > state.trLimit) return generalProtection();
  const bitmap = processor.linear.read(state.trBase + BigInt(offset), 2, true);
  if (typeof bitmap !== 'bigint') return bitmap;
  const mask = ((1 << size) - 1) << (port & 7);
  return (Number(bitmap) & mask) !== 0 ? generalProtection() : undefined;
}

/** The port of an operand: an immediate byte or DX. */
function portOf(processor: Processor, instruction: Instruction, index: number): number {
  const operand = instruction.operands[index];
  if (operand.kind === 'immediate') return Number(cut(operand.value, 1));
  return Number(readRegister(processor.state, 2, 2));
}

/** Bytes of a port access: IN and OUT have no 64-bit form. */
const accessSize = (instruction: Instruction, index: number): 1 | 2 | 4 =>
  Math.min(instruction.operands[index].size, 4) as 1 | 2 | 4;

const permission =
  (portIndex: number): Check =>
  (processor, instruction) =>
    checkPortAccess(
      processor,
      portOf(processor, instruction, portIndex),
      accessSize(instruction, 1 - portIndex),
    );

const input: ColdSemantics = {
  check: permission(1),
  execute: (processor, instruction) => {
    const value = processor.bus.readPort(portOf(processor, instruction, 1), accessSize(instruction, 0));
    const failure = writeOperand(processor, instruction, 0, BigInt(value >>> 0));
    return failure === undefined ? Cold.RETIRED : failed(failure);
  },
};

const output: ColdSemantics = {
  check: permission(0),
  execute: (processor, instruction) => {
    const value = readOperand(processor, instruction, 1);
    if (typeof value !== 'bigint') return failed(value);
    const size = accessSize(instruction, 1);
    processor.bus.writePort(portOf(processor, instruction, 0), size, Number(cut(value, size)));
    return Cold.RETIRED;
  },
};

export const portInstructions: ColdTable = { in: input, out: output };
