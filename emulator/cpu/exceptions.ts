/** Delivery of exceptions and interrupts through the IDT (SDM 3A chapter 6). */
import type { Failure } from './cold/operands.js';

import { deliverLongMode } from './deliveryLongMode.js';
import { deliverProtectedMode, deliverRealMode } from './deliveryLegacy.js';
import type { Fault } from './fault.js';
import { Vector } from './fault.js';
import { Activity, Interruptibility, isLongMode, isProtectedMode, Rflags } from './registerBits.js';
import { readRflags } from './flags.js';
import type { ColdOutcome, InjectedEvent, Processor, Unimplemented } from './seams.js';
import { Cold } from './seams.js';

/** Interruption types, SDM 3C table 25-17. */
export const EventType = {
  EXTERNAL: 0,
  NMI: 2,
  HARDWARE_EXCEPTION: 3,
  SOFTWARE_INTERRUPT: 4,
  PRIVILEGED_SOFTWARE_EXCEPTION: 5,
  SOFTWARE_EXCEPTION: 6,
} as const;

/** What the two delivery mechanisms are given. */
export interface Delivery {
  readonly event: InjectedEvent;
  /** INT n, INT3, INTO: the gate's DPL counts. */
  readonly software: boolean;
  /** The EXT bit of error codes of faults met meanwhile (SDM 3A 6.13). */
  readonly ext: number;
  readonly returnRip: bigint;
  /** The RFLAGS image to push. */
  readonly rflags: bigint;
}

/** undefined: delivered. */
export type DeliveryOutcome = Failure | Unimplemented | undefined;

const TYPE_OF_SOURCE = {
  exception: EventType.HARDWARE_EXCEPTION,
  softwareInterrupt: EventType.SOFTWARE_INTERRUPT,
  softwareException: EventType.SOFTWARE_EXCEPTION,
  privilegedSoftwareException: EventType.PRIVILEGED_SOFTWARE_EXCEPTION,
} as const;

/** Bits of DR6 that #DB sets: B0-B3, BD, BS, BT. */
const DR6_STATUS = 0xe00fn;

/**
 * The event that a fault becomes. CR2 and DR6 get their values now: not earlier, since a VM exit for the exception must
 * leave them alone (SDM 3C 28.1).
 */
export function eventOfFault(processor: Processor, fault: Fault, instructionLength: number): InjectedEvent {
  if (fault.vector === Vector.PF) processor.state.cr2 = fault.address;
  if (fault.vector === Vector.DB) processor.state.dr6 |= fault.address & DR6_STATUS;
  return {
    vector: fault.vector,
    type: TYPE_OF_SOURCE[fault.source],
    errorCode: fault.errorCode,
    instructionLength: fault.source === 'exception' ? 0 : instructionLength,
    address: fault.address,
  };
}

/**
 * Delivers an event; faults met on the way take its place or become #DF, and then a triple fault (SDM 3A 6.15). Answers
 * JUMPED, SWITCHED when a fault on the way made a VM exit, or why the processor cannot go on.
 */
export function deliverEvent(processor: Processor, first: InjectedEvent): ColdOutcome {
  const { virtualization } = processor;
  let event = first;
  for (;;) {
    virtualization.beginDelivery(event);
    const outcome = deliverOnce(processor, event);
    if (outcome === undefined) {
      virtualization.endDelivery();
      finishDelivery(processor, event);
      return Cold.JUMPED;
    }
    if (outcome === 'exited') return Cold.SWITCHED;
    if (outcome.kind === 'unimplemented') {
      virtualization.endDelivery();
      return outcome;
    }

    // The fault itself may exit, with the event under delivery as IDT-vectoring information (SDM 3C 28.2.4).
    if (virtualization.interceptException(outcome)) return Cold.SWITCHED;
    virtualization.endDelivery();
    const next = escalate(event, outcome);
    if (next === 'tripleFault') return tripleFault(processor, event, outcome);
    if (next === 'doubleFault') {
      if (virtualization.interceptException(doubleFault())) return Cold.SWITCHED;
      event = eventOfFault(processor, doubleFault(), 0);
    } else {
      event = eventOfFault(processor, outcome, 0);
    }
  }
}

