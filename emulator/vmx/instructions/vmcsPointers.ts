/** VMCLEAR, VMPTRLD, VMPTRST: SDM 3C 31.3. */
import { failed, isFailure, readOperand, writeOperand } from '../../cpu/cold/operands.js';
import type { ColdOutcome, ColdSemantics, Processor } from '../../cpu/seams.js';
import type { Instruction } from '../../isa/instruction.js';
import { VMCS_REGION_SIZE } from '../capabilities.js';
import type { VmxContext } from '../context.js';
import { VmError } from '../instructionErrors.js';
import { isPhysicalAddress } from '../physicalMemory.js';
import { LaunchState, NO_VMCS, Vmcs } from '../vmcs.js';
import { vmFail, vmSucceed } from '../vmStatus.js';
import { rootInstruction } from './checks.js';

function vmclear(context: VmxContext, processor: Processor, instruction: Instruction): ColdOutcome {
  const operand = readOperand(processor, instruction, 0);
  if (isFailure(operand)) return failed(operand);
  const { state, memory } = processor;
  if (!isPhysicalAddress(operand, VMCS_REGION_SIZE)) return vmFail(context, VmError.VMCLEAR_INVALID_ADDRESS);
  const address = Number(operand);
  if (address === state.vmxonPointer) return vmFail(context, VmError.VMCLEAR_VMXON_POINTER);
  if (Vmcs.fits(memory, address)) new Vmcs(memory, address).launchState = LaunchState.CLEAR;
  const outcome = vmSucceed(context);
  if (address === state.currentVmcs) state.currentVmcs = NO_VMCS;
  return outcome;
}

function vmptrld(context: VmxContext, processor: Processor, instruction: Instruction): ColdOutcome {
  const operand = readOperand(processor, instruction, 0);
  if (isFailure(operand)) return failed(operand);
  const { state, memory } = processor;
  if (!isPhysicalAddress(operand, VMCS_REGION_SIZE)) return vmFail(context, VmError.VMPTRLD_INVALID_ADDRESS);
  const address = Number(operand);
  if (address === state.vmxonPointer) return vmFail(context, VmError.VMPTRLD_VMXON_POINTER);
  if (!Vmcs.isAt(memory, address)) {
    return vmFail(context, VmError.VMPTRLD_INCORRECT_REVISION);
  }
  state.currentVmcs = address;
  return vmSucceed(context);
}

function vmptrst(context: VmxContext, processor: Processor, instruction: Instruction): ColdOutcome {
  const pointer = context.hasCurrentVmcs ? BigInt(processor.state.currentVmcs) : 0xffff_ffff_ffff_ffffn;
  const failure = writeOperand(processor, instruction, 0, pointer);
  return failure === undefined ? vmSucceed(context) : failed(failure);
}

export const vmcsPointerInstructions = (context: VmxContext): Readonly<Record<string, ColdSemantics>> => ({
  vmclear: rootInstruction((processor, instruction) => vmclear(context, processor, instruction)),
  vmptrld: rootInstruction((processor, instruction) => vmptrld(context, processor, instruction)),
  vmptrst: rootInstruction((processor, instruction) => vmptrst(context, processor, instruction)),
});
