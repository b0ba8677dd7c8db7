/** Faults are values: an instruction returns one, nothing is thrown. */

/** Exception vectors, SDM 3A table 6-1. */
export const Vector = {
  DE: 0,
  DB: 1,
  NMI: 2,
  BP: 3,
  OF: 4,
  BR: 5,
  UD: 6,
  NM: 7,
  DF: 8,
  TS: 10,
  NP: 11,
  SS: 12,
  GP: 13,
  PF: 14,
  MF: 16,
  AC: 17,
  MC: 18,
  XM: 19,
  VE: 20,
  CP: 21,
} as const;

/** An exception that an instruction raises before it changes any architectural state (or, for a trap, after). */
export interface Fault {
  readonly kind: 'fault';
  readonly vector: number;
  /** Error code pushed by delivery, undefined for vectors that push none. */
  readonly errorCode: number | undefined;
  /** #PF: the linear address for CR2 (and the exit qualification). #DB: the bits for DR6. Otherwise 0n. */
  readonly address: bigint;
  /** INT n, INT3, INTO, INT1 are delivered with RIP behind the instruction and other privilege rules. */
  readonly source: 'exception' | 'softwareInterrupt' | 'softwareException' | 'privilegedSoftwareException';
}

const make =
  (vector: number, hasErrorCode: boolean) =>
  (errorCode = 0): Fault => ({
    kind: 'fault',
    vector,
    errorCode: hasErrorCode ? errorCode : undefined,
    address: 0n,
    source: 'exception',
  });

export const divideError = make(Vector.DE, false);
export const boundRange = make(Vector.BR, false);
export const invalidOpcode = make(Vector.UD, false);
export const deviceNotAvailable = make(Vector.NM, false);
export const invalidTss = make(Vector.TS, true);
export const segmentNotPresent = make(Vector.NP, true);
export const stackFault = make(Vector.SS, true);
export const virtualizationException = make(Vector.VE, false);
export const generalProtection = make(Vector.GP, true);

/** Error code bits of #PF, SDM 3A 4.7. */
export const PageFaultError = { P: 1, WR: 2, US: 4, RSVD: 8, ID: 16, PK: 32 } as const;

export const pageFault = (address: bigint, errorCode: number): Fault => ({
  kind: 'fault',
  vector: Vector.PF,
  errorCode,
  address,
  source: 'exception',
});
