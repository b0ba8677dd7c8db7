/**
 * Interruption information: the common format of the VM-entry field, the VM-exit field and the IDT-vectoring field
 * (SDM 3C tables 25-17, 25-19 and 25-20).
 */
import type { Fault } from '../cpu/fault.js';
import { Vector } from '../cpu/fault.js';
import type { InjectedEvent } from '../cpu/seams.js';

export const InterruptionType = {
  EXTERNAL_INTERRUPT: 0,
  RESERVED: 1,
  NMI: 2,
  HARDWARE_EXCEPTION: 3,
  SOFTWARE_INTERRUPT: 4,
  PRIVILEGED_SOFTWARE_EXCEPTION: 5,
  SOFTWARE_EXCEPTION: 6,
  OTHER_EVENT: 7,
} as const;

export const interruptionTypeNames = [
  'external interrupt',
  'reserved',
  'NMI',
  'hardware exception',
  'software interrupt',
  'privileged software exception',
  'software exception',
  'other event',
] as const;

export const INTERRUPTION_VALID = 0x8000_0000;
export const INTERRUPTION_ERROR_CODE_VALID = 1 << 11;

/** The fields of a valid interruption-information value. */
export interface Interruption {
  readonly vector: number;
  readonly type: number;
  readonly hasErrorCode: boolean;
}

export const isValidInterruption = (information: number): boolean => (information & INTERRUPTION_VALID) !== 0;

export const decodeInterruption = (information: number): Interruption => ({
  vector: information & 0xff,
  type: (information >> 8) & 7,
  hasErrorCode: (information & INTERRUPTION_ERROR_CODE_VALID) !== 0,
});

/** The 32-bit value with the valid bit set, unsigned. */
export const encodeInterruption = (event: Pick<InjectedEvent, 'vector' | 'type' | 'errorCode'>): number =>
  (event.vector |
    (event.type << 8) |
    (event.errorCode === undefined ? 0 : INTERRUPTION_ERROR_CODE_VALID) |
    INTERRUPTION_VALID) >>>
  0;

/** Is the RIP pushed by this event's delivery behind the instruction? Then the instruction length matters. */
export const isSoftwareEvent = (type: number): boolean =>
  type === InterruptionType.SOFTWARE_INTERRUPT ||
  type === InterruptionType.PRIVILEGED_SOFTWARE_EXCEPTION ||
  type === InterruptionType.SOFTWARE_EXCEPTION;

const typeOfSource: Readonly<Record<Fault['source'], number>> = {
  exception: InterruptionType.HARDWARE_EXCEPTION,
  softwareInterrupt: InterruptionType.SOFTWARE_INTERRUPT,
  privilegedSoftwareException: InterruptionType.PRIVILEGED_SOFTWARE_EXCEPTION,
  softwareException: InterruptionType.SOFTWARE_EXCEPTION,
};

export const interruptionTypeOf = (fault: Fault): number => typeOfSource[fault.source];

/** Hardware exceptions that deliver an error code (SDM 3C 27.2.1.3). */
const WITH_ERROR_CODE: ReadonlySet<number> = new Set([
  Vector.DF,
  Vector.TS,
  Vector.NP,
  Vector.SS,
  Vector.GP,
  Vector.PF,
  Vector.AC,
]);
export const exceptionHasErrorCode = (vector: number): boolean => WITH_ERROR_CODE.has(vector);
