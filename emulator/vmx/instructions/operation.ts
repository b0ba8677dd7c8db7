/** VMXON, VMXOFF, VMCALL: SDM 3C 31.3. */
import { failed, isFailure, readOperand } from '../../cpu/cold/operands.js';
import { all } from '../../cpu/cold/semantics.js';
import { generalProtection, invalidOpcode } from '../../cpu/fault.js';
import { Cr4 } from '../../cpu/registerBits.js';
import type { ColdOutcome, ColdSemantics, Processor } from '../../cpu/seams.js';
import type { Instruction } from '../../isa/instruction.js';
import { CR0_FIXED0, CR4_FIXED0, VMCS_REGION_SIZE, VMCS_REVISION } from '../capabilities.js';
import type { VmxContext } from '../context.js';
import { VmxOperation } from '../context.js';
import { VmError } from '../instructionErrors.js';
import { isPhysicalAddress } from '../physicalMemory.js';
import { NO_VMCS } from '../vmcs.js';
import { vmFail, vmFailInvalid, vmSucceed } from '../vmStatus.js';
import { inSuitableMode, inVmxOperation, rootInstruction } from './checks.js';

/** IA32_FEATURE_CONTROL, SDM 3C 24.7: the lock bit, and VMX outside SMX operation. */
const FEATURE_CONTROL_VMX = 0b101n;

const enabledByCr4 = ({ state }: Processor) =>
  (state.cr4 & Cr4.VMXE) === 0n && state.vmxOperation === VmxOperation.OUTSIDE ? invalidOpcode() : undefined;

function vmxon(context: VmxContext, processor: Processor, instruction: Instruction): ColdOutcome {
  const { state } = processor;
  if (state.cpl > 0) return generalProtection();
  if (state.vmxOperation === VmxOperation.ROOT) return vmFail(context, VmError.VMXON_IN_ROOT);
  const fixed = (state.cr0 & CR0_FIXED0) === CR0_FIXED0 && (state.cr4 & CR4_FIXED0) === CR4_FIXED0;
  if (!fixed || (state.featureControl & FEATURE_CONTROL_VMX) !== FEATURE_CONTROL_VMX)
    return generalProtection();

  const pointer = readOperand(processor, instruction, 0);
  if (isFailure(pointer)) return failed(pointer);
  if (!isPhysicalAddress(pointer, VMCS_REGION_SIZE)) return vmFailInvalid(context);
  if (context.physical.read32(Number(pointer)) !== VMCS_REVISION) return vmFailInvalid(context);
  state.vmxonPointer = Number(pointer);
  state.currentVmcs = NO_VMCS;
  state.vmxOperation = VmxOperation.ROOT;
  return vmSucceed(context);
}

function vmxoff(context: VmxContext, processor: Processor): ColdOutcome {
  processor.state.vmxOperation = VmxOperation.OUTSIDE;
  processor.state.currentVmcs = NO_VMCS;
  processor.contextChanged();
  return vmSucceed(context);
}

/** VMXON and VMXOFF; VMCALL without a dual-monitor treatment of SMM. */
export const operationInstructions = (context: VmxContext): Readonly<Record<string, ColdSemantics>> => ({
  vmxon: {
    check: all(inSuitableMode, enabledByCr4),
    execute: (processor, instruction) => vmxon(context, processor, instruction),
  },
  vmxoff: rootInstruction((processor) => vmxoff(context, processor)),
  vmcall: {
    // In the guest VMCALL exits from any mode; only in root operation the mode matters.
    check: (processor, instruction) =>
      inVmxOperation(processor, instruction) ??
      (processor.state.vmxOperation === VmxOperation.ROOT
        ? inSuitableMode(processor, instruction)
        : undefined),
    execute: ({ state }) => (state.cpl > 0 ? generalProtection() : vmFail(context, VmError.VMCALL_IN_ROOT)),
  },
});
