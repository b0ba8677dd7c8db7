/** A VMCS for people: every field by group, with its value and what the value means. */
import { Cr0, Cr4, Efer, Rflags } from '../cpu/registerBits.js';
import type { ControlField } from './controls.js';
import { controlFields, exceptionBitmapNames } from './controls.js';
import { EXIT_REASON_ENTRY_FAILURE, exitReason } from './exitReasons.js';
import type { FieldGroup, VmcsField } from './fields.js';
import { vmcsFields } from './fields.js';
import { decodeInterruption, interruptionTypeNames, isValidInterruption } from './interruption.js';
import { vmErrorText } from './instructionErrors.js';
import { AccessRights, isUsable, segmentDpl, segmentType } from './segmentFormat.js';

/** One bit of a field that has a name. */
export interface DescribedBit {
  readonly bit: number;
  /** The manual's wording. */
  readonly name: string;
  readonly set: boolean;
  /** One sentence, where the table of the field has one. */
  readonly effect?: string;
}

export interface DescribedField {
  readonly field: VmcsField;
  readonly value: bigint;
  /** What the value means in words, or undefined where the number says it all. */
  readonly text: string | undefined;
  readonly bits: readonly DescribedBit[];
}

export interface DescribedGroup {
  readonly group: FieldGroup;
  readonly fields: readonly DescribedField[];
}

const describeControl = (control: ControlField, value: bigint): readonly DescribedBit[] =>
  control.bits
    .filter((bit) => bit.implemented)
    .map(({ bit, wording, effect }) => ({
      bit,
      name: wording,
      set: ((value >> BigInt(bit)) & 1n) !== 0n,
      effect,
    }));

/** Named bits of an architectural register. */
const registerBits = (names: Readonly<Record<string, bigint>>, value: bigint): readonly DescribedBit[] =>
  Object.entries(names).map(([name, mask]) => ({
    bit: mask.toString(2).length - 1,
    name,
    set: (value & mask) !== 0n,
  }));

const bitList = (names: readonly string[], value: bigint): readonly DescribedBit[] =>
  names.map((name, bit) => ({ bit, name, set: ((value >> BigInt(bit)) & 1n) !== 0n }));

const interruptibilityNames = [
  'Blocking by STI',
  'Blocking by MOV SS',
  'Blocking by SMI',
  'Blocking by NMI',
] as const;

const controlsByName = new Map(controlFields.map((control) => [control.field, control]));

function bitsOf(name: string, value: bigint): readonly DescribedBit[] {
  const control = controlsByName.get(name);
  if (control) return describeControl(control, value);
  if (name === 'exceptionBitmap') return bitList(exceptionBitmapNames, value);
  if (name === 'guestInterruptibilityState') return bitList(interruptibilityNames, value);
  if (/Rflags$/.test(name)) return registerBits(Rflags, value);
  if (/Efer$/.test(name)) return registerBits(Efer, value);
  if (/cr0/i.test(name)) return registerBits(Cr0, value);
  if (/cr4/i.test(name)) return registerBits(Cr4, value);
  return [];
}

const activityStates = ['active', 'HLT', 'shutdown', 'wait-for-SIPI'] as const;

function accessRightsText(rights: number): string {
  if (!isUsable(rights)) return 'unusable';
  const flags = (['P', 'AVL', 'L', 'DB', 'G'] as const).filter((flag) => rights & AccessRights[flag]);
  const kind = rights & AccessRights.S ? 'code/data' : 'system';
  return `${kind} type ${segmentType(rights)}, DPL ${segmentDpl(rights)}, ${flags.join(' ')}`;
}

function interruptionText(information: number): string {
  if (!isValidInterruption(information)) return 'not valid';
  const { vector, type, hasErrorCode } = decodeInterruption(information);
  return `vector ${vector}, ${interruptionTypeNames[type]}${hasErrorCode ? ', error code' : ''}`;
}

function exitReasonText(value: number): string {
  const number = value & 0xffff;
  const title = exitReason(number)?.title ?? `reason ${number}`;
  return value & EXIT_REASON_ENTRY_FAILURE ? `${title} (entry failure)` : title;
}

const texts: Readonly<Record<string, (value: number) => string | undefined>> = {
  guestActivityState: (value) => activityStates[value],
  exitReason: exitReasonText,
  vmEntryInterruptionInformation: interruptionText,
  vmExitInterruptionInformation: interruptionText,
  idtVectoringInformation: interruptionText,
  vmInstructionError: (value) => vmErrorText[value],
};

function textOf(name: string, value: bigint): string | undefined {
  if (name.endsWith('AccessRights')) return accessRightsText(Number(value));
  return texts[name]?.(Number(value & 0xffff_ffffn));
}

/** Where the values come from: a `Vmcs`, or `Machine.readVmcs`. */
export interface FieldReader {
  read(field: VmcsField): bigint;
}

/** All fields of a VMCS by group, in the manual's order. */
export function describeVmcs(vmcs: FieldReader): readonly DescribedGroup[] {
  const groups = [...new Set(vmcsFields.map(({ group }) => group))];
  return groups.map((group) => ({
    group,
    fields: vmcsFields
      .filter((field) => field.group === group)
      .map((field) => {
        const value = vmcs.read(field);
        return { field, value, text: textOf(field.name, value), bits: bitsOf(field.name, value) };
      }),
  }));
}
