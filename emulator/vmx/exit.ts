/** VM exits, SDM 3C chapter 28. */
import { Rflags } from '../cpu/registerBits.js';
import type { ExitInformation, WorldSwitch } from '../machine/worldSwitch.js';
import { NO_APIC_WRITE } from './apic/apicWrite.js';
import { VirtualInterrupt } from './apic/virtualApic.js';
import type { VmxContext } from './context.js';
import { Secondary } from './controls.js';
import { EXIT_REASON_ENTRY_FAILURE } from './exitReasons.js';
import { Field } from './fields.js';
import { leaveGuestTsc, saveGuestState } from './guestState.js';
import { loadHostState } from './hostState.js';
import { encodeInterruption, INTERRUPTION_VALID, isSoftwareEvent } from './interruption.js';
import { loadMsrs, storeMsrs } from './msrLists.js';
import { stopPreemptionTimer } from './preemptionTimer.js';
import { worldSwitchEvent } from './worldSwitchEvent.js';

/** Why a VM exit happens, and what its exit-information fields will say; what is absent is 0. */
export interface ExitCause {
  readonly reason: number;
  readonly qualification?: bigint;
  readonly instructionLength?: number;
  readonly instructionInformation?: number;
  readonly interruptionInformation?: number;
  readonly interruptionErrorCode?: number;
  readonly guestLinearAddress?: bigint;
  readonly guestPhysicalAddress?: number;
  /** RFLAGS.RF as saved (SDM 3C 28.3.3): as it is, or set for faults and EPT violations. */
  readonly setsResumeFlag?: boolean;
  /** Pending debug exceptions to save: the exit came before a debug trap. Absent: only what blocking holds back. */
  readonly pendingDebugExceptions?: bigint;
  /** The exit is for an NMI: NMIs are blocked in the host. */
  readonly isNmi?: boolean;
  /** The exit cannot be a part of the event delivery under way: a double fault or triple fault caused it. */
  readonly endsDelivery?: boolean;
}

/** VMX-abort indicator values, SDM 3C 28.7. */
const VmxAbort = { SAVING_GUEST_MSRS: 1, LOADING_HOST_PDPTES: 2, LOADING_HOST_MSRS: 4 } as const;
const abortText: Readonly<Record<number, string>> = {
  [VmxAbort.SAVING_GUEST_MSRS]: 'a guest MSR could not be saved (SDM 3C 28.4)',
  [VmxAbort.LOADING_HOST_PDPTES]: "the host's PDPTEs are invalid (SDM 3C 28.5.4)",
  [VmxAbort.LOADING_HOST_MSRS]: 'a host MSR could not be loaded (SDM 3C 28.6)',
};

/** Makes a VM exit: afterwards RIP is the host's. */
export function vmExit(context: VmxContext, cause: ExitCause): void {
  recordExit(context, cause);
  const delivery = cause.endsDelivery ? undefined : context.delivery;
  const rflags = cause.setsResumeFlag && !delivery ? context.rflags | Rflags.RF : context.rflags;
  saveGuestState(context, rflags, cause.pendingDebugExceptions);
  stopPreemptionTimer(context);
  // An MSR-store area gets the TSC of the processor, not the guest's.
  leaveGuestTsc(context);
  const event = context.hooks.onWorldSwitch ? exitEvent(context) : undefined;

  const { vmcs } = context;
  const stored = storeMsrs(
    context,
    vmcs.read(Field.vmExitMsrStoreAddress),
    vmcs.read32(Field.vmExitMsrStoreCount),
  );
  if (!stored) {
    abort(context, VmxAbort.SAVING_GUEST_MSRS);
    return;
  }
  finishExit(context, cause.isNmi ?? false, event);
}

/**
 * A VM entry that failed while guest state was checked or loaded (SDM 3C 27.8): only reason and qualification are
 * recorded, no guest state is saved.
 */
export function failEntry(context: VmxContext, reason: number, qualification: bigint): void {
  const { vmcs } = context;
  vmcs.write32(Field.exitReason, (reason | EXIT_REASON_ENTRY_FAILURE) >>> 0);
  vmcs.write(Field.exitQualification, qualification);
  const event = context.hooks.onWorldSwitch ? exitEvent(context) : undefined;
  context.processor.state.preemptionDeadline = 0n;
  leaveGuestTsc(context);
  finishExit(context, false, event);
}

