/** Instructions on segment registers and descriptors. */
import type { Instruction, MemoryOperand } from '../../isa/instruction.js';
import {
  dpl,
  isCode,
  isConforming,
  isNull,
  isReadable,
  isSystem,
  isWritableData,
  readDescriptor,
  rpl,
  SystemType,
  typeOf,
} from '../descriptors.js';
import type { Descriptor } from '../descriptors.js';
import { generalProtection, invalidOpcode } from '../fault.js';
import { readRflags, writeRflags } from '../flags.js';
import { Cr4, Interruptibility, is64BitMode, isCanonical, isLongMode, Rflags } from '../registerBits.js';
import type { ColdOutcome, ColdSemantics, Processor } from '../seams.js';
import { Cold } from '../seams.js';
import { loadLdtr, loadSegment, loadTaskRegister } from '../segmentation.js';
import { StackCursor } from '../stackCursor.js';
import type { AccessSize, Failure } from './operands.js';
import {
  cut,
  effectiveAddress,
  failed,
  readMemory,
  readOperand,
  readRegister,
  Segment,
  writeMemory,
  writeOperand,
  writeRegister,
} from './operands.js';
import type { ColdTable } from './semantics.js';
import { preventable, all, atPrivilegeLevel0, inProtectedMode, privileged, retired } from './semantics.js';

/** Number of the segment register that an operand names. */
const segmentIndex = (instruction: Instruction): number => {
  const [operand] = instruction.operands;
  if (operand.kind !== 'segment')
    throw new TypeError(`${instruction.row.opcode}: first operand is ${operand.kind}`);
  return operand.index;
};

/** A load of SS blocks interrupts and debug traps for one instruction (SDM 3A 6.8.3). */
function blockAfterStackLoad(processor: Processor, segment: number): void {
  if (segment === Segment.SS) processor.state.interruptibility |= Interruptibility.MOV_SS;
}

/** CS cannot be loaded by MOV; 6 and 7 name no segment register. */
const isLoadable = (segment: number): boolean => segment <= Segment.GS && segment !== Segment.CS;

const movToSegment: ColdSemantics = {
  check: (_, instruction) => (isLoadable(segmentIndex(instruction)) ? undefined : invalidOpcode()),
  execute: (processor, instruction) => {
    const selector = readOperand(processor, instruction, 1);
    if (typeof selector !== 'bigint') return failed(selector);
    const segment = segmentIndex(instruction);
    const failure = loadSegment(processor, segment, Number(selector & 0xffffn));
    if (failure === undefined) blockAfterStackLoad(processor, segment);
    return retired(failure);
  },
};

const popSegment: ColdSemantics = {
  execute: (processor, instruction) => {
    const stack = StackCursor.current(processor);
    const selector = stack.pop(instruction.operandSize);
    if (typeof selector !== 'bigint') return failed(selector);
    const segment = segmentIndex(instruction);
    const failure = loadSegment(processor, segment, Number(selector & 0xffffn));
    if (failure !== undefined) return failed(failure);
    stack.commit();
    blockAfterStackLoad(processor, segment);
    return Cold.RETIRED;
  },
};

const FAR_POINTER_SEGMENT: Readonly<Record<string, number>> = {
  les: Segment.ES,
  lds: Segment.DS,
  lss: Segment.SS,
  lfs: Segment.FS,
  lgs: Segment.GS,
};

/** A far pointer in memory: offset of the operand size, then the selector. */
export function readFarPointer(
  processor: Processor,
  instruction: Instruction,
  operand: MemoryOperand,
): { selector: number; offset: bigint } | Failure {
  const { operandSize, addressSize } = instruction;
  const at = effectiveAddress(processor.state, operand, addressSize);
  const offset = readMemory(processor, operand.segment, at, operandSize);
  if (typeof offset !== 'bigint') return offset;
  const selector = readMemory(processor, operand.segment, cut(at + BigInt(operandSize), addressSize), 2);
  if (typeof selector !== 'bigint') return selector;
  return { selector: Number(selector), offset };
}

/** The memory operand of an instruction that has no other form. */
export function memoryOperand(instruction: Instruction, index: number): MemoryOperand {
  const operand = instruction.operands[index];
  if (operand.kind !== 'memory')
    throw new TypeError(`${instruction.row.opcode}: operand ${index} is ${operand.kind}`);
  return operand;
}

