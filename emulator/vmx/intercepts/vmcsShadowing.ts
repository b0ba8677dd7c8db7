/** VMREAD and VMWRITE of a guest with VMCS shadowing: SDM 3C 25.6.15 (bitmaps), 26.1.3 (exits). */
import { readOperand } from '../../cpu/cold/operands.js';
import type { Instruction } from '../../isa/instruction.js';
import type { VmxContext } from '../context.js';
import { Secondary } from '../controls.js';
import type { VmcsField } from '../fields.js';

/** Encodings that the bitmaps have a bit for: bits 14:0. */
const ENCODINGS = 1n << 15n;

/** Does an access exit: there is no shadowing, or the bitmap marks the encoding in register operand `register`? */
export function vmcsAccessExits(
  context: VmxContext,
  instruction: Instruction,
  register: number,
  bitmap: VmcsField,
): boolean {
  if (!context.secondary(Secondary.vmcsShadowing)) return true;
  const encoding = readOperand(context.processor, instruction, register);
  if (typeof encoding !== 'bigint' || encoding >= ENCODINGS) return true;
  const bit = Number(encoding);
  const byte = context.physical.read8(Number(context.vmcs.read(bitmap)) + (bit >> 3));
  return (byte & (1 << (bit & 7))) !== 0;
}
