/** VM exits for exceptions, interrupts and task switches: SDM 3C 26.2. */
import type { Fault } from '../../cpu/fault.js';
import { Vector } from '../../cpu/fault.js';
import { Activity, Interruptibility, Rflags } from '../../cpu/registerBits.js';
import type { PendingEvent } from '../../cpu/seams.js';
import { processPostedInterrupts } from '../apic/postedInterrupts.js';
import type { VmxContext } from '../context.js';
import { Exit, Pin, Primary } from '../controls.js';
import type { ExitCause } from '../exit.js';
import { ExitReason } from '../exitReasons.js';
import { Field } from '../fields.js';
import { preemptionDeadline } from '../preemptionTimer.js';
import { encodeInterruption, InterruptionType, interruptionTypeOf } from '../interruption.js';

/** B3:B0, BD and BS in the qualification of a debug exception (SDM 3C table 28-1). */
const DEBUG_QUALIFICATION = 0x600fn;

/** The exit for an exception about to be delivered, or undefined when the exception bitmap does not ask for it. */
export function exceptionExit(context: VmxContext, fault: Fault): ExitCause | undefined {
  if (!exceptionExits(context, fault)) return undefined;
  const type = interruptionTypeOf(fault);
  const isHardware = type === InterruptionType.HARDWARE_EXCEPTION;
  return {
    reason: ExitReason.EXCEPTION_NMI,
    qualification: qualificationOf(fault),
    interruptionInformation: encodeInterruption({ vector: fault.vector, type, errorCode: fault.errorCode }),
    interruptionErrorCode: fault.errorCode ?? 0,
    // INT1, INT3 and INTO: RIP is at the instruction, and the host needs to know how long it is.
    instructionLength: isHardware ? 0 : (context.processor.engine.instruction?.length ?? 0),
    // SDM 3C 28.3.3: RF is what the pushed RFLAGS image would have.
    setsResumeFlag: isHardware && fault.vector !== Vector.DB && fault.vector !== Vector.DF,
    endsDelivery: fault.vector === Vector.DF,
  };
}

function exceptionExits({ vmcs }: VmxContext, fault: Fault): boolean {
  // INT n is no exception, whatever its vector.
  if (fault.source === 'softwareInterrupt' || fault.vector > 31) return false;
  const bit = (vmcs.read32(Field.exceptionBitmap) >>> fault.vector) & 1;
  if (fault.vector !== Vector.PF) return bit !== 0;
  // SDM 3C 26.2: for #PF the bit is inverted when the error code does not match.
  const masked = (fault.errorCode ?? 0) & vmcs.read32(Field.pageFaultErrorCodeMask);
  const matches = masked >>> 0 === vmcs.read32(Field.pageFaultErrorCodeMatch);
  return matches === (bit !== 0);
}

function qualificationOf(fault: Fault): bigint {
  if (fault.vector === Vector.PF) return fault.address;
  return fault.vector === Vector.DB ? fault.address & DEBUG_QUALIFICATION : 0n;
}

/**
 * The exit of the monitor trap flag after an instruction or an event (SDM 3C 26.5.2). It comes before a debug trap,
 * which is saved as a pending debug exception.
 */
export const monitorTrapExit = (debugTrap: bigint): ExitCause => ({
  reason: ExitReason.MONITOR_TRAP_FLAG,
  pendingDebugExceptions: debugTrap,
});

/** The exit for a triple fault: unconditional. */
export const tripleFaultExit = (): ExitCause => ({ reason: ExitReason.TRIPLE_FAULT, endsDelivery: true });

/**
 * The exit for what is pending at an instruction boundary; undefined when it causes none (now), 'handled' when it was
 * taken without one.
 */
export function pendingEventExit(
  context: VmxContext,
  event: PendingEvent,
): ExitCause | 'handled' | undefined {
  return pendingEventExits[event.kind](context);
}

const isBlocked = ({ processor: { state } }: VmxContext, blocking: number): boolean =>
  (state.interruptibility & blocking) !== 0;