const loadFarPointer: ColdSemantics = {
  execute: (processor, instruction) => {
    const pointer = readFarPointer(processor, instruction, memoryOperand(instruction, 1));
    if (pointer === 'exited' || 'kind' in pointer) return failed(pointer);
    const failure = loadSegment(processor, FAR_POINTER_SEGMENT[instruction.row.mnemonic], pointer.selector);
    if (failure !== undefined) return failed(failure);
    return retired(writeOperand(processor, instruction, 0, pointer.offset));
  },
};

// -------------------------------------------------------------- descriptor table registers

const storeTable = (table: 'gdtr' | 'idtr'): ColdSemantics => ({
  execute: (processor, instruction) => {
    const { state } = processor;
    const operand = memoryOperand(instruction, 0);
    const at = effectiveAddress(state, operand, instruction.addressSize);
    const base = state[`${table}Base`];
    const size = is64BitMode(state) ? 8 : 4;
    const behindLimit = cut(at + 2n, instruction.addressSize);
    // The base first: when its page faults, the limit has not been stored.
    const failure =
      writeMemory(processor, operand.segment, behindLimit, size, base) ??
      writeMemory(processor, operand.segment, at, 2, BigInt(state[`${table}Limit`]));
    return retired(failure);
  },
});

const loadTable = (table: 'gdtr' | 'idtr'): ColdSemantics =>
  privileged((processor, instruction) => {
    const { state } = processor;
    const operand = memoryOperand(instruction, 0);
    const at = effectiveAddress(state, operand, instruction.addressSize);
    const limit = readMemory(processor, operand.segment, at, 2);
    if (typeof limit !== 'bigint') return failed(limit);
    const size = is64BitMode(state) ? 8 : 4;
    const base = readMemory(processor, operand.segment, cut(at + 2n, instruction.addressSize), size);
    if (typeof base !== 'bigint') return failed(base);
    if (size === 8 && !isCanonical(base)) return generalProtection();
    state[`${table}Limit`] = Number(limit);
    // A 16-bit operand size loads 24 bits of the base (SDM 2A LGDT).
    state[`${table}Base`] = size === 4 && instruction.operandSize === 2 ? base & 0xff_ffffn : base;
    return Cold.RETIRED;
  });

const storeSelector = (name: 'ldtr' | 'tr'): ColdSemantics => ({
  check: inProtectedMode,
  execute: (processor, instruction) =>
    retired(writeOperand(processor, instruction, 0, BigInt(processor.state[`${name}Selector`]))),
});

const loadSystemSegment = (
  load: (processor: Processor, selector: number) => Failure | undefined,
): ColdSemantics => ({
  check: all(inProtectedMode, atPrivilegeLevel0),
  execute: (processor, instruction) => {
    const selector = readOperand(processor, instruction, 0);
    return typeof selector === 'bigint' ? retired(load(processor, Number(selector))) : failed(selector);
  },
});

// -------------------------------------------------------------- LAR, LSL, VERR, VERW

function setZeroFlag(processor: Processor, zero: boolean): void {
  const flags = readRflags(processor.state) & ~Rflags.ZF;
  writeRflags(processor.state, flags | (zero ? Rflags.ZF : 0n));
}

/** System descriptors that LAR and LSL know (SDM 2A tables 3-53 and 3-56). */
const LAR_TYPES: readonly number[] = [
  SystemType.TSS16,
  SystemType.LDT,
  SystemType.TSS16_BUSY,
  SystemType.CALL_GATE16,
  SystemType.TASK_GATE,
  SystemType.TSS32,
  SystemType.TSS32_BUSY,
  SystemType.CALL_GATE32,
];
const LAR_TYPES_LONG: readonly number[] = [
  SystemType.LDT,
  SystemType.TSS32,
  SystemType.TSS32_BUSY,
  SystemType.CALL_GATE32,
];
const HAS_LIMIT: readonly number[] = [
  SystemType.TSS16,
  SystemType.LDT,
  SystemType.TSS16_BUSY,
  SystemType.TSS32,
  SystemType.TSS32_BUSY,
];

/** May the current program know of this descriptor? Conforming code is open to all (SDM 3A 5.10.1). */
const isVisible = (processor: Processor, descriptor: Descriptor): boolean =>
  isConforming(descriptor.access) ||
  dpl(descriptor.access) >= Math.max(processor.state.cpl, rpl(descriptor.selector));

