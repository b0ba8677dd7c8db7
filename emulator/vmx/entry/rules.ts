/** The form of a VM-entry check: one row for each rule of SDM 3C 27.2 and 27.3. */
import { isCanonical } from '../../cpu/registerBits.js';
import type { ProcessorState } from '../../cpu/state.js';
import { Exit, Entry, Primary } from '../controls.js';
import type { VmcsField } from '../fields.js';
import { Field } from '../fields.js';
import type { PhysicalMemory } from '../physicalMemory.js';
import { CR4_SUPPORTED } from '../processorLimits.js';
import type { Vmcs } from '../vmcs.js';

/** What a violated rule says. */
export interface Violation {
  readonly expected: string;
  readonly found: string;
  /** Exit qualification of an entry failure (SDM 3C 28.2.1): 0 unless the manual gives the failure a number. */
  readonly qualification?: number;
}

export interface EntryRule {
  /** Stable identifier, e.g. `guest.cr0.fixed`. */
  readonly id: string;
  readonly section: string;
  /** The rule in the manual's words, shortened. */
  readonly wording: string;
  readonly check: (entry: EntryView) => Violation | undefined;
}

/** What the rules look at of the processor that executes VM entry. */
export type EntryProcessor = Pick<ProcessorState, 'efer' | 'debugctl'>;

/** The VMCS of a VM entry under way, with its controls as they count. */
export class EntryView {
  readonly pin: number;
  readonly primary: number;
  /** 0 when the secondary controls are not activated. */
  readonly secondary: number;
  readonly exit: number;
  readonly entry: number;
  readonly interruption: number;
  readonly cr4Supported = CR4_SUPPORTED;

  constructor(
    readonly vmcs: Vmcs,
    readonly state: EntryProcessor,
    readonly physical: PhysicalMemory,
  ) {
    this.pin = vmcs.read32(Field.pinBasedControls);
    this.primary = vmcs.read32(Field.primaryProcBasedControls);
    this.secondary =
      this.primary & Primary.activateSecondaryControls ? vmcs.read32(Field.secondaryProcBasedControls) : 0;
    this.exit = vmcs.read32(Field.vmExitControls);
    this.entry = vmcs.read32(Field.vmEntryControls);
    this.interruption = vmcs.read32(Field.vmEntryInterruptionInformation);
  }

  value(field: VmcsField): bigint {
    return this.vmcs.read(field);
  }

  number(field: VmcsField): number {
    return this.vmcs.read32(field);
  }

  get hostIs64Bit(): boolean {
    return (this.exit & Exit.hostAddressSpaceSize) !== 0;
  }

  get guestIsIa32e(): boolean {
    return (this.entry & Entry.ia32eModeGuest) !== 0;
  }
}

export const hex = (value: bigint | number): string => `0x${value.toString(16)}`;

/** A text of a violation; a function where composing it costs something. */
type Text = string | (() => string);
const textOf = (text: Text): string => (typeof text === 'string' ? text : text());

/** The violation when `holds` is false. */
export function mustHold(
  holds: boolean,
  expected: Text,
  found: bigint | number | Text,
  qualification?: number,
): Violation | undefined {
  if (holds) return undefined;
  const isNumber = typeof found === 'number' || typeof found === 'bigint';
  return { expected: textOf(expected), found: isNumber ? hex(found) : textOf(found), qualification };
}

/** Does any bit differ from what a fixed-bit pair of capability MSRs allows (SDM 3D A.7, A.8)? */
export const fitsFixedBits = (value: bigint, fixed0: bigint, fixed1: bigint): boolean =>
  (value & fixed0) === fixed0 && (value & ~fixed1) === 0n;

/** The rule for a 64-bit field that must hold a canonical address. */
export const canonicalRule = (prefix: string, field: VmcsField, section: string): EntryRule => ({
  id: `${prefix}.${field.name}.canonical`,
  section,
  wording: `The ${field.name} field must contain a canonical address.`,
  check: (entry) => mustHold(isCanonical(entry.value(field)), 'a canonical address', entry.value(field)),
});

/** The first violated rule of a list. */
export function firstViolation(
  rules: readonly EntryRule[],
  entry: EntryView,
): { readonly rule: EntryRule; readonly violation: Violation } | undefined {
  for (const rule of rules) {
    const violation = rule.check(entry);
    if (violation) return { rule, violation };
  }
  return undefined;
}
