/** Registers by name, wherever they are: in the processor, in a VMCS and the host's memory, or unwound from a stack. */
import { GENERAL_REGISTERS } from '../../emulator/cpu/layout.js';
import type { GeneralRegister } from '../../emulator/cpu/layout.js';
import { Efer, SegmentAccess } from '../../emulator/cpu/registerBits.js';
import type { Machine } from '../../emulator/machine/machineTypes.js';
import { Field } from '../../emulator/vmx/fields.js';
import type { NamedRegisters } from '../../toolchain/debuginfo/expression.js';
import type { Debuggee } from '../debuggee/debuggee.js';
import type { RegisterPart, WholeRegister } from './registerNames.js';
import { dwarfRegisterNumber, registerParts, wholeRegisters } from './registerNames.js';

export { dwarfRegisterName, dwarfRegisterNumber } from './registerNames.js';

/** A place that has whole registers; parts of them follow. */
interface RegisterBank {
  /** Undefined when the register is not known there. */
  read(register: WholeRegister): bigint | undefined;
  write(register: WholeRegister, value: bigint): boolean;
}

/** All names over a bank: whole registers, their parts and the flags. Names are in lower case. */
function named(bank: RegisterBank): NamedRegisters {
  const find = (name: string): { register: WholeRegister; part: RegisterPart } | undefined => {
    const part = registerParts.get(name);
    const register = wholeRegisters.get(part?.of ?? name);
    return register && { register, part: part ?? { of: name, low: 0, width: register.bits } };
  };
  return {
    read(name) {
      const found = find(name);
      const value = found && bank.read(found.register);
      if (value === undefined) return undefined;
      const { low, width } = found!.part;
      return { value: BigInt.asUintN(width, value >> BigInt(low)), bits: Math.max(8, width) };
    },
    write(name, value) {
      const found = find(name);
      const old = found && bank.read(found.register);
      return old !== undefined && bank.write(found!.register, withPart(old, found!.part, value));
    },
  };
}

/** SDM 1 3.4.1.1: a 32-bit operand clears bits 63:32, narrower ones keep the rest. */
function withPart(old: bigint, { low, width }: RegisterPart, value: bigint): bigint {
  const part = BigInt.asUintN(width, value);
  if (low === 0 && width >= 32) return part;
  const mask = ((1n << BigInt(width)) - 1n) << BigInt(low);
  return (old & ~mask) | (part << BigInt(low));
}

/** CPL follows from the code and stack segments: it cannot be set by itself. */
const isDerived = ({ name }: WholeRegister): boolean => name === 'cpl';

/** The registers of the processor as it runs now. */
export function currentRegisters(machine: Machine): NamedRegisters {
  const { state } = machine;
  return named({
    read: (register) => (register.state ? BigInt(state[register.state]) : machine.rflags),
    write(register, value) {
      if (isDerived(register)) return false;
      if (!register.state) {
        machine.rflags = value;
        return true;
      }
      const is32 = typeof state[register.state] === 'number';
      (state as unknown as Record<string, bigint | number>)[register.state] = is32 ? Number(value) : value;
      if (!belongsToFrame(register)) machine.contextChanged();
      return true;
    },
  });
}

/** Instructions within which a host has stored the guest's general registers after a VM exit. */
const SAVE_INSTRUCTIONS = 24;

/**
 * The registers of a guest: the processor's while it runs, else those of its VMCS, with the general registers where the
 * host keeps them, or as the guest left them when the host tells no place (they cannot be set then).
 */
export function guestRegisters(debuggee: Debuggee, vmcs: number): NamedRegisters {
  const { machine } = debuggee;
  if (machine.world === 'guest' && machine.currentVmcs === vmcs) return currentRegisters(machine);
  const general = savedGeneralRegisters(debuggee, vmcs);
  return named({
    read(register) {
      if (register.vmcs) return machine.readVmcs(vmcs, Field[register.vmcs].encoding);
      // SDM 3C 25.4.1: the DPL of SS is the CPL.
      if (isDerived(register)) return segmentDpl(machine.readVmcs(vmcs, Field.guestSsAccessRights.encoding));
      return general.read(register.name);
    },
    write(register, value) {
      if (register.vmcs) return machine.writeVmcs(vmcs, Field[register.vmcs].encoding, value);
      return general.write(register.name, value);
    },
  });
}

