/**
 * INS and OUTS (SDM 2A INS, 2B OUTS). With REP a call does one element and answers REPEAT when there are more: devices
 * see time pass, and interrupts are taken between.
 */
import type { Instruction, MemoryOperand } from '../../isa/instruction.js';
import { highHalf, lowHalf } from '../linearAccess.js';
import { Rflags } from '../registerBits.js';
import type { ColdOutcome, ColdSemantics, Processor } from '../seams.js';
import { Access, Cold } from '../seams.js';
import { checkPortAccess } from './io.js';
import type { AccessSize } from './operands.js';
import { cut, failed, linearAddress, readMemory, readRegister, Segment, writeRegister } from './operands.js';
import type { Check, ColdTable } from './semantics.js';

const [RCX, RDX, RSI, RDI] = [1, 2, 6, 7];

/** The memory operand: ES:rDI of INS, DS:rSI (or an override) of OUTS. */
function element(instruction: Instruction): MemoryOperand {
  const operand = instruction.operands.find((candidate) => candidate.kind === 'memory');
  if (operand?.kind !== 'memory') throw new TypeError(`${instruction.row.mnemonic} without a memory operand`);
  return operand;
}

/** Bytes of an element: there is no 64-bit form. */
const elementSize = (instruction: Instruction): AccessSize =>
  Math.min(element(instruction).size, 4) as AccessSize;

const portOf = ({ state }: Processor): number => Number(readRegister(state, RDX, 2));

const permission: Check = (processor, instruction) =>
  checkPortAccess(processor, portOf(processor), elementSize(instruction));

/** A count of zero: nothing happens at all. */
const isDone = ({ state }: Processor, { repeat, addressSize }: Instruction): boolean =>
  repeat !== 'none' && readRegister(state, RCX, addressSize) === 0n;

/** Moves rSI or rDI over the element and counts it off. */
function advance({ state }: Processor, instruction: Instruction, pointer: number): ColdOutcome {
  const { addressSize, repeat } = instruction;
  const size = BigInt(elementSize(instruction));
  const step = (state.rflagsSystem & Rflags.DF) === 0n ? size : -size;
  writeRegister(
    state,
    pointer,
    addressSize,
    cut(readRegister(state, pointer, addressSize) + step, addressSize),
  );
  if (repeat === 'none') return Cold.RETIRED;
  const left = cut(readRegister(state, RCX, addressSize) - 1n, addressSize);
  writeRegister(state, RCX, addressSize, left);
  return left === 0n ? Cold.RETIRED : Cold.REPEAT;
}

/** The destination is checked before the port is read: a read cannot be taken back. */
const ins: ColdSemantics = {
  check: permission,
  execute: (processor, instruction) => {
    if (isDone(processor, instruction)) return Cold.RETIRED;
    const { state, system, bus, memory } = processor;
    const size = elementSize(instruction);
    const offset = readRegister(state, RDI, instruction.addressSize);
    const linear = linearAddress(state, Segment.ES, offset, size, Access.WRITE);
    if (typeof linear !== 'bigint') return linear;
    const operand = system.prepare(lowHalf(linear), highHalf(linear), size, Access.WRITE);
    if (operand === 0) return system.exited ? Cold.SWITCHED : system.fault!;
    const value = bus.readPort(portOf(processor), size);
    for (let i = 0; i < size; i++) memory.u8[operand + i] = value >>> (8 * i);
    system.commit();
    return advance(processor, instruction, RDI);
  },
};

const outs: ColdSemantics = {
  check: permission,
  execute: (processor, instruction) => {
    if (isDone(processor, instruction)) return Cold.RETIRED;
    const size = elementSize(instruction);
    const offset = readRegister(processor.state, RSI, instruction.addressSize);
    const value = readMemory(processor, element(instruction).segment, offset, size);
    if (typeof value !== 'bigint') return failed(value);
    processor.bus.writePort(portOf(processor), size, Number(value));
    return advance(processor, instruction, RSI);
  },
};

export const portStringInstructions: ColdTable = { ins, outs };
