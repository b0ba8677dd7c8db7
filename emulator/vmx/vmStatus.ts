/** How VMX instructions report success and failure, SDM 3C 31.2. */
import { Rflags } from '../cpu/registerBits.js';
import type { ColdOutcome } from '../cpu/seams.js';
import { Cold } from '../cpu/seams.js';
import type { VmxContext } from './context.js';
import { Field } from './fields.js';

const ARITHMETIC_FLAGS = Rflags.CF | Rflags.PF | Rflags.AF | Rflags.ZF | Rflags.SF | Rflags.OF;

const setFlags = (context: VmxContext, flags: bigint): ColdOutcome => {
  context.rflags = (context.rflags & ~ARITHMETIC_FLAGS) | flags;
  return Cold.RETIRED;
};

/** All six arithmetic flags are 0. */
export const vmSucceed = (context: VmxContext): ColdOutcome => setFlags(context, 0n);

/** CF is 1: there is no current VMCS to hold an error number. */
export const vmFailInvalid = (context: VmxContext): ColdOutcome => setFlags(context, Rflags.CF);

/** VMfailValid with a VM-instruction error number, or VMfailInvalid without a current VMCS. */
export function vmFail(context: VmxContext, error: number): ColdOutcome {
  if (!context.hasCurrentVmcs) return vmFailInvalid(context);
  context.vmcs.write32(Field.vmInstructionError, error);
  return setFlags(context, Rflags.ZF);
}
