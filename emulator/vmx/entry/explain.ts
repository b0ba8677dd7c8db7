/** Why a VMCS would or would not enter: every rule of SDM 3C 27.2 and 27.3 applied to it, not only up to the first violated one. */
import { Efer } from '../../cpu/registerBits.js';
import type { ProcessorState } from '../../cpu/state.js';
import type { VmcsField, VmcsFieldName } from '../fields.js';
import { Field } from '../fields.js';
import type { PhysicalMemory } from '../physicalMemory.js';
import type { Vmcs } from '../vmcs.js';
import { VmxOperation } from '../context.js';
import { Exit } from '../controls.js';
import type { EntryProcessor, EntryRule } from './rules.js';
import { EntryView } from './rules.js';
import type { EntryOutcome, EntryStage } from './stages.js';
import { entryStages } from './stages.js';

export interface ViolatedRule {
  readonly stage: EntryStage;
  /** Identifier of the rule, e.g. `guest.cr0.fixed`. */
  readonly id: string;
  readonly section: string;
  readonly wording: string;
  readonly expected: string;
  readonly found: string;
  readonly outcome: EntryOutcome;
  /** The fields that the rule looked at: one of them is to be corrected. */
  readonly fields: readonly VmcsFieldName[];
}

export interface EntryExplanation {
  /** No rule is violated. The MSR-load area and the launch state are not looked at: they are not the VMCS's fields. */
  readonly enters: boolean;
  /** How many rules were applied. */
  readonly rules: number;
  /** In the order of the checks: the first one is what VM entry reports. */
  readonly violations: readonly ViolatedRule[];
}

/** Applies every rule to a VMCS as it is now. Reads only. */
export function explainEntry(vmcs: Vmcs, state: ProcessorState, physical: PhysicalMemory): EntryExplanation {
  const plain = new EntryView(vmcs, processorAtEntry(vmcs, state), physical);
  const violations = entryStages.flatMap(({ stage, rules, outcome }) =>
    rules.flatMap((rule): ViolatedRule[] => {
      const { id, section, wording } = rule;
      const violation = rule.check(plain);
      if (!violation) return [];
      const { expected, found } = violation;
      return [{ stage, id, section, wording, expected, found, outcome, fields: fieldsOf(rule, plain) }];
    }),
  );
  const rules = entryStages.reduce((count, stage) => count + stage.rules.length, 0);
  return { enters: violations.length === 0, rules, violations };
}

/**
 * The rules look at the processor that executes VM entry. While the guest runs, that is the host as the next VM exit
 * would load it.
 */
function processorAtEntry(vmcs: Vmcs, state: ProcessorState): EntryProcessor {
  if (state.vmxOperation !== VmxOperation.NON_ROOT) return state;
  const hostIs64Bit = vmcs.read32(Field.vmExitControls) & Exit.hostAddressSpaceSize;
  return { efer: hostIs64Bit ? Efer.LMA | Efer.LME : 0n, debugctl: 0n };
}

/** The control fields behind the properties of `EntryView`. */
const fieldOfProperty: Readonly<Record<string, VmcsField | undefined>> = {
  pin: Field.pinBasedControls,
  primary: Field.primaryProcBasedControls,
  secondary: Field.secondaryProcBasedControls,
  exit: Field.vmExitControls,
  hostIs64Bit: Field.vmExitControls,
  entry: Field.vmEntryControls,
  guestIsIa32e: Field.vmEntryControls,
  interruption: Field.vmEntryInterruptionInformation,
};

/** Runs a rule once more and notes which fields it asks for; values before controls, since values are what is wrong most often. */
function fieldsOf(rule: EntryRule, view: EntryView): readonly VmcsFieldName[] {
  const values = new Set<VmcsFieldName>();
  const controls = new Set<VmcsFieldName>();
  const watched = new Proxy(view, {
    get(target, property) {
      const control = typeof property === 'string' ? fieldOfProperty[property] : undefined;
      if (control) controls.add(control.name);
      if (property === 'value' || property === 'number') {
        return (field: VmcsField) => {
          values.add(field.name);
          return target[property](field);
        };
      }
      const found: unknown = Reflect.get(target, property, target);
      return found;
    },
  });
  rule.check(watched);
  return [...new Set([...values, ...controls])];
}
