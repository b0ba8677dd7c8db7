/** INVEPT and INVVPID: SDM 3C 31.3 and 29.4.3. */
import { effectiveAddress, failed, isFailure, readMemory, readOperand } from '../../cpu/cold/operands.js';
import type { Failure } from '../../cpu/cold/operands.js';
import { isCanonical } from '../../cpu/registerBits.js';
import type { ColdOutcome, ColdSemantics, Processor } from '../../cpu/seams.js';
import type { Instruction } from '../../isa/instruction.js';
import type { VmxContext } from '../context.js';
import { eptPointerViolation } from '../entry/controlChecks.js';
import { VmError } from '../instructionErrors.js';
import { vmFail, vmSucceed } from '../vmStatus.js';
import { rootInstruction } from './checks.js';

const InveptType = { SINGLE_CONTEXT: 1n, ALL_CONTEXT: 2n } as const;
const InvvpidType = {
  INDIVIDUAL_ADDRESS: 0n,
  SINGLE_CONTEXT: 1n,
  ALL_CONTEXT: 2n,
  SINGLE_CONTEXT_RETAINING_GLOBALS: 3n,
} as const;

/** The two 64-bit halves of the 128-bit descriptor in memory. */
function readDescriptor(
  processor: Processor,
  instruction: Instruction,
): readonly [low: bigint, high: bigint] | Failure {
  const operand = instruction.operands[1];
  if (operand.kind !== 'memory') throw new TypeError('INVEPT and INVVPID have a memory operand');
  const offset = effectiveAddress(processor.state, operand, instruction.addressSize);
  const low = readMemory(processor, operand.segment, offset, 8);
  if (isFailure(low)) return low;
  const second = BigInt.asUintN(instruction.addressSize * 8, offset + 8n);
  const high = readMemory(processor, operand.segment, second, 8);
  return isFailure(high) ? high : [low, high];
}

function invept(context: VmxContext, processor: Processor, instruction: Instruction): ColdOutcome {
  const type = readOperand(processor, instruction, 0);
  if (isFailure(type)) return failed(type);
  if (type !== InveptType.SINGLE_CONTEXT && type !== InveptType.ALL_CONTEXT) return invalidOperand(context);
  const descriptor = readDescriptor(processor, instruction);
  if (isFailure(descriptor)) return failed(descriptor);
  const [eptPointer, reserved] = descriptor;
  if (reserved !== 0n) return invalidOperand(context);
  if (type === InveptType.ALL_CONTEXT) {
    context.translations.invalidate(() => true);
    return vmSucceed(context);
  }
  if (eptPointerViolation(eptPointer)) return invalidOperand(context);
  context.translations.invalidate((_, pointer) => pointer === eptPointer);
  return vmSucceed(context);
}

function invvpid(context: VmxContext, processor: Processor, instruction: Instruction): ColdOutcome {
  const type = readOperand(processor, instruction, 0);
  if (isFailure(type)) return failed(type);
  if (type > InvvpidType.SINGLE_CONTEXT_RETAINING_GLOBALS) return invalidOperand(context);
  const descriptor = readDescriptor(processor, instruction);
  if (isFailure(descriptor)) return failed(descriptor);
  const [low, linear] = descriptor;
  const vpid = Number(low & 0xffffn);
  if (low >> 16n !== 0n) return invalidOperand(context);
  if (type === InvvpidType.ALL_CONTEXT) {
    context.translations.invalidate(() => true);
    return vmSucceed(context);
  }
  if (vpid === 0) return invalidOperand(context);
  if (type === InvvpidType.INDIVIDUAL_ADDRESS && !isCanonical(linear)) return invalidOperand(context);
  // More is invalidated than is asked for, which the manual allows (SDM 3C 29.4.3.3).
  context.translations.invalidate((tag) => tag === vpid);
  return vmSucceed(context);
}

const invalidOperand = (context: VmxContext): ColdOutcome =>
  vmFail(context, VmError.INVALID_OPERAND_TO_INVEPT_INVVPID);

export const invalidationInstructions = (context: VmxContext): Readonly<Record<string, ColdSemantics>> => ({
  invept: rootInstruction((processor, instruction) => invept(context, processor, instruction)),
  invvpid: rootInstruction((processor, instruction) => invvpid(context, processor, instruction)),
});
