/** Accesses to control registers: SDM 3C 26.1.3 (exits), table 28-3 (qualification), 26.3 (guest/host masks). */
import { isFailure, readOperand } from '../../cpu/cold/operands.js';
import { Cr0 } from '../../cpu/registerBits.js';
import type { Instruction } from '../../isa/instruction.js';
import type { VmxContext } from '../context.js';
import { CR3_TARGET_COUNT } from '../capabilities.js';
import { Primary } from '../controls.js';
import { ExitReason } from '../exitReasons.js';
import type { VmcsField } from '../fields.js';
import { Field } from '../fields.js';
import type { Intercept } from './intercept.js';
import { isMemory } from './instructionInformation.js';
import { operandLinearAddress } from './linearAddress.js';

/** Bits 5:4 of the qualification. */
const AccessType = { MOV_TO: 0, MOV_FROM: 1, CLTS: 2, LMSW: 3 } as const;

const qualification = (register: number, type: number, generalRegister = 0): bigint =>
  BigInt(register | (type << 4) | (generalRegister << 8));

interface ControlRegisterMask {
  readonly mask: VmcsField;
  readonly shadow: VmcsField;
}
const masks: Readonly<Record<number, ControlRegisterMask>> = {
  0: { mask: Field.cr0GuestHostMask, shadow: Field.cr0ReadShadow },
  4: { mask: Field.cr4GuestHostMask, shadow: Field.cr4ReadShadow },
};

const cr3Targets = [
  Field.cr3TargetValue0,
  Field.cr3TargetValue1,
  Field.cr3TargetValue2,
  Field.cr3TargetValue3,
] as const;

const registerIndex = (instruction: Instruction, operand: number): number => {
  const found = instruction.operands[operand];
  if (found.kind === 'immediate' || found.kind === 'memory')
    throw new TypeError('a register operand is expected');
  return found.index;
};

function isCr3Target(context: VmxContext, value: bigint): boolean {
  const count = Math.min(context.vmcs.read32(Field.cr3TargetCount), CR3_TARGET_COUNT);
  return cr3Targets.slice(0, count).some((field) => context.vmcs.read(field) === value);
}

function writeExits(context: VmxContext, instruction: Instruction): boolean {
  const register = registerIndex(instruction, 0);
  if (register === 8) return context.primary(Primary.cr8LoadExiting);
  const value = readOperand(context.processor, instruction, 1);
  if (typeof value !== 'bigint') return false;
  if (register === 3) return context.primary(Primary.cr3LoadExiting) && !isCr3Target(context, value);
  if (!(register in masks)) return false;
  const { mask, shadow } = masks[register];
  return ((value ^ context.vmcs.read(shadow)) & context.vmcs.read(mask)) !== 0n;
}

function readExits(context: VmxContext, instruction: Instruction): boolean {
  const register = registerIndex(instruction, 1);
  if (register === 3) return context.primary(Primary.cr3StoreExiting);
  return register === 8 && context.primary(Primary.cr8StoreExiting);
}

/** LMSW loads bits 3:0 and never clears PE. */
function lmswExits(context: VmxContext, instruction: Instruction): boolean | 'exited' {
  const source = readOperand(context.processor, instruction, 0);
  // A fault is left to the instruction itself.
  if (isFailure(source)) return source === 'exited' ? 'exited' : false;
  const { vmcs } = context;
  const mask = vmcs.read(Field.cr0GuestHostMask);
  const differing = (source ^ vmcs.read(Field.cr0ReadShadow)) & mask;
  return (differing & 0xen) !== 0n || (differing & source & Cr0.PE) !== 0n;
}

export const controlRegisterIntercepts: readonly Intercept[] = [
  {
    instructions: ['movToControl'],
    reason: ExitReason.CR_ACCESS,
    section: '26.1.3',
    sentence:
      'MOV to CR0 or CR4 exits when it changes a bit owned by the host (guest/host mask) from its read shadow; MOV to CR3 with CR3-load exiting, unless the value is a CR3-target value; MOV to CR8 with CR8-load exiting.',
    exits: writeExits,
    details: (_, instruction) => ({
      qualification: qualification(
        registerIndex(instruction, 0),
        AccessType.MOV_TO,
        registerIndex(instruction, 1),
      ),
    }),
  },
  {
    instructions: ['movFromControl'],
    reason: ExitReason.CR_ACCESS,
    section: '26.1.3',
    sentence: 'MOV from CR3 exits with CR3-store exiting, MOV from CR8 with CR8-store exiting.',
    exits: readExits,
    details: (_, instruction) => ({
      qualification: qualification(
        registerIndex(instruction, 1),
        AccessType.MOV_FROM,
        registerIndex(instruction, 0),
      ),
    }),
  },
  {
    instructions: ['clts'],
    reason: ExitReason.CR_ACCESS,
    section: '26.1.3',
    sentence: 'CLTS exits when the host owns CR0.TS and its read shadow is 1.',
    exits: ({ vmcs }) => (vmcs.read(Field.cr0GuestHostMask) & vmcs.read(Field.cr0ReadShadow) & Cr0.TS) !== 0n,
    details: () => ({ qualification: qualification(0, AccessType.CLTS) }),
  },
  {
    instructions: ['lmsw'],
    reason: ExitReason.CR_ACCESS,
    section: '26.1.3',
    sentence: 'LMSW exits when it changes one of CR0 bits 3:0 that the host owns from its read shadow.',
    exits: lmswExits,
    details: (context, instruction) => {
      const source = readOperand(context.processor, instruction, 0);
      const word = typeof source === 'bigint' ? source & 0xffffn : 0n;
      const memory = isMemory(instruction.operands[0]);
      return {
        qualification: qualification(0, AccessType.LMSW) | (memory ? 0x40n : 0n) | (word << 16n),
        guestLinearAddress: memory ? operandLinearAddress(context, instruction) : 0n,
      };
    },
  },
];

/** What reads of CR0 and CR4 see in the guest: host-owned bits come from the read shadow (SDM 3C 26.3). */
export function viewControlRegister(context: VmxContext, register: 0 | 4, value: bigint): bigint {
  const mask = context.vmcs.read(masks[register].mask);
  return (value & ~mask) | (context.vmcs.read(masks[register].shadow) & mask);
}

/** What a write that does not exit stores: host-owned bits stay (SDM 3C 26.3). */
export function keepHostBits(context: VmxContext, register: 0 | 4, current: bigint, written: bigint): bigint {
  const mask = context.vmcs.read(masks[register].mask);
  return (written & ~mask) | (current & mask);
}