const doubleFault = (): Fault => ({
  kind: 'fault',
  vector: Vector.DF,
  errorCode: 0,
  address: 0n,
  source: 'exception',
});

/** Classes of SDM 3A table 6-4. */
const CONTRIBUTORY: ReadonlySet<number> = new Set([
  Vector.DE,
  Vector.TS,
  Vector.NP,
  Vector.SS,
  Vector.GP,
  Vector.CP,
]);
const PAGE_FAULT_CLASS: ReadonlySet<number> = new Set([Vector.PF, Vector.VE]);

/** What becomes of a fault met while an event is delivered, SDM 3A table 6-5. */
export function escalate(event: InjectedEvent, fault: Fault): 'serial' | 'doubleFault' | 'tripleFault' {
  // Interrupts and software interrupts are benign whatever their vector.
  if (event.type !== EventType.HARDWARE_EXCEPTION) return 'serial';
  const secondContributory = CONTRIBUTORY.has(fault.vector);
  const secondPageFault = PAGE_FAULT_CLASS.has(fault.vector);
  if (event.vector === Vector.DF) return secondContributory || secondPageFault ? 'tripleFault' : 'serial';
  if (CONTRIBUTORY.has(event.vector)) return secondContributory ? 'doubleFault' : 'serial';
  if (PAGE_FAULT_CLASS.has(event.vector))
    return secondContributory || secondPageFault ? 'doubleFault' : 'serial';
  return 'serial';
}

function tripleFault(processor: Processor, event: InjectedEvent, fault: Fault): ColdOutcome {
  if (processor.virtualization.interceptTripleFault()) return Cold.SWITCHED;
  processor.state.activity = Activity.SHUTDOWN;
  const code = fault.errorCode === undefined ? '' : ` with error code 0x${fault.errorCode.toString(16)}`;
  const address = fault.vector === Vector.PF ? ` at 0x${fault.address.toString(16)}` : '';
  return {
    kind: 'fatal',
    reason: 'tripleFault',
    detail:
      `vector ${fault.vector}${code}${address} while the double fault was delivered, ` +
      `RIP 0x${processor.state.rip.toString(16)}, event vector ${event.vector}`,
  };
}

function deliverOnce(processor: Processor, event: InjectedEvent): DeliveryOutcome {
  const { state } = processor;
  const software = event.type === EventType.SOFTWARE_INTERRUPT || event.type === EventType.SOFTWARE_EXCEPTION;
  const behind = software || event.type === EventType.PRIVILEGED_SOFTWARE_EXCEPTION;
  const delivery: Delivery = {
    event,
    software,
    ext: software ? 0 : 1,
    returnRip: behind ? state.rip + BigInt(event.instructionLength) : state.rip,
    rflags: readRflags(processor.state) | (setsResumeFlag(event) ? Rflags.RF : 0n),
  };
  if (isLongMode(state)) return deliverLongMode(processor, delivery);
  return isProtectedMode(state)
    ? deliverProtectedMode(processor, delivery)
    : deliverRealMode(processor, delivery);
}

/** Fault-class exceptions push RF = 1 (SDM 3B 18.3.1.1); #DB and #DF are not among them. */
const setsResumeFlag = (event: InjectedEvent): boolean =>
  event.type === EventType.HARDWARE_EXCEPTION && event.vector !== Vector.DB && event.vector !== Vector.DF;

function finishDelivery(processor: Processor, event: InjectedEvent): void {
  const { state } = processor;
  state.activity = Activity.ACTIVE;
  state.interruptibility &= ~(Interruptibility.STI | Interruptibility.MOV_SS);
  // SDM 3A 6.7.1: further NMIs wait for IRET.
  if (event.type === EventType.NMI) state.interruptibility |= Interruptibility.NMI;
}
