/** VMREAD and VMWRITE: SDM 3C 31.3 and 25.11.2. */
import { failed, isFailure, readOperand, writeOperand } from '../../cpu/cold/operands.js';
import { is64BitMode } from '../../cpu/registerBits.js';
import type { ColdOutcome, ColdSemantics, Processor } from '../../cpu/seams.js';
import type { Instruction } from '../../isa/instruction.js';
import type { VmcsAccess } from '../../machine/worldSwitch.js';
import type { VmxContext } from '../context.js';
import type { FieldAccess } from '../fields.js';
import { fieldAccess } from '../fields.js';
import { VmError } from '../instructionErrors.js';
import type { Vmcs } from '../vmcs.js';
import { vmFail, vmFailInvalid, vmSucceed } from '../vmStatus.js';
import { rootInstruction } from './checks.js';

/** The field that an encoding operand names; bits beyond 31:0 that are set name none. */
const accessOf = (encoding: bigint): FieldAccess | undefined =>
  encoding <= 0xffff_ffffn ? fieldAccess(Number(encoding)) : undefined;

/** Operands are 64 bits in 64-bit mode, else 32; longer fields are cut, shorter ones zero-extended. */
const operandBits = (processor: Processor): number => (is64BitMode(processor.state) ? 64 : 32);

function tell(
  { hooks, processor: { position, state } }: VmxContext,
  access: VmcsAccess['access'],
  { physicalAddress: vmcs }: Vmcs,
  encoding: bigint,
  value: bigint,
): void {
  hooks.onVmcsAccess?.({ position, rip: state.rip, access, vmcs, encoding: Number(encoding), value });
}

function vmread(context: VmxContext, processor: Processor, instruction: Instruction): ColdOutcome {
  const target = context.accessedVmcs;
  if (!target) return vmFailInvalid(context);
  const encoding = readOperand(processor, instruction, 1);
  if (isFailure(encoding)) return failed(encoding);
  const access = accessOf(encoding);
  if (!access) return vmFail(context, VmError.UNSUPPORTED_VMCS_COMPONENT);
  const value = access.high ? BigInt(target.readHigh(access.field)) : target.read(access.field);
  tell(context, 'read', target, encoding, value);
  const failure = writeOperand(processor, instruction, 0, BigInt.asUintN(operandBits(processor), value));
  return failure === undefined ? vmSucceed(context) : failed(failure);
}

function vmwrite(context: VmxContext, processor: Processor, instruction: Instruction): ColdOutcome {
  const target = context.accessedVmcs;
  if (!target) return vmFailInvalid(context);
  const source = readOperand(processor, instruction, 1);
  if (isFailure(source)) return failed(source);
  const encoding = readOperand(processor, instruction, 0);
  if (isFailure(encoding)) return failed(encoding);
  const access = accessOf(encoding);
  if (!access) return vmFail(context, VmError.UNSUPPORTED_VMCS_COMPONENT);
  const value = BigInt.asUintN(operandBits(processor), source);
  target.writeEncoding(Number(encoding), value);
  tell(context, 'write', target, encoding, value);
  return vmSucceed(context);
}

export const vmcsFieldInstructions = (context: VmxContext): Readonly<Record<string, ColdSemantics>> => ({
  vmread: rootInstruction((processor, instruction) => vmread(context, processor, instruction)),
  vmwrite: rootInstruction((processor, instruction) => vmwrite(context, processor, instruction)),
});