/** Exit-information fields and the VM-entry controls that an exit updates, SDM 3C 28.2. */
function recordExit(context: VmxContext, cause: ExitCause): void {
  const { vmcs } = context;
  const delivery = cause.endsDelivery ? undefined : context.delivery;
  // During the delivery of a software event the length is that event's instruction (SDM 3C 28.2.5).
  const length =
    delivery && isSoftwareEvent(delivery.type) ? delivery.instructionLength : (cause.instructionLength ?? 0);
  vmcs.write32(Field.exitReason, cause.reason);
  vmcs.write(Field.exitQualification, cause.qualification ?? 0n);
  vmcs.write32(Field.vmExitInstructionLength, length);
  vmcs.write32(Field.vmExitInstructionInformation, cause.instructionInformation ?? 0);
  vmcs.write32(Field.vmExitInterruptionInformation, cause.interruptionInformation ?? 0);
  vmcs.write32(Field.vmExitInterruptionErrorCode, cause.interruptionErrorCode ?? 0);
  vmcs.write32(Field.idtVectoringInformation, delivery ? encodeInterruption(delivery) : 0);
  vmcs.write32(Field.idtVectoringErrorCode, delivery?.errorCode ?? 0);
  vmcs.write(Field.guestLinearAddress, cause.guestLinearAddress ?? 0n);
  vmcs.write(Field.guestPhysicalAddress, BigInt(cause.guestPhysicalAddress ?? 0));
  const injection = vmcs.read32(Field.vmEntryInterruptionInformation);
  vmcs.write32(Field.vmEntryInterruptionInformation, injection & ~INTERRUPTION_VALID);
}

/** The event for observers: the guest is still in the processor state. */
function exitEvent(context: VmxContext): WorldSwitch {
  const { vmcs } = context;
  const reason = vmcs.read32(Field.exitReason);
  const information: ExitInformation = {
    reason: reason & 0xffff,
    entryFailure: (reason & EXIT_REASON_ENTRY_FAILURE) !== 0,
    qualification: vmcs.read(Field.exitQualification),
    instructionLength: vmcs.read32(Field.vmExitInstructionLength),
    instructionInformation: vmcs.read32(Field.vmExitInstructionInformation),
    interruptionInformation: vmcs.read32(Field.vmExitInterruptionInformation),
    interruptionErrorCode: vmcs.read32(Field.vmExitInterruptionErrorCode),
    guestLinearAddress: vmcs.read(Field.guestLinearAddress),
    guestPhysicalAddress: vmcs.read(Field.guestPhysicalAddress),
  };
  return worldSwitchEvent(context, information);
}

/** The second half: host state, host MSRs, and the processor goes on in the host. */
function finishExit(context: VmxContext, isNmi: boolean, event: WorldSwitch | undefined): void {
  const { processor, vmcs } = context;
  const flushes = !context.secondary(Secondary.enableVpid);
  context.delivery = undefined;
  context.apicWrite = NO_APIC_WRITE;
  context.processor.state.virtualInterrupt = VirtualInterrupt.NONE;
  if (!loadHostState(context, isNmi)) {
    abort(context, VmxAbort.LOADING_HOST_PDPTES);
    return;
  }
  const failed = loadMsrs(
    context,
    vmcs.read(Field.vmExitMsrLoadAddress),
    vmcs.read32(Field.vmExitMsrLoadCount),
  );
  if (failed !== 0) {
    abort(context, VmxAbort.LOADING_HOST_MSRS);
    return;
  }
  context.leaveGuestContext();
  processor.contextChanged();
  // SDM 3C 29.4.3.1: without VPIDs, host and guest share VPID 0000H, and exits invalidate its mappings.
  if (flushes) processor.flushTlb();
  if (event) context.hooks.onWorldSwitch?.(event);
}

/** SDM 3C 28.7: the indicator is written to the VMCS and the processor shuts down. */
function abort(context: VmxContext, indicator: number): void {
  context.vmcs.abortIndicator = indicator;
  context.aborted = {
    kind: 'fatal',
    reason: 'vmxAbort',
    detail: `VMX abort ${indicator}: ${abortText[indicator]}`,
  };
}
