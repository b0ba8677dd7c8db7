/** VMLAUNCH and VMRESUME from the checks of SDM 3C 27.1 on. */
import { DR7_ENABLES, Interruptibility } from '../../cpu/registerBits.js';
import type { ColdOutcome } from '../../cpu/seams.js';
import { Cold } from '../../cpu/seams.js';
import type { EntryFailure } from '../../machine/worldSwitch.js';
import type { VmxContext } from '../context.js';
import { VmxOperation } from '../context.js';
import { Entry } from '../controls.js';
import { Primary } from '../controls.js';
import type { ExitCause } from '../exit.js';
import { failEntry, vmExit } from '../exit.js';
import { ExitReason } from '../exitReasons.js';
import { Field } from '../fields.js';
import { loadGuestState } from '../guestState.js';
import { VmError } from '../instructionErrors.js';
import { loadMsrs } from '../msrLists.js';
import { eventBeforeFirstInstruction } from '../pendingEvents.js';
import { startPreemptionTimer } from '../preemptionTimer.js';
import { LaunchState } from '../vmcs.js';
import { vmFail, vmFailInvalid } from '../vmStatus.js';
import { worldSwitchEvent } from '../worldSwitchEvent.js';
import { entryStages } from './stages.js';
import type { EntryRule, Violation } from './rules.js';
import { EntryView, firstViolation } from './rules.js';

type Report = Pick<EntryFailure, 'outcome' | 'check' | 'section' | 'detail'>;

/** The basic checks, after #UD, VM exit and #GP(0) are excluded: SDM 3C 27.1 and the pseudocode of VMLAUNCH. */
export function enterGuest(context: VmxContext, mnemonic: 'VMLAUNCH' | 'VMRESUME'): ColdOutcome {
  const { state } = context.processor;
  if (!context.hasCurrentVmcs) {
    report(context, {
      outcome: { vmInstructionError: 0 },
      check: 'There must be a current VMCS.',
      section: '27.1',
      detail: `${mnemonic} without a current VMCS: VMfailInvalid`,
    });
    return vmFailInvalid(context);
  }
  const { vmcs } = context;
  if (vmcs.isShadow) {
    report(context, {
      outcome: { vmInstructionError: 0 },
      check: 'The current VMCS must not be a shadow VMCS.',
      section: '27.1',
      detail: `${mnemonic} with bit 31 of the revision identifier set: VMfailInvalid`,
    });
    return vmFailInvalid(context);
  }
  if (state.interruptibility & Interruptibility.MOV_SS) {
    return refuse(context, VmError.ENTRY_EVENTS_BLOCKED_BY_MOV_SS, {
      check: 'Events must not be blocked by MOV SS.',
      section: '27.1',
      detail: `${mnemonic} directly after MOV SS or POP SS`,
    });
  }
  const launching = mnemonic === 'VMLAUNCH';
  const launched = vmcs.launchState === LaunchState.LAUNCHED;
  if (launching === launched) {
    return refuse(context, launching ? VmError.VMLAUNCH_NON_CLEAR_VMCS : VmError.VMRESUME_NON_LAUNCHED_VMCS, {
      check: `${mnemonic} needs a VMCS whose launch state is ${launching ? 'clear' : 'launched'}.`,
      section: '27.1',
      detail: `expected launch state ${launching ? 'clear' : 'launched'}, found ${launched ? 'launched' : 'clear'}`,
    });
  }

  const entry = new EntryView(vmcs, state, context.physical);
  const known = context.passedChecks.has(entry);
  for (const { rules, changing, outcome } of entryStages) {
    const violated = firstViolation(known ? changing : rules, entry);
    if (!violated) continue;
    if ('vmInstructionError' in outcome)
      return refuse(context, outcome.vmInstructionError, describe(violated));
    report(context, { outcome, ...describe(violated) });
    failEntry(context, outcome.exitReason, BigInt(violated.violation.qualification ?? 0));
    return context.aborted ?? Cold.SWITCHED;
  }

  if (entry.entry & Entry.loadDebugControls && vmcs.read(Field.guestDr7) & DR7_ENABLES) {
    return { kind: 'unimplemented', what: 'hardware breakpoints (DR7 of the guest enables one)' };
  }
  if (!known) context.passedChecks.note(entry);
  loadGuestState(context, entry);
  state.vmxOperation = VmxOperation.NON_ROOT;
  const refusedMsr = loadMsrs(
    context,
    vmcs.read(Field.vmEntryMsrLoadAddress),
    vmcs.read32(Field.vmEntryMsrLoadCount),
  );
  if (refusedMsr !== 0) {
    reportMsr(context, refusedMsr);
    failEntry(context, ExitReason.MSR_LOAD_FAIL, BigInt(refusedMsr));
    return context.aborted ?? Cold.SWITCHED;
  }
  startPreemptionTimer(context);
  if (launching) vmcs.launchState = LaunchState.LAUNCHED;
  completeEntry(context, entry.interruption);
  return context.aborted ?? Cold.SWITCHED;
}

/** The guest is loaded: its events, and the world switch is told. */
function completeEntry(context: VmxContext, interruption: number): void {
  const { processor } = context;
  processor.contextChanged();
  if (context.hooks.onWorldSwitch) context.hooks.onWorldSwitch(worldSwitchEvent(context, undefined));
  const exit = beginVirtualApic(context) ?? eventBeforeFirstInstruction(context, interruption);
  if (exit) vmExit(context, exit);
}

/** SDM 3C 27.3.2.5 and 27.7.7: the virtual APIC as of VM entry. */
function beginVirtualApic(context: VmxContext): ExitCause | undefined {
  const { virtualApic } = context;
  if (virtualApic.deliversInterrupts) {
    virtualApic.virtualizePpr();
    virtualApic.evaluate();
  } else if (context.primary(Primary.useTprShadow) && virtualApic.isBelowThreshold) {
    return { reason: ExitReason.TPR_BELOW_THRESHOLD };
  }
  return undefined;
}

const describe = ({
  rule,
  violation,
}: {
  rule: EntryRule;
  violation: Violation;
}): Omit<Report, 'outcome'> => ({
  check: rule.wording,
  section: rule.section,
  detail: `${rule.id}: expected ${violation.expected}, found ${violation.found}`,
});

function refuse(context: VmxContext, error: number, reason: Omit<Report, 'outcome'>): ColdOutcome {
  report(context, { outcome: { vmInstructionError: error }, ...reason });
  return vmFail(context, error);
}

function reportMsr(context: VmxContext, number: number): void {
  if (!context.hooks.onEntryFailure) return;
  const address = Number(context.vmcs.read(Field.vmEntryMsrLoadAddress)) + (number - 1) * 16;
  const index = context.physical.read32(address).toString(16);
  const value = context.physical.read64(address + 8).toString(16);
  report(context, {
    outcome: { exitReason: ExitReason.MSR_LOAD_FAIL },
    check: 'Every MSR of the VM-entry MSR-load area must be one that WRMSR could load with the value.',
    section: '27.4',
    detail: `entry ${number}: MSR 0x${index} cannot be loaded with 0x${value}`,
  });
}

function report(context: VmxContext, what: Report): void {
  const { state, position } = context.processor;
  context.hooks.onEntryFailure?.({ position, vmcs: state.currentVmcs, ...what });
}