/** Runs `use` with a descriptor that exists and is visible; otherwise ZF is cleared. */
function probe(
  processor: Processor,
  instruction: Instruction,
  selectorOperand: number,
  use: (descriptor: Descriptor) => ColdOutcome | undefined,
): ColdOutcome {
  const value = readOperand(processor, instruction, selectorOperand);
  if (typeof value !== 'bigint') return failed(value);
  const selector = Number(value & 0xffffn);
  const descriptor = isNull(selector) ? 'beyond' : readDescriptor(processor, selector);
  if (descriptor === 'exited') return Cold.SWITCHED;
  if (descriptor !== 'beyond' && 'kind' in descriptor) return descriptor;
  const visible = descriptor !== 'beyond' && isVisible(processor, descriptor);
  const outcome = visible ? use(descriptor) : undefined;
  setZeroFlag(processor, outcome === Cold.RETIRED);
  return outcome ?? Cold.RETIRED;
}

function storeProbed(processor: Processor, instruction: Instruction, value: number): ColdOutcome {
  const [operand] = instruction.operands;
  if (operand.kind !== 'register') return invalidOpcode();
  writeRegister(processor.state, operand.index, operand.size, cut(BigInt(value), operand.size));
  return Cold.RETIRED;
}

const lar: ColdSemantics = {
  check: inProtectedMode,
  execute: (processor, instruction) =>
    probe(processor, instruction, 1, ({ access, high }) => {
      const types = isLongMode(processor.state) ? LAR_TYPES_LONG : LAR_TYPES;
      if (isSystem(access) && !types.includes(typeOf(access))) return undefined;
      return storeProbed(processor, instruction, (high & 0x00f0_ff00) >>> 0);
    }),
};

const lsl: ColdSemantics = {
  check: inProtectedMode,
  execute: (processor, instruction) =>
    probe(processor, instruction, 1, ({ access, limit }) => {
      const types = isLongMode(processor.state) ? LAR_TYPES_LONG : HAS_LIMIT;
      const type = typeOf(access);
      if (isSystem(access) && !(types.includes(type) && HAS_LIMIT.includes(type))) return undefined;
      return storeProbed(processor, instruction, limit);
    }),
};

const verify = (allowed: (access: number) => boolean): ColdSemantics => ({
  check: inProtectedMode,
  execute: (processor, instruction) =>
    probe(processor, instruction, 0, ({ access }) =>
      !isSystem(access) && allowed(access) ? Cold.RETIRED : undefined,
    ),
});

// -------------------------------------------------------------- FS and GS base

const fsgsbaseEnabled: NonNullable<ColdSemantics['check']> = ({ state }) =>
  (state.cr4 & Cr4.FSGSBASE) === 0n ? invalidOpcode() : undefined;

const readBase = (name: 'fs' | 'gs'): ColdSemantics => ({
  check: fsgsbaseEnabled,
  execute: (processor, instruction) =>
    retired(writeOperand(processor, instruction, 0, processor.state[`${name}Base`])),
});

const writeBase = (name: 'fs' | 'gs'): ColdSemantics => ({
  check: fsgsbaseEnabled,
  execute: (processor, instruction) => {
    const [operand] = instruction.operands;
    if (operand.kind !== 'register') return invalidOpcode();
    const base = readRegister(processor.state, operand.index, operand.size as AccessSize);
    if (!isCanonical(base)) return generalProtection();
    processor.state[`${name}Base`] = base;
    return Cold.RETIRED;
  },
});

export const segmentInstructions: ColdTable = {
  movToSegment,
  popSegment,
  loadFarPointer,
  sgdt: preventable(storeTable('gdtr')),
  sidt: preventable(storeTable('idtr')),
  lgdt: loadTable('gdtr'),
  lidt: loadTable('idtr'),
  sldt: preventable(storeSelector('ldtr')),
  str: preventable(storeSelector('tr')),
  lldt: loadSystemSegment(loadLdtr),
  ltr: loadSystemSegment(loadTaskRegister),
  lar,
  lsl,
  verr: verify(isReadable),
  verw: verify((access) => !isCode(access) && isWritableData(access)),
  rdfsbase: readBase('fs'),
  rdgsbase: readBase('gs'),
  wrfsbase: writeBase('fs'),
  wrgsbase: writeBase('gs'),
  swapgs: privileged(({ state }) => {
    const base = state.gsBase;
    state.gsBase = state.kernelGsBase;
    state.kernelGsBase = base;
    return Cold.RETIRED;
  }),
};
