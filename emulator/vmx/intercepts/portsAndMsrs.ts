/** I/O instructions with their bitmaps and MSR accesses with theirs: SDM 3C 25.6.4, 25.6.9, 26.1.3, table 28-5. */
import type { Instruction } from '../../isa/instruction.js';
import type { VmxContext } from '../context.js';
import { Primary } from '../controls.js';
import { ExitReason } from '../exitReasons.js';
import { Field } from '../fields.js';
import { addressSizeCode, isMemory, segmentCode } from './instructionInformation.js';
import type { Intercept } from './intercept.js';
import { semanticsName } from './intercept.js';
import { operandLinearAddress } from './linearAddress.js';

// -------------------------------------------------------------- ports

const PORTS_PER_BITMAP = 0x8000;
const isInput = (instruction: Instruction): boolean => ['in', 'ins'].includes(semanticsName(instruction));
const isString = (instruction: Instruction): boolean => ['ins', 'outs'].includes(semanticsName(instruction));

/** The port is the second operand of IN and INS, the first of OUT and OUTS. */
const portOperand = (instruction: Instruction) => instruction.operands[isInput(instruction) ? 1 : 0];

/** Port number: an immediate, or DX. */
function portOf(context: VmxContext, instruction: Instruction): number {
  const operand = portOperand(instruction);
  return Number(operand.kind === 'immediate' ? operand.value : context.processor.state.rdx & 0xffffn);
}

/** Bytes moved: the size of the other operand. */
const accessSize = (instruction: Instruction): number =>
  instruction.operands[isInput(instruction) ? 0 : 1].size;

function portBit(context: VmxContext, port: number): boolean {
  const bitmap = port < PORTS_PER_BITMAP ? Field.ioBitmapA : Field.ioBitmapB;
  const bit = port % PORTS_PER_BITMAP;
  const byte = context.physical.read8(Number(context.vmcs.read(bitmap)) + (bit >> 3));
  return (byte & (1 << (bit & 7))) !== 0;
}

function ioExits(context: VmxContext, instruction: Instruction): boolean {
  if (!context.primary(Primary.useIoBitmaps)) return context.primary(Primary.unconditionalIoExiting);
  const port = portOf(context, instruction);
  const size = accessSize(instruction);
  // An access that wraps around the end of the port space always exits.
  if (port + size > 0x1_0000) return true;
  return Array.from({ length: size }, (_, byte) => port + byte).some((each) => portBit(context, each));
}

function ioDetails(
  context: VmxContext,
  instruction: Instruction,
): ReturnType<NonNullable<Intercept['details']>> {
  const string = isString(instruction);
  const qualification =
    (accessSize(instruction) - 1) |
    (isInput(instruction) ? 1 << 3 : 0) |
    (string ? 1 << 4 : 0) |
    (string && instruction.repeat !== 'none' ? 1 << 5 : 0) |
    (portOperand(instruction).kind === 'immediate' ? 1 << 6 : 0) |
    (portOf(context, instruction) << 16);
  if (!string) return { qualification: BigInt(qualification >>> 0) };
  const memory = instruction.operands.find(isMemory);
  return {
    qualification: BigInt(qualification >>> 0),
    instructionInformation: addressSizeCode(instruction) | segmentCode(memory?.segment ?? 0),
    guestLinearAddress: operandLinearAddress(context, instruction),
  };
}

// -------------------------------------------------------------- MSRs

const READ_LOW = 0;
const READ_HIGH = 1024;
const WRITE_BITMAPS = 2048;
const HIGH_MSRS = 0xc000_0000;
const MSRS_PER_BITMAP = 0x2000;

function msrExits(context: VmxContext, write: boolean): boolean {
  if (!context.primary(Primary.useMsrBitmaps)) return true;
  const index = Number(context.processor.state.rcx & 0xffff_ffffn);
  const high = index >= HIGH_MSRS;
  const bit = high ? index - HIGH_MSRS : index;
  if (bit >= MSRS_PER_BITMAP) return true;
  const bitmap = (high ? READ_HIGH : READ_LOW) + (write ? WRITE_BITMAPS : 0);
  const byte = context.physical.read8(Number(context.vmcs.read(Field.msrBitmap)) + bitmap + (bit >> 3));
  return (byte & (1 << (bit & 7))) !== 0;
}

export const portAndMsrIntercepts: readonly Intercept[] = [
  {
    instructions: ['in', 'out', 'ins', 'outs'],
    reason: ExitReason.IO_INSTRUCTION,
    section: '26.1.3',
    sentence:
      'I/O instructions exit for every port with unconditional I/O exiting, or for the ports that the I/O bitmaps mark.',
    exits: ioExits,
    details: ioDetails,
  },
  {
    instructions: ['rdmsr'],
    reason: ExitReason.MSR_READ,
    section: '26.1.3',
    sentence: 'RDMSR exits unless MSR bitmaps are used and the bit of the MSR in ECX is 0.',
    exits: (context) => msrExits(context, false),
  },
  {
    instructions: ['wrmsr'],
    reason: ExitReason.MSR_WRITE,
    section: '26.1.3',
    sentence: 'WRMSR exits unless MSR bitmaps are used and the bit of the MSR in ECX is 0.',
    exits: (context) => msrExits(context, true),
  },
];
