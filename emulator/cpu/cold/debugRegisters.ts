/** MOV to and from debug registers (SDM 3B 18.2). Breakpoints by DR0-DR3 are not raised: enabling one is a typed stop. */
import type { Instruction, RegisterOperand } from '../../isa/instruction.js';
import type { Fault } from '../fault.js';
import { generalProtection, invalidOpcode, Vector } from '../fault.js';
import { Cr4, Dr6, DR6_RESET, DR7_ENABLES, DR7_GD, DR7_RESET } from '../registerBits.js';
import type { ColdOutcome, ColdSemantics, Processor } from '../seams.js';
import { Cold } from '../seams.js';
import { readRegister, writeRegister } from './operands.js';
import type { Check, ColdTable } from './semantics.js';
import { all, atPrivilegeLevel0 } from './semantics.js';

const ADDRESS_REGISTERS = ['dr0', 'dr1', 'dr2', 'dr3'] as const;
/** Writable bits of DR6 and DR7; the others have their reset value. RTM is not offered. */
const DR6_WRITABLE = 0xe00fn;
const DR7_WRITABLE = 0xffff_23ffn;

function parts(instruction: Instruction): { debug: number; general: RegisterOperand } {
  const [first, second] = instruction.operands;
  const [general, debug] = first.kind === 'register' ? [first, second] : [second, first];
  if (general.kind !== 'register' || debug.kind !== 'debug') {
    throw new TypeError(`${instruction.row.opcode}: not a debug and a general register`);
  }
  return { debug: debug.index, general };
}

/** DR4 and DR5 are DR6 and DR7 unless CR4.DE is set; then they are #UD. */
const registerExists: Check = ({ state }, instruction) => {
  const { debug } = parts(instruction);
  const alias = debug === 4 || debug === 5;
  return debug > 7 || (alias && (state.cr4 & Cr4.DE) !== 0n) ? invalidOpcode() : undefined;
};

/** DR7.GD: any access raises #DB with DR6.BD, and clears GD. */
const generalDetect: Check = ({ state }): Fault | undefined => {
  if ((state.dr7 & DR7_GD) === 0n) return undefined;
  state.dr7 &= ~DR7_GD;
  return { kind: 'fault', vector: Vector.DB, errorCode: undefined, address: Dr6.BD, source: 'exception' };
};

const check = all(registerExists, atPrivilegeLevel0, generalDetect);

function write(processor: Processor, debug: number, value: bigint): ColdOutcome {
  const { state } = processor;
  if (debug <= 3) {
    state[ADDRESS_REGISTERS[debug]] = value;
    return Cold.RETIRED;
  }
  if (value >> 32n !== 0n) return generalProtection();
  if (debug === 4 || debug === 6) {
    state.dr6 = (value & DR6_WRITABLE) | DR6_RESET;
    return Cold.RETIRED;
  }
  state.dr7 = (value & DR7_WRITABLE) | DR7_RESET;
  const enabled = (state.dr7 & DR7_ENABLES) !== 0n;
  return enabled ? { kind: 'unimplemented', what: 'hardware breakpoints (DR7 enables one)' } : Cold.RETIRED;
}

function read(processor: Processor, debug: number): bigint {
  const { state } = processor;
  if (debug <= 3) return state[ADDRESS_REGISTERS[debug]];
  return debug === 4 || debug === 6 ? state.dr6 : state.dr7;
}

const movToDebug: ColdSemantics = {
  check,
  execute: (processor, instruction) => {
    const { debug, general } = parts(instruction);
    return write(processor, debug, readRegister(processor.state, general.index, general.size));
  },
};

const movFromDebug: ColdSemantics = {
  check,
  execute: (processor, instruction) => {
    const { debug, general } = parts(instruction);
    writeRegister(processor.state, general.index, general.size, read(processor, debug));
    return Cold.RETIRED;
  },
};

export const debugRegisterInstructions: ColdTable = { movToDebug, movFromDebug };
