/** Rules that many controls have in common: reserved bits, addresses of pages and of MSR lists. */
import type { AllowedSettings } from '../capabilities.js';
import { allowedSettings } from '../capabilities.js';
import type { ControlField } from '../controls.js';
import type { VmcsField } from '../fields.js';
import { isPhysicalAddress } from '../physicalMemory.js';
import type { EntryRule, EntryView } from './rules.js';
import { mustHold } from './rules.js';

/** Checks on VM-execution control fields. */
export const EXECUTION = '27.2.1.1';

/** Reserved bits and bits that are not implemented, as the capability MSRs say (SDM 3D A.3 - A.5). */
export const reservedBits = (
  section: string,
  control: ControlField,
  value: (entry: EntryView) => number,
  applies: (entry: EntryView) => boolean = () => true,
): EntryRule => {
  const settings: AllowedSettings = allowedSettings(control);
  return {
    id: `controls.${control.field}.reserved`,
    section,
    wording: `Reserved bits in the ${control.title.toLowerCase()} must be set properly.`,
    check: (entry) => {
      if (!applies(entry)) return undefined;
      const found = value(entry);
      const wrong = ((settings.mustBeOne & ~found) | (found & ~settings.mayBeOne)) >>> 0;
      return wrong === 0
        ? undefined
        : {
            expected: `bits ${hexSet(settings.mustBeOne)} set, none outside ${hexSet(settings.mayBeOne)}`,
            found: `${hexSet(found)}: wrong ${namesOf(control, wrong)}`,
          };
    },
  };
};

const hexSet = (bits: number): string => `0x${bits.toString(16)}`;
const namesOf = (control: ControlField, wrong: number): string =>
  Array.from({ length: 32 }, (_, bit) => bit)
    .filter((bit) => wrong & (1 << bit))
    .map((bit) => control.bits.find((row) => row.bit === bit)?.wording ?? `bit ${bit}`)
    .join(', ');

/** An address that must be page-aligned and within the physical-address width while a control is 1. */
export const pageAddress = (
  field: VmcsField,
  control: string,
  used: (entry: EntryView) => boolean,
): EntryRule => ({
  id: `controls.${field.name}.address`,
  section: EXECUTION,
  wording: `If "${control}" is 1, bits 11:0 of ${field.name} must be 0, and no bit beyond the physical-address width may be set.`,
  check: (entry) =>
    used(entry)
      ? mustHold(
          isPhysicalAddress(entry.value(field), 4096),
          'a page-aligned physical address',
          entry.value(field),
        )
      : undefined,
});

const MSR_ENTRY_SIZE = 16n;

/** The address of an MSR list; it does not matter while the list is empty. */
export const msrList = (section: string, address: VmcsField, count: VmcsField): readonly EntryRule[] => [
  {
    id: `controls.${address.name}.address`,
    section,
    wording: `If ${count.name} is not 0, bits 3:0 of ${address.name} must be 0, and no bit beyond the physical-address width may be set.`,
    check: (entry) =>
      entry.number(count) !== 0
        ? mustHold(
            isPhysicalAddress(entry.value(address), 16),
            'a 16-byte-aligned physical address',
            entry.value(address),
          )
        : undefined,
  },
  {
    id: `controls.${address.name}.end`,
    section,
    wording: `If ${count.name} is not 0, the last byte of the list must be within the physical-address width.`,
    check: (entry) => {
      const entries = BigInt(entry.number(count));
      const last = entry.value(address) + entries * MSR_ENTRY_SIZE - 1n;
      return entries !== 0n
        ? mustHold(isPhysicalAddress(last), 'the last byte within the physical-address width', last)
        : undefined;
    },
  },
];
