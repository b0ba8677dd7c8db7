/** Events that VM entry injects or makes pending: SDM 3C 27.6 and 27.7.3. */
import { Vector } from '../cpu/fault.js';
import { DR6_RESET, Interruptibility } from '../cpu/registerBits.js';
import type { InjectedEvent } from '../cpu/seams.js';
import type { VmxContext } from './context.js';
import type { ExitCause } from './exit.js';
import { ExitReason } from './exitReasons.js';
import { Field } from './fields.js';
import { monitorTrapExit } from './intercepts/events.js';
import {
  decodeInterruption,
  encodeInterruption,
  InterruptionType,
  isSoftwareEvent,
  isValidInterruption,
} from './interruption.js';

/** Values of `injectionPending` in the processor state. */
const Pending = { NOTHING: 0, INJECTED_EVENT: 1, DEBUG_EXCEPTION: 2 } as const;

/** B0 - B3 and BS of the pending debug exceptions, as #DB puts them into DR6. */
const DEBUG_CONDITIONS = 0x400fn;

/**
 * What VM entry leaves to happen before the first guest instruction: an injected event, else a pending debug exception.
 * @returns the exit to make at once: an injected monitor-trap-flag exit (SDM 3C 27.6.2), or a debug exception that the
 * exception bitmap has
 */
export function eventBeforeFirstInstruction(context: VmxContext, information: number): ExitCause | undefined {
  const { state } = context.processor;
  state.injectionPending = Pending.NOTHING;
  if (!isValidInterruption(information)) return pendingDebugException(context);
  if (decodeInterruption(information).type === InterruptionType.OTHER_EVENT) {
    return monitorTrapExit(context.vmcs.read(Field.guestPendingDebugExceptions));
  }
  state.injectionPending = Pending.INJECTED_EVENT;
  return undefined;
}

/**
 * A debug exception pending at VM entry is delivered before the first guest instruction, unless an event is injected
 * or MOV SS blocks it (SDM 3C 27.7.3).
 * @returns the exit to make instead when the exception bitmap has #DB
 */
function pendingDebugException(context: VmxContext): ExitCause | undefined {
  const { state } = context.processor;
  const { vmcs } = context;
  const conditions = vmcs.read(Field.guestPendingDebugExceptions) & DEBUG_CONDITIONS;
  const held = (state.interruptibility & Interruptibility.MOV_SS) !== 0;
  if (conditions === 0n || held) return undefined;
  if ((vmcs.read32(Field.exceptionBitmap) & (1 << Vector.DB)) === 0) {
    state.injectionPending = Pending.DEBUG_EXCEPTION;
    return undefined;
  }
  return {
    reason: ExitReason.EXCEPTION_NMI,
    qualification: conditions,
    interruptionInformation: encodeInterruption({
      vector: Vector.DB,
      type: InterruptionType.HARDWARE_EXCEPTION,
      errorCode: undefined,
    }),
  };
}

/** The event to deliver before the first guest instruction; asking for it takes it. */
export function takeInjectedEvent(context: VmxContext): InjectedEvent | undefined {
  const { state } = context.processor;
  const pending = state.injectionPending;
  if (pending === Pending.NOTHING) return undefined;
  state.injectionPending = Pending.NOTHING;
  const { vmcs } = context;
  if (pending === Pending.DEBUG_EXCEPTION) {
    const conditions = vmcs.read(Field.guestPendingDebugExceptions) & DEBUG_CONDITIONS;
    state.dr6 = (state.dr6 & ~0xfn) | DR6_RESET | conditions;
    return {
      vector: Vector.DB,
      type: InterruptionType.HARDWARE_EXCEPTION,
      errorCode: undefined,
      instructionLength: 0,
      address: state.dr6,
    };
  }
  const { vector, type, hasErrorCode } = decodeInterruption(
    vmcs.read32(Field.vmEntryInterruptionInformation),
  );
  return {
    vector,
    type,
    errorCode: hasErrorCode ? vmcs.read32(Field.vmEntryExceptionErrorCode) : undefined,
    instructionLength: isSoftwareEvent(type) ? vmcs.read32(Field.vmEntryInstructionLength) : 0,
    // Injection changes neither CR2 nor DR6 (SDM 3C 27.6.1.1).
    address: vector === Vector.PF ? state.cr2 : vector === Vector.DB ? state.dr6 : 0n,
  };
}