/** Is the processor in this activity state or one that sleeps less: the event wakes it (SDM 3C 26.2)? */
const isAwake = ({ processor: { state } }: VmxContext, deepest: number): boolean => state.activity <= deepest;

const pendingEventExits: Readonly<
  Record<PendingEvent['kind'], (context: VmxContext) => ExitCause | 'handled' | undefined>
> = {
  preemptionTimer: (context) => {
    const { clock, state } = context.processor;
    const expired = preemptionDeadline(context) <= clock.now && state.activity !== Activity.WAIT_FOR_SIPI;
    return expired ? { reason: ExitReason.PREEMPTION_TIMER } : undefined;
  },
  // RFLAGS.IF does not count with external-interrupt exiting (SDM 3C 26.2).
  externalInterrupt: (context) => {
    if (!context.pin(Pin.externalInterruptExiting) || !isAwake(context, Activity.HLT)) return undefined;
    if (isBlocked(context, Interruptibility.STI | Interruptibility.MOV_SS)) return undefined;
    if (!context.exit(Exit.acknowledgeInterruptOnExit)) return { reason: ExitReason.EXTERNAL_INTERRUPT };
    const vector = context.processor.apic.acknowledge();
    const posted =
      context.pin(Pin.processPostedInterrupts) &&
      processPostedInterrupts(context, context.virtualApic, vector);
    if (posted) return 'handled';
    const type = InterruptionType.EXTERNAL_INTERRUPT;
    return {
      reason: ExitReason.EXTERNAL_INTERRUPT,
      interruptionInformation: encodeInterruption({ vector, type, errorCode: undefined }),
    };
  },
  nmi: (context) => {
    if (!context.pin(Pin.nmiExiting) || !isAwake(context, Activity.SHUTDOWN)) return undefined;
    // With virtual NMIs the blocking bit is about virtual NMIs only.
    const blocking = context.pin(Pin.virtualNmis) ? 0 : Interruptibility.NMI;
    if (isBlocked(context, blocking | Interruptibility.MOV_SS)) return undefined;
    context.processor.apic.nmiPending = false;
    return {
      reason: ExitReason.EXCEPTION_NMI,
      interruptionInformation: encodeInterruption({
        vector: Vector.NMI,
        type: InterruptionType.NMI,
        errorCode: undefined,
      }),
      isNmi: true,
    };
  },
  init: (context) => {
    context.processor.apic.initPending = false;
    return { reason: ExitReason.INIT_SIGNAL };
  },
  // The vector of the message is the qualification (SDM 3C 28.2.1).
  startup: (context) => {
    const { apic } = context.processor;
    const vector = apic.startupVector;
    apic.startupVector = -1;
    return { reason: ExitReason.SIPI, qualification: BigInt(vector) };
  },
  interruptWindow: (context) => {
    const { state } = context.processor;
    const open =
      context.primary(Primary.interruptWindowExiting) &&
      (state.rflagsSystem & Rflags.IF) !== 0n &&
      isAwake(context, Activity.HLT) &&
      !isBlocked(context, Interruptibility.STI | Interruptibility.MOV_SS);
    return open ? { reason: ExitReason.INTERRUPT_WINDOW } : undefined;
  },
  nmiWindow: (context) => {
    const open =
      context.primary(Primary.nmiWindowExiting) &&
      isAwake(context, Activity.SHUTDOWN) &&
      !isBlocked(context, Interruptibility.NMI | Interruptibility.MOV_SS | Interruptibility.STI);
    return open ? { reason: ExitReason.NMI_WINDOW } : undefined;
  },
};

/** Sources of a task switch, bits 31:30 of the qualification (SDM 3C table 28-2). */
export const TaskSwitchSource = { CALL: 0, IRET: 1, JMP: 2, TASK_GATE: 3 } as const;

/** Task switches always exit (SDM 3C 26.2). */
export const taskSwitchExit = (selector: number, source: number, instructionLength: number): ExitCause => ({
  reason: ExitReason.TASK_SWITCH,
  qualification: BigInt((selector | (source << 30)) >>> 0),
  instructionLength,
});
