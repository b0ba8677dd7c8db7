/** World switches: the one seam at which everything about hypercalls is observed. */

/** One VM exit or VM entry (later: a trap gate of a paravirtual kernel). */
export interface WorldSwitch {
  readonly direction: 'exit' | 'entry';
  /** Retired instructions since reset. */
  readonly position: number;
  /** Virtual nanoseconds since reset. */
  readonly virtualNs: number;
  /** Physical address of the VMCS: identifies the guest's virtual processor. */
  readonly vmcs: number;
  /** The guest's general registers in encoding order, RSP included: at an exit as it left, at an entry as it goes on. */
  readonly registers: BigUint64Array;
  /** The guest's RIP: at an exit the instruction that caused it. */
  readonly rip: bigint;
  readonly rflags: bigint;
  readonly cpl: number;
  readonly cr3: bigint;
  /** Guest in 64-bit mode (EFER.LMA and CS.L), in 32-bit code, or in 16-bit code. */
  readonly codeBits: 16 | 32 | 64;
  /** CS base: linear address of the instruction is this + rip. */
  readonly csBase: bigint;
  /** Basic exit reason (SDM 3D appendix C); undefined at an entry. */
  readonly exit: ExitInformation | undefined;
}

/** The exit information fields of the VMCS (SDM 3C 25.9). */
export interface ExitInformation {
  /** Basic exit reason, bits 15:0. */
  readonly reason: number;
  /** Bit 31: the entry failed while or before loading guest state. */
  readonly entryFailure: boolean;
  readonly qualification: bigint;
  readonly instructionLength: number;
  readonly instructionInformation: number;
  readonly interruptionInformation: number;
  readonly interruptionErrorCode: number;
  readonly guestLinearAddress: bigint;
  readonly guestPhysicalAddress: bigint;
}

/** A field that VMREAD read or VMWRITE wrote. */
export interface VmcsAccess {
  readonly position: number;
  /** RIP of the instruction. */
  readonly rip: bigint;
  readonly access: 'read' | 'write';
  /** Physical address of the VMCS: the current one, for a guest with VMCS shadowing its shadow VMCS. */
  readonly vmcs: number;
  /** Encoding of the field; bit 0 is set for the high half of a 64-bit field. */
  readonly encoding: number;
  readonly value: bigint;
}

/** A VM entry that a check refused, named (SDM 3C 27.1 - 27.3). */
export interface EntryFailure {
  readonly position: number;
  readonly vmcs: number;
  /** VMfailValid with this VM-instruction error number, or an exit with reason 33, 34 or 41. */
  readonly outcome: { readonly vmInstructionError: number } | { readonly exitReason: number };
  /** The check in the manual's words, its section, and what was expected and found. */
  readonly check: string;
  readonly section: string;
  readonly detail: string;
}
