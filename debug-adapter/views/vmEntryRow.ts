/** Why the current VMCS would or would not enter, as the views and the command line show it. */
import type { Machine } from '../../emulator/machine/machineTypes.js';
import type { EntryOutcome } from '../../emulator/vmx/entry/stages.js';
import { exitReason } from '../../emulator/vmx/exitReasons.js';
import type { VmEntryRow } from '../protocol.js';

/** Null where there is no VMCS. */
export function vmEntryRow(machine: Machine, vmcs: number): VmEntryRow | null {
  const explanation = machine.explainEntry(vmcs);
  if (!explanation) return null;
  const { enters, rules, violations } = explanation;
  return {
    enters,
    rules,
    violations: violations.map(({ outcome, fields, ...rule }) => ({
      ...rule,
      fields: [...fields],
      outcome: outcomeText(outcome),
    })),
  };
}

const outcomeText = (outcome: EntryOutcome): string =>
  'vmInstructionError' in outcome
    ? `VM-instruction error ${outcome.vmInstructionError}`
    : `exit reason ${outcome.exitReason}, ${exitReason(outcome.exitReason)?.title ?? 'VM-entry failure'}`;

/** A line for each rule that is violated beyond the one that VM entry reported. */
export const otherViolations = (entry: VmEntryRow | null): readonly string[] =>
  (entry?.violations ?? [])
    .slice(1)
    .map(
      ({ id, section, expected, found }) =>
        `Also ${id} (SDM ${section}): expected ${expected}, found ${found}`,
    );
