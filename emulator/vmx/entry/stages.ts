/** The rule table of VM entry as a whole: three groups of checks in the manual's order, SDM 3C 27.2 and 27.3. */
import { ExitReason } from '../exitReasons.js';
import { VmError } from '../instructionErrors.js';
import { controlChecks } from './controlChecks.js';
import { changingGuestChecks, guestChecks } from './guestChecks.js';
import { hostChecks } from './hostChecks.js';
import type { EntryRule } from './rules.js';

/** Which of the three groups of checks a rule belongs to, in the order in which VM entry makes them. */
export type EntryStage = 'VMX controls' | 'host state' | 'guest state';

/** What VM entry does when a rule of a stage is violated. */
export type EntryOutcome = { readonly vmInstructionError: number } | { readonly exitReason: number };

interface Stage {
  readonly stage: EntryStage;
  readonly rules: readonly EntryRule[];
  /** Those whose fields change from entry to entry; the others need no check while what they read is as it was. */
  readonly changing: readonly EntryRule[];
  readonly outcome: EntryOutcome;
}

/** The rule table as a whole, in the manual's order. */
export const entryStages: readonly Stage[] = [
  {
    stage: 'VMX controls',
    rules: controlChecks,
    changing: [],
    outcome: { vmInstructionError: VmError.ENTRY_INVALID_CONTROL_FIELD },
  },
  {
    stage: 'host state',
    rules: hostChecks,
    changing: [],
    outcome: { vmInstructionError: VmError.ENTRY_INVALID_HOST_STATE },
  },
  {
    stage: 'guest state',
    rules: guestChecks,
    changing: changingGuestChecks,
    outcome: { exitReason: ExitReason.INVALID_STATE },
  },
];