const segmentDpl = (rights: bigint | undefined): bigint | undefined =>
  rights === undefined ? undefined : (rights >> BigInt(SegmentAccess.DPL_SHIFT)) & 3n;

interface GeneralRegisters {
  read(name: string): bigint | undefined;
  write(name: string, value: bigint): boolean;
}

const generalIndex = (name: string): number => GENERAL_REGISTERS.indexOf(name as GeneralRegister);

/** The processor's general registers but RSP, which a VM exit loads. */
function processorRegisters({ state }: Machine): GeneralRegisters {
  const isShared = (name: string): boolean => generalIndex(name) >= 0 && name !== 'rsp';
  const registers = state as unknown as Record<string, bigint>;
  return {
    read: (name) => (isShared(name) ? registers[name] : undefined),
    write(name, value) {
      if (!isShared(name)) return false;
      registers[name] = value;
      return true;
    },
  };
}

/** General registers of a guest that does not run; RSP is in the VMCS. */
function savedGeneralRegisters(debuggee: Debuggee, vmcs: number): GeneralRegisters {
  const { machine } = debuggee;
  const exit = debuggee.lastExits.get(vmcs);
  const hostThreads = debuggee.hostThreads;
  const thread = hostThreads?.threads.find((candidate) => candidate.vmcs === vmcs);
  const isCurrent = exit !== undefined && thread?.index === hostThreads?.current;
  // Not one instruction of the host is executed: the processor still has them.
  if (isCurrent && machine.position === exit.position) return processorRegisters(machine);
  const isSaving = isCurrent && machine.position - exit.position < SAVE_INSTRUCTIONS;
  if (!thread || thread.guestRegisters === 0n || isSaving) {
    return { read: (name) => exit?.registers[generalIndex(name)], write: () => false };
  }
  const { rootTranslation } = debuggee;
  const addressOf = (name: string): bigint => thread.guestRegisters + BigInt(generalIndex(name) * 8);
  return {
    read(name) {
      if (generalIndex(name) < 0) return undefined;
      const bytes = machine.readLinear(addressOf(name), 8, rootTranslation);
      if (bytes.length < 8) return undefined;
      return new DataView(bytes.buffer, bytes.byteOffset, 8).getBigUint64(0, true);
    },
    write(name, value) {
      if (generalIndex(name) < 0) return false;
      const bytes = new Uint8Array(8);
      new DataView(bytes.buffer).setBigUint64(0, value, true);
      return machine.writeLinear(addressOf(name), bytes, rootTranslation) === bytes.length;
    },
  };
}

/** RFLAGS and the general registers belong to a frame: what unwinding did not restore is lost. */
const belongsToFrame = ({ name }: WholeRegister): boolean =>
  name === 'rip' || name === 'rflags' || generalIndex(name) >= 0;

/**
 * The registers of a calling frame: what unwinding restored, by DWARF number, and the rest (control and segment registers)
 * of the innermost frame. Read only. `bits` is that of the code; without it, what CS and EFER in `base` say.
 */
export function unwoundRegisters(
  base: NamedRegisters,
  values: ReadonlyMap<number, bigint>,
  bits: 32 | 64 = codeBitsOf(base),
): NamedRegisters {
  const dwarfName = ({ name }: WholeRegister): string =>
    bits === 64 || !name.startsWith('r') ? name : `e${name.slice(1)}`;
  return named({
    read(register) {
      const number = dwarfRegisterNumber(dwarfName(register), bits);
      const restored = number === undefined ? undefined : values.get(number);
      if (restored !== undefined || belongsToFrame(register)) return restored;
      return base.read(register.name)?.value;
    },
    write: () => false,
  });
}

/** 64 where nothing tells: registers that a 64-bit host saved for a sleeping thread. */
function codeBitsOf(registers: NamedRegisters): 32 | 64 {
  const efer = registers.read('efer')?.value;
  const access = registers.read('csaccess')?.value;
  if (efer === undefined || access === undefined) return 64;
  return (efer & Efer.LMA) !== 0n && (access & BigInt(SegmentAccess.L)) !== 0n ? 64 : 32;
}
