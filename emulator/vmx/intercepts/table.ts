/** Which instruction causes a VM exit when: SDM 3C 26.1.2 and 26.1.3. */
import type { Instruction } from '../../isa/instruction.js';
import type { VmxContext } from '../context.js';
import { Primary, Secondary } from '../controls.js';
import { ExitReason } from '../exitReasons.js';
import type { VmcsField } from '../fields.js';
import { Field } from '../fields.js';
import { controlRegisterIntercepts } from './controlRegisters.js';
import {
  descriptorTableInformation,
  displacement,
  memoryInformation,
  systemSegmentInformation,
  twoOperandInformation,
} from './instructionInformation.js';
import type { CauseDetails, Intercept } from './intercept.js';
import { always, semanticsName } from './intercept.js';
import { operandLinearAddress } from './linearAddress.js';
import { pauseLoopExits } from './pauseLoop.js';
import { vmcsAccessExits } from './vmcsShadowing.js';
import { portAndMsrIntercepts } from './portsAndMsrs.js';

const UNCONDITIONAL = '26.1.2';
const CONDITIONAL = '26.1.3';

const unconditional = (
  instruction: string,
  reason: number,
  details?: (context: VmxContext, instruction: Instruction) => CauseDetails,
): Intercept => ({
  instructions: [instruction],
  reason,
  section: UNCONDITIONAL,
  sentence: `${instruction.toUpperCase()} always exits.`,
  exits: always,
  details,
});

const byPrimary = (instruction: string, reason: number, control: number, name: string): Intercept => ({
  instructions: [instruction],
  reason,
  section: CONDITIONAL,
  sentence: `${instruction.toUpperCase()} exits with ${name}.`,
  exits: (context) => context.primary(control),
});

const unconditionalIntercepts: readonly Intercept[] = [
  unconditional('cpuid', ExitReason.CPUID),
  unconditional('invd', ExitReason.INVD),
  unconditional('xsetbv', ExitReason.XSETBV),
  unconditional('vmcall', ExitReason.VMCALL),
  unconditional('vmlaunch', ExitReason.VMLAUNCH),
  unconditional('vmresume', ExitReason.VMRESUME),
  unconditional('vmxoff', ExitReason.VMOFF),
  ...(
    [
      ['vmclear', ExitReason.VMCLEAR],
      ['vmptrld', ExitReason.VMPTRLD],
      ['vmptrst', ExitReason.VMPTRST],
      ['vmxon', ExitReason.VMON],
    ] as const
  ).map(([instruction, reason]) =>
    unconditional(instruction, reason, (_, decoded) => ({
      qualification: displacement(decoded),
      instructionInformation: memoryInformation(decoded),
    })),
  ),
  ...(
    [
      // Which operand is register-or-memory, and which is Reg2.
      ['invept', ExitReason.INVEPT, 1, 0],
      ['invvpid', ExitReason.INVVPID, 1, 0],
    ] as const
  ).map(([instruction, reason, registerOrMemory, register]) =>
    unconditional(instruction, reason, (_, decoded) => ({
      qualification: displacement(decoded),
      instructionInformation: twoOperandInformation(decoded, registerOrMemory, register),
    })),
  ),
];

/** VMREAD and VMWRITE: which operand is register-or-memory, and which is the register with the encoding. */
const vmcsAccess = (
  instruction: string,
  reason: number,
  registerOrMemory: number,
  register: number,
  bitmap: VmcsField,
): Intercept => ({
  instructions: [instruction],
  reason,
  section: CONDITIONAL,
  sentence: `${instruction.toUpperCase()} exits without VMCS shadowing, and where the bitmap marks the field.`,
  exits: (context, decoded) => vmcsAccessExits(context, decoded, register, bitmap),
  details: (_, decoded) => ({
    qualification: displacement(decoded),
    instructionInformation: twoOperandInformation(decoded, registerOrMemory, register),
  }),
});

/** Identities in bits 29:28 of the instruction information, SDM 3C tables 28-12 and 28-13. */
const descriptorTables = ['sgdt', 'sidt', 'lgdt', 'lidt'] as const;
const systemSegments = ['sldt', 'str', 'lldt', 'ltr'] as const;

