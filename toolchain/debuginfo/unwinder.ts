import { littleEndian } from '../dwarf/bytes.js';
import { readFrameEntries } from '../dwarf/callFrames.js';
import type { FrameEntry } from '../dwarf/callFrames.js';
import { evaluateValue } from '../dwarf/stackMachine.js';
import type { ExpressionEnvironment } from '../dwarf/stackMachine.js';
import { Unavailable } from '../dwarf/stackTypes.js';
import { unwindRow } from '../dwarf/unwindTable.js';
import type { CfaRule, RegisterRule } from '../dwarf/unwindTable.js';
import type { ElfFile } from '../elf/elfFile.js';
import type { UnwoundFrame } from './debugInfo.js';
import type { MachineContext } from './machineContext.js';
import { RangeMap } from './search.js';

/** DWARF numbers of the general registers and the stack pointer (x86-64 psABI figure 3.36; i386 psABI table 2.14). */
const GENERAL_REGISTERS = { 64: { count: 16, stackPointer: 7 }, 32: { count: 8, stackPointer: 4 } } as const;

/** Finds callers by the call frame information of a file. */
export class Unwinder {
  private entries: RangeMap<FrameEntry> | undefined;

  constructor(private readonly elf: ElfFile) {}

  /** The frame one up; undefined without CFI for the address, at the outermost frame, or when memory cannot be read. */
  unwind(address: bigint, machine: MachineContext): UnwoundFrame | undefined {
    const entry = this.entryAt(address);
    return entry && orUndefined(() => new FrameUnwinding(entry, address, machine).unwind());
  }

  /** The canonical frame address of the frame that runs at an address. */
  cfa(address: bigint, machine: MachineContext): bigint | undefined {
    const entry = this.entryAt(address);
    return entry && orUndefined(() => new FrameUnwinding(entry, address, machine).cfa);
  }

  private entryAt(address: bigint): FrameEntry | undefined {
    this.entries ??= new RangeMap(
      readFrameEntries(this.elf).map((value) => ({ low: value.low, high: value.high, value })),
    );
    return this.entries.at(address)[0];
  }
}

/** What the frame does not have ends the stack; a malformed section still is an error. */
function orUndefined<T>(compute: () => T): T | undefined {
  try {
    return compute();
  } catch (error) {
    if (error instanceof Unavailable) {
      return undefined;
    }
    throw error;
  }
}

/** One frame being unwound. */
class FrameUnwinding {
  readonly cfa: bigint;
  private readonly registerRules: ReadonlyMap<number, RegisterRule>;
  private readonly environment: ExpressionEnvironment;

  constructor(
    private readonly entry: FrameEntry,
    address: bigint,
    private readonly machine: MachineContext,
  ) {
    this.environment = callFrameEnvironment(machine, entry.common.addressSize);
    const row = unwindRow(entry, address);
    this.registerRules = row.registers;
    this.cfa = this.wrap(this.computeCfa(row.cfa));
  }

  unwind(): UnwoundFrame {
    const { common } = this.entry;
    const returnAddress = this.callerValue(common.returnAddressRegister);
    if (returnAddress === undefined) {
      throw new Unavailable('the return address is undefined: this is the outermost frame');
    }
    const registers = new Map<number, bigint>();
    const numbers = new Set([
      ...Array.from({ length: GENERAL_REGISTERS[this.machine.bits].count }, (_unused, register) => register),
      ...this.registerRules.keys(),
    ]);
    for (const register of numbers) {
      const value = this.callerValue(register);
      if (value !== undefined) {
        registers.set(register, value);
      }
    }
    registers.set(common.returnAddressRegister, returnAddress);
    return { cfa: this.cfa, returnAddress, registers, isSignalFrame: common.isSignalFrame };
  }

  private computeCfa(rule: CfaRule): bigint {
    return rule.kind === 'register'
      ? this.environment.register(rule.register) + rule.offset
      : evaluateValue(rule.expression, this.environment);
  }

  private callerValue(register: number): bigint | undefined {
    const rule = this.registerRules.get(register) ?? this.defaultRule(register);
    switch (rule.kind) {
      case 'undefined':
        return undefined;
      case 'sameValue':
        return this.machine.register(register);
      case 'offset':
        return this.load(this.cfa + rule.offset);
      case 'valueOffset':
        return this.wrap(this.cfa + rule.offset);
      case 'register':
        return this.machine.register(rule.register);
      case 'expression':
        return this.load(evaluateValue(rule.expression, this.environment, this.cfa));
      case 'valueExpression':
        return this.wrap(evaluateValue(rule.expression, this.environment, this.cfa));
    }
  }

  /**
   * The CFA is the caller's stack pointer. As in gdb, other registers without a rule keep their value: the callee may be
   * free to change them, but where the compiler relies on it that it does not (gcc's -fipa-ra), it gives no rule either,
   * and where it cannot, it says that no variable is in them after the call.
   */
  private defaultRule(register: number): RegisterRule {
    return register === GENERAL_REGISTERS[this.machine.bits].stackPointer
      ? { kind: 'valueOffset', offset: 0n }
      : { kind: 'sameValue' };
  }

  private load(address: bigint): bigint {
    return littleEndian(this.environment.readMemory(this.wrap(address), this.entry.common.addressSize));
  }

  private wrap(address: bigint): bigint {
    return BigInt.asUintN(this.machine.bits, address);
  }
}

/** Call frame expressions may use registers and memory only (DWARF 5 6.4.2). */
function callFrameEnvironment(machine: MachineContext, addressSize: number): ExpressionEnvironment {
  const forbidden = (what: string) => (): never => {
    throw new Unavailable(`${what} in call frame information`);
  };
  return {
    addressSize,
    register: (number) => registerOf(machine, number),
    readMemory: (address, size) => memoryOf(machine, address, size),
    cfa: forbidden('DW_OP_call_frame_cfa'),
    frameBase: forbidden('DW_OP_fbreg'),
    entryValue: forbidden('DW_OP_entry_value'),
    indexedAddress: forbidden('DW_OP_addrx'),
    baseType: forbidden('a typed operation'),
  };
}

/** The register's value; throws Unavailable when it is lost. */
export function registerOf(machine: MachineContext, number: number): bigint {
  const value = machine.register(number);
  if (value === undefined) {
    throw new Unavailable(`register ${number} is not known in this frame`);
  }
  return value;
}

/** The bytes; throws Unavailable when they cannot be read. */
export function memoryOf(machine: MachineContext, address: bigint, size: number): Uint8Array {
  const bytes = machine.readMemory(address, size);
  if (bytes === undefined) {
    throw new Unavailable(`cannot read memory at 0x${address.toString(16)}`);
  }
  return bytes;
}
