/** Linear addresses of operands for the guest-linear-address field; the access itself has not been checked. */
import { effectiveAddress } from '../../cpu/cold/operands.js';
import { SEGMENTS } from '../../cpu/layout.js';
import { is64BitMode } from '../../cpu/registerBits.js';
import type { Instruction } from '../../isa/instruction.js';
import type { VmxContext } from '../context.js';
import { isMemory } from './instructionInformation.js';

const FIRST_BASED_SEGMENT = 4;

/** Linear address of the memory operand, 0n where there is none. */
export function operandLinearAddress(context: VmxContext, instruction: Instruction): bigint {
  const operand = instruction.operands.find(isMemory);
  if (!operand) return 0n;
  const { state } = context.processor;
  const offset = effectiveAddress(state, operand, instruction.addressSize);
  const long = is64BitMode(state);
  // Only FS and GS have a base in 64-bit mode.
  const base = long && operand.segment < FIRST_BASED_SEGMENT ? 0n : state[`${SEGMENTS[operand.segment]}Base`];
  return BigInt.asUintN(long ? 64 : 32, base + offset);
}