const conditionalIntercepts: readonly Intercept[] = [
  vmcsAccess('vmread', ExitReason.VMREAD, 0, 1, Field.vmreadBitmap),
  vmcsAccess('vmwrite', ExitReason.VMWRITE, 1, 0, Field.vmwriteBitmap),
  byPrimary('hlt', ExitReason.HLT, Primary.hltExiting, 'HLT exiting'),
  byPrimary('rdpmc', ExitReason.RDPMC, Primary.rdpmcExiting, 'RDPMC exiting'),
  byPrimary('rdtsc', ExitReason.RDTSC, Primary.rdtscExiting, 'RDTSC exiting'),
  byPrimary('rdtscp', ExitReason.RDTSCP, Primary.rdtscExiting, 'RDTSC exiting'),
  {
    instructions: ['pause'],
    reason: ExitReason.PAUSE_INSTRUCTION,
    section: CONDITIONAL,
    sentence: 'PAUSE exits with PAUSE exiting, or after a long loop at CPL 0 with PAUSE-loop exiting.',
    exits: (context) => context.primary(Primary.pauseExiting) || pauseLoopExits(context),
  },
  byPrimary('monitor', ExitReason.MONITOR_INSTRUCTION, Primary.monitorExiting, 'MONITOR exiting'),
  byPrimary('mwait', ExitReason.MWAIT_INSTRUCTION, Primary.mwaitExiting, 'MWAIT exiting'),
  {
    ...byPrimary('invlpg', ExitReason.INVLPG, Primary.invlpgExiting, 'INVLPG exiting'),
    details: (context, instruction) => ({ qualification: operandLinearAddress(context, instruction) }),
  },
  {
    instructions: ['movToDebug', 'movFromDebug'],
    reason: ExitReason.DR_ACCESS,
    section: CONDITIONAL,
    sentence: 'MOV DR exits with MOV-DR exiting.',
    exits: (context) => context.primary(Primary.movDrExiting),
    details: (_, instruction) => ({ qualification: debugRegisterQualification(instruction) }),
  },
  {
    instructions: ['wbinvd'],
    reason: ExitReason.WBINVD,
    section: CONDITIONAL,
    sentence: 'WBINVD exits with WBINVD exiting.',
    exits: (context) => context.secondary(Secondary.wbinvdExiting),
  },
  {
    instructions: descriptorTables,
    reason: ExitReason.GDTR_IDTR,
    section: CONDITIONAL,
    sentence: 'SGDT, SIDT, LGDT and LIDT exit with descriptor-table exiting.',
    exits: (context) => context.secondary(Secondary.descriptorTableExiting),
    details: (_, instruction) => ({
      qualification: displacement(instruction),
      instructionInformation: descriptorTableInformation(
        instruction,
        descriptorTables.findIndex((name) => name === semanticsName(instruction)),
      ),
    }),
  },
  {
    instructions: systemSegments,
    reason: ExitReason.LDTR_TR,
    section: CONDITIONAL,
    sentence: 'SLDT, STR, LLDT and LTR exit with descriptor-table exiting.',
    exits: (context) => context.secondary(Secondary.descriptorTableExiting),
    details: (_, instruction) => ({
      qualification: displacement(instruction),
      instructionInformation: systemSegmentInformation(
        instruction,
        systemSegments.findIndex((name) => name === semanticsName(instruction)),
      ),
    }),
  },
];

/** SDM 3C table 28-4: register, direction (bit 4: 1 is MOV from DR), general register. */
function debugRegisterQualification(instruction: Instruction): bigint {
  const from = semanticsName(instruction) === 'movFromDebug';
  const [destination, source] = instruction.operands;
  const [debug, general] = from ? [source, destination] : [destination, source];
  if (debug.kind !== 'debug' || general.kind !== 'register') throw new TypeError('MOV DR has two registers');
  return BigInt(debug.index | (from ? 1 << 4 : 0) | (general.index << 8));
}

/** Every instruction that can cause a VM exit. */
export const intercepts: readonly Intercept[] = [
  ...unconditionalIntercepts,
  ...conditionalIntercepts,
  ...controlRegisterIntercepts,
  ...portAndMsrIntercepts,
];

const byName = new Map(
  intercepts.flatMap((intercept) => intercept.instructions.map((name) => [name, intercept] as const)),
);

/** The row of an instruction (by the name of its semantics), or undefined when it never exits. */
export const interceptOf = (name: string): Intercept | undefined => byName.get(name);
