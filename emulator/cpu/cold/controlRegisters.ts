/** MOV to and from control registers, LMSW, SMSW, CLTS (SDM 3A 2.5, 2B MOV control registers). */
import type { Instruction, RegisterOperand } from '../../isa/instruction.js';
import { SystemType, typeOf } from '../descriptors.js';
import { generalProtection, invalidOpcode } from '../fault.js';
import { CR0_SUPPORTED, CR4_SUPPORTED, PHYSICAL_RESERVED } from '../features.js';
import { loadPdptes, usesPaePaging } from '../pdpte.js';
import { Cr0, Cr4, Efer, is64BitMode, isLongMode, SegmentAccess } from '../registerBits.js';
import type { ColdSemantics, Processor } from '../seams.js';
import { Cold } from '../seams.js';
import type { Failure } from './operands.js';
import { failed, readOperand, readRegister, writeOperand, writeRegister } from './operands.js';
import type { Check, ColdTable } from './semantics.js';
import { all, atPrivilegeLevel0, privileged, retired, preventable } from './semantics.js';

const CONTROL_REGISTERS = [0, 2, 3, 4, 8];

/** The control register and the general register of a MOV. */
function parts(instruction: Instruction): { control: number; general: RegisterOperand } {
  const [first, second] = instruction.operands;
  const [general, control] = first.kind === 'register' ? [first, second] : [second, first];
  if (general.kind !== 'register' || control.kind !== 'control') {
    throw new TypeError(`${instruction.row.opcode}: not a control and a general register`);
  }
  return { control: control.index, general };
}

const controlRegisterExists: Check = (_, instruction) =>
  CONTROL_REGISTERS.includes(parts(instruction).control) ? undefined : invalidOpcode();

function readControlRegister(processor: Processor, index: number): bigint {
  const { state, virtualization } = processor;
  switch (index) {
    case 0:
      return virtualization.viewControlRegister(0, state.cr0);
    case 2:
      return state.cr2;
    case 3:
      return state.cr3;
    case 4:
      return virtualization.viewControlRegister(4, state.cr4);
    default:
      // CR8 is the task priority class (SDM 3A 11.8.6).
      return BigInt((virtualization.readTaskPriority() ?? processor.apic.tpr) >> 4);
  }
}

/** Writes a control register with all its rules; on failure nothing has changed. */
export function writeControlRegister(
  processor: Processor,
  index: number,
  value: bigint,
): Failure | undefined {
  switch (index) {
    case 0:
      return writeCr0(processor, value);
    case 2:
      processor.state.cr2 = value;
      return undefined;
    case 3:
      return writeCr3(processor, value);
    case 4:
      return writeCr4(processor, value);
    default:
      return writeCr8(processor, value);
  }
}

/** May CR0 take this value? (SDM 2B MOV control registers, exceptions.) */
function isValidCr0(processor: Processor, value: bigint): boolean {
  const { state } = processor;
  const paging = (value & Cr0.PG) !== 0n;
  const wasPaging = (state.cr0 & Cr0.PG) !== 0n;
  if (paging && (value & Cr0.PE) === 0n) return false;
  if ((value & Cr0.NW) !== 0n && (value & Cr0.CD) === 0n) return false;
  if (!paging && wasPaging && is64BitMode(state)) return false;
  const entersLongMode = paging && !wasPaging && (state.efer & Efer.LME) !== 0n;
  if (!entersLongMode) return true;
  // SDM 3A 10.8.5: PAE is needed, CS must not be a 64-bit segment, TR not a 16-bit TSS.
  const tss16 = (typeOf(state.trAccess) & ~2) === SystemType.TSS16;
  return (state.cr4 & Cr4.PAE) !== 0n && (state.csAccess & SegmentAccess.L) === 0 && !tss16;
}

