/** How the tables of cold instructions are written. */
import type { Instruction } from '../../isa/instruction.js';
import { generalProtection, invalidOpcode } from '../fault.js';
import { Cr4, isProtectedMode, Rflags } from '../registerBits.js';
import type { ColdOutcome, ColdSemantics, Processor } from '../seams.js';
import { Cold } from '../seams.js';
import type { Failure } from './operands.js';

export type ColdTable = Readonly<Record<string, ColdSemantics>>;

export type Check = (processor: Processor, instruction: Instruction) => Failure | undefined;
type Execute = (processor: Processor, instruction: Instruction) => ColdOutcome;

/** #GP(0) outside privilege level 0. */
export const atPrivilegeLevel0: Check = ({ state }) => (state.cpl === 0 ? undefined : generalProtection());

/** User-mode instruction prevention (SDM 3A 2.5, CR4.UMIP): #GP(0) outside privilege level 0. */
export const unlessPrevented: Check = ({ state }) =>
  (state.cr4 & Cr4.UMIP) !== 0n && state.cpl !== 0 ? generalProtection() : undefined;

/** The same in front of an instruction's own check. */
export const preventable = (semantics: ColdSemantics): ColdSemantics => ({
  ...semantics,
  check: semantics.check ? all(semantics.check, unlessPrevented) : unlessPrevented,
});

/** #UD in real-address and virtual-8086 mode: the instruction needs segmentation as protected mode has it. */
export const inProtectedMode: Check = ({ state }) =>
  isProtectedMode(state) && (state.rflagsSystem & Rflags.VM) === 0n ? undefined : invalidOpcode();

/** #UD: the processor does not offer the instruction (`cpuid.ts`). */
export const notOffered: ColdSemantics = {
  check: () => invalidOpcode(),
  execute: () => invalidOpcode(),
};

/** All checks in order; the first failure counts. */
export const all =
  (...checks: readonly Check[]): Check =>
  (processor, instruction) => {
    for (const check of checks) {
      const failure = check(processor, instruction);
      if (failure !== undefined) return failure;
    }
    return undefined;
  };

/** An instruction of privilege level 0. */
export const privileged = (execute: Execute): ColdSemantics => ({ check: atPrivilegeLevel0, execute });

/** RETIRED, or the outcome of a failure. */
export const retired = (failure: Failure | undefined): ColdOutcome => {
  if (failure === undefined) return Cold.RETIRED;
  return failure === 'exited' ? Cold.SWITCHED : failure;
};

/** RIP behind an instruction. */
export const nextRip = (instruction: Instruction): bigint => instruction.rip + BigInt(instruction.length);
