/** Conditions that the VMX instructions have in common (SDM 3C 31.3, the pseudocode of each instruction). */
import { all } from '../../cpu/cold/semantics.js';
import type { Check } from '../../cpu/cold/semantics.js';
import { generalProtection, invalidOpcode } from '../../cpu/fault.js';
import { is64BitMode, isLongMode, isProtectedMode, Rflags } from '../../cpu/registerBits.js';
import type { ColdOutcome, ColdSemantics, Processor } from '../../cpu/seams.js';
import type { Instruction } from '../../isa/instruction.js';
import { VmxOperation } from '../context.js';

/** #UD in real-address mode, virtual-8086 mode and compatibility mode. */
export const inSuitableMode: Check = ({ state }) => {
  const compatibility = isLongMode(state) && !is64BitMode(state);
  const suitable = isProtectedMode(state) && (state.rflagsSystem & Rflags.VM) === 0n && !compatibility;
  return suitable ? undefined : invalidOpcode();
};

/** #UD outside VMX operation. */
export const inVmxOperation: Check = ({ state }) =>
  state.vmxOperation === VmxOperation.OUTSIDE ? invalidOpcode() : undefined;

/**
 * An instruction for VMX root operation. In the guest it exits before its privilege is checked; so that check is made
 * when it executes.
 */
export const rootInstruction = (
  execute: (processor: Processor, instruction: Instruction) => ColdOutcome,
): ColdSemantics => ({
  check: all(inVmxOperation, inSuitableMode),
  execute: (processor, instruction) =>
    processor.state.cpl > 0 ? generalProtection() : execute(processor, instruction),
});