function writeCr0(processor: Processor, written: bigint): Failure | undefined {
  const { state } = processor;
  if (written >> 32n !== 0n) return generalProtection();
  // Reserved bits stay clear; ET is hard-wired (SDM 3A 2.5).
  const admitted = processor.virtualization.admitControlRegister(0, (written & CR0_SUPPORTED) | Cr0.ET);
  if (admitted === undefined || !isValidCr0(processor, admitted)) return generalProtection();
  const changed = admitted ^ state.cr0;
  const longMode = (admitted & Cr0.PG) !== 0n && (state.efer & Efer.LME) !== 0n;
  if ((changed & (Cr0.PG | Cr0.CD | Cr0.NW)) !== 0n && !longMode && usesPaePaging(state, admitted)) {
    const failure = loadPdptes(processor, state.cr3);
    if (failure !== undefined) return failure;
  }
  state.cr0 = admitted;
  state.efer = longMode ? state.efer | Efer.LMA : state.efer & ~Efer.LMA;
  if ((changed & (Cr0.PG | Cr0.PE | Cr0.WP)) !== 0n) {
    processor.flushTlb();
    processor.contextChanged();
  }
  return undefined;
}

function writeCr3(processor: Processor, value: bigint): Failure | undefined {
  const { state } = processor;
  if ((value & PHYSICAL_RESERVED) !== 0n) return generalProtection();
  if (usesPaePaging(state)) {
    const failure = loadPdptes(processor, value);
    if (failure !== undefined) return failure;
  }
  state.cr3 = value;
  // Global translations need not survive (SDM 3A 4.10.4.1).
  processor.flushTlb();
  processor.contextChanged();
  return undefined;
}

function writeCr4(processor: Processor, written: bigint): Failure | undefined {
  const { state } = processor;
  if ((written & ~CR4_SUPPORTED) !== 0n) return generalProtection();
  const admitted = processor.virtualization.admitControlRegister(4, written);
  if (admitted === undefined) return generalProtection();
  if (isLongMode(state) && (admitted & Cr4.PAE) === 0n) return generalProtection();
  const changed = admitted ^ state.cr4;
  const reloads = Cr4.PSE | Cr4.PAE | Cr4.PGE | Cr4.SMEP;
  if ((changed & reloads) !== 0n && usesPaePaging(state, state.cr0, admitted)) {
    const failure = loadPdptes(processor, state.cr3);
    if (failure !== undefined) return failure;
  }
  state.cr4 = admitted;
  if ((changed & (reloads | Cr4.SMAP)) !== 0n) {
    processor.flushTlb();
    processor.contextChanged();
  }
  return undefined;
}

function writeCr8(processor: Processor, value: bigint): Failure | undefined {
  if (value > 0xfn) return generalProtection();
  if (processor.virtualization.writeTaskPriority(Number(value) << 4)) return undefined;
  processor.state.cr8 = value;
  processor.apic.setTpr(Number(value) << 4);
  return undefined;
}

const movFromControl: ColdSemantics = {
  check: all(controlRegisterExists, atPrivilegeLevel0),
  execute: (processor, instruction) => {
    const { control, general } = parts(instruction);
    writeRegister(processor.state, general.index, general.size, readControlRegister(processor, control));
    return Cold.RETIRED;
  },
};

const movToControl: ColdSemantics = {
  check: all(controlRegisterExists, atPrivilegeLevel0),
  execute: (processor, instruction) => {
    const { control, general } = parts(instruction);
    const value = readRegister(processor.state, general.index, general.size);
    return retired(writeControlRegister(processor, control, value));
  },
};

/** LMSW loads CR0 bits 3:0; it can set PE and not clear it. */
const lmsw = privileged((processor, instruction) => {
  const source = readOperand(processor, instruction, 0);
  if (typeof source !== 'bigint') return failed(source);
  const { cr0 } = processor.state;
  const value = (cr0 & ~0xen) | (source & 0xfn);
  return retired(writeCr0(processor, value));
});

/** SMSW stores CR0: 16 bits in memory, as much as the operand size in a register. */
const smsw: ColdSemantics = preventable({
  execute: (processor, instruction) =>
    retired(writeOperand(processor, instruction, 0, readControlRegister(processor, 0))),
});

const clts = privileged((processor) => {
  const { state, virtualization } = processor;
  const admitted = virtualization.admitControlRegister(0, state.cr0 & ~Cr0.TS);
  if (admitted === undefined) return generalProtection();
  state.cr0 = admitted;
  return Cold.RETIRED;
});

export const controlRegisterInstructions: ColdTable = { movFromControl, movToControl, lmsw, smsw, clts };
