/** VMFUNC: SDM 3C 26.5.6. The only VM function is EPTP switching. */
import { invalidOpcode } from '../../cpu/fault.js';
import type { ColdSemantics, Processor } from '../../cpu/seams.js';
import { Cold } from '../../cpu/seams.js';
import type { Instruction } from '../../isa/instruction.js';
import type { VmxContext } from '../context.js';
import { Secondary } from '../controls.js';
import { eptPointerViolation } from '../entry/controlChecks.js';
import { vmExit } from '../exit.js';
import { ExitReason } from '../exitReasons.js';
import { Field } from '../fields.js';

/** VM functions by number, and the bits of the VM-function controls: SDM 3C table 25-10. */
export const VmFunction = { EPTP_SWITCHING: 0 } as const;

const EPTP_LIST_ENTRIES = 512;

const lowHalf = (register: bigint): number => Number(register & 0xffff_ffffn);

function isEnabled({ vmcs }: VmxContext, number: number): boolean {
  return number < 64 && ((vmcs.read(Field.vmFunctionControls) >> BigInt(number)) & 1n) !== 0n;
}

/** Loads the EPT pointer from the list; false where that is a VM exit (SDM 3C 26.5.6.3). */
function switchEptPointer(context: VmxContext): boolean {
  const { processor, vmcs, physical } = context;
  const index = lowHalf(processor.state.rcx);
  if (index >= EPTP_LIST_ENTRIES) return false;
  const pointer = physical.read64(Number(vmcs.read(Field.eptpListAddress)) + index * 8);
  if (eptPointerViolation(pointer)) return false;
  vmcs.write(Field.eptPointer, pointer);
  if (context.secondary(Secondary.eptViolationVe)) vmcs.write32(Field.eptpIndex, index);
  context.leaveGuestContext();
  processor.contextChanged();
  return true;
}

function vmfunc(context: VmxContext, instruction: Instruction): typeof Cold.RETIRED | typeof Cold.SWITCHED {
  const number = lowHalf(context.processor.state.rax);
  if (isEnabled(context, number) && number === VmFunction.EPTP_SWITCHING && switchEptPointer(context)) {
    return Cold.RETIRED;
  }
  vmExit(context, { reason: ExitReason.VMFUNC, instructionLength: instruction.length });
  return Cold.SWITCHED;
}

export const vmFunctionInstructions = (context: VmxContext): Readonly<Record<string, ColdSemantics>> => ({
  vmfunc: {
    check: () =>
      context.inGuest && context.secondary(Secondary.enableVmFunctions) ? undefined : invalidOpcode(),
    execute: (_: Processor, instruction) => vmfunc(context, instruction),
  },
});
