import { Encoder, Instruction, OpKind, Register, RegisterExt, RoundingControl } from 'iced-x86';
import type { EncodingWish } from './choose.js';
import type { Expression } from './expression.js';
import { constantValue } from './expression.js';
import { registerBits } from './instructionTable.js';
import type { OperandKindName } from './instructionTable.js';
import type { Bits, FormOperand, Match } from './match.js';
import type { ImmediateOperand, MemoryOperand, Operand } from './operands.js';
import type { Fixup } from './sections.js';

/** Bytes of an instruction, and the fields that wait for addresses. */
export interface Encoding {
  readonly bytes: Uint8Array;
  readonly fixups: readonly Fixup[];
}

/** A field that gets its value after layout: known by its place among the encoder's constants. */
interface PendingField {
  readonly field: 'displacement' | 'immediate' | 'immediate2';
  readonly expression: Expression;
  readonly relative: Fixup['relative'];
  readonly range: Fixup['range'];
  readonly mayUsePlt?: boolean;
}

/** Width of the value that an immediate kind takes, and the sign-extended width of its field. */
interface ImmediateKind {
  readonly opKind: OpKind;
  readonly valueBits: number;
  readonly fieldBits: number;
  readonly range: Fixup['range'];
}

const IMMEDIATE_KINDS: Partial<Record<OperandKindName, ImmediateKind>> = {
  imm4_m2z: { opKind: OpKind.Immediate8, valueBits: 8, fieldBits: 8, range: 'either' },
  imm8: { opKind: OpKind.Immediate8, valueBits: 8, fieldBits: 8, range: 'either' },
  imm8_const_1: { opKind: OpKind.Immediate8, valueBits: 8, fieldBits: 8, range: 'either' },
  imm8sex16: { opKind: OpKind.Immediate8to16, valueBits: 16, fieldBits: 8, range: 'signed' },
  imm8sex32: { opKind: OpKind.Immediate8to32, valueBits: 32, fieldBits: 8, range: 'signed' },
  imm8sex64: { opKind: OpKind.Immediate8to64, valueBits: 64, fieldBits: 8, range: 'signed' },
  imm16: { opKind: OpKind.Immediate16, valueBits: 16, fieldBits: 16, range: 'either' },
  imm32: { opKind: OpKind.Immediate32, valueBits: 32, fieldBits: 32, range: 'either' },
  imm32sex64: { opKind: OpKind.Immediate32to64, valueBits: 64, fieldBits: 32, range: 'signed' },
  imm64: { opKind: OpKind.Immediate64, valueBits: 64, fieldBits: 64, range: 'truncate' },
};

const ROUNDING: Readonly<Record<string, RoundingControl>> = {
  'rn-sae': RoundingControl.RoundToNearest,
  'rd-sae': RoundingControl.RoundDown,
  'ru-sae': RoundingControl.RoundUp,
  'rz-sae': RoundingControl.RoundTowardZero,
};

const STRING_OP_KINDS: Readonly<Record<string, Readonly<Record<Bits, OpKind>>>> = {
  seg_rSI: { 16: OpKind.MemorySegSI, 32: OpKind.MemorySegESI, 64: OpKind.MemorySegRSI },
  es_rDI: { 16: OpKind.MemoryESDI, 32: OpKind.MemoryESEDI, 64: OpKind.MemoryESRDI },
  seg_rDI: { 16: OpKind.MemorySegDI, 32: OpKind.MemorySegEDI, 64: OpKind.MemorySegRDI },
};

const FIXED_REGISTERS: Readonly<Record<string, Register>> = {
  al: Register.AL,
  cl: Register.CL,
  ax: Register.AX,
  dx: Register.DX,
  eax: Register.EAX,
  rax: Register.RAX,
  st0: Register.ST0,
  sti_opcode: Register.ST1,
};

/** Is `value` a number of `bits` bits, signed or unsigned? */
export function fitsEither(value: bigint, bits: number): boolean {
  return fitsSigned(value, bits) || BigInt.asUintN(bits, value) === value;
}

export function fitsSigned(value: bigint, bits: number): boolean {
  return BigInt.asIntN(bits, value) === value;
}

const encoders = new Map<Bits, Encoder>();

function encoderFor(bits: Bits): Encoder {
  let encoder = encoders.get(bits);
  if (!encoder) {
    encoder = new Encoder(bits);
    encoders.set(bits, encoder);
  }
  return encoder;
}

/** Encodes one match; undefined when a value does not fit this form. */
export function encodeMatch(
  match: Match,
  written: readonly Operand[],
  bits: Bits,
  wish: EncodingWish = {},
): Encoding | undefined {
  const instruction = new Instruction();
  try {
    instruction.code = match.form.code;
    const pending: PendingField[] = [];
    const isSet = match.form.kinds[0]?.startsWith('farbr')
      ? setFarTarget(instruction, match, pending)
      : match.operands.every((operand, index) =>
          setOperand(instruction, match, index, operand, bits, pending, wish),
        );
    if (!isSet) return undefined;
    setDecorations(instruction, written);
    return encode(instruction, bits, pending, wish);
  } finally {
    instruction.free();
  }
}

function encode(
  instruction: Instruction,
  bits: Bits,
  pending: readonly PendingField[],
  wish: EncodingWish,
): Encoding | undefined {
  const encoder = encoderFor(bits);
  encoder.preventVEX2 = wish.encoding === 'vex3';
  try {
    encoder.encode(instruction, 0n);
  } catch {
    // The encoder refuses combinations that the form cannot say, such as AH with a REX prefix.
    encoder.takeBuffer();
    return undefined;
  }
  const constants = encoder.getConstantOffsets();
  try {
    const fields = {
      displacement: [constants.displacementOffset, constants.displacementSize],
      immediate: [constants.immediateOffset, constants.immediateSize],
      immediate2: [constants.immediateOffset2, constants.immediateSize2],
    } as const;
    const fixups = pending.map(({ field, ...what }): Fixup => {
      const [offset, size] = fields[field];
      return { offset, size: size as Fixup['size'], ...what };
    });
    return { bytes: encoder.takeBuffer(), fixups };
  } finally {
    constants.free();
  }
}

function setOperand(
  instruction: Instruction,
  match: Match,
  index: number,
  operand: FormOperand,
  bits: Bits,
  pending: PendingField[],
  wish: EncodingWish,
): boolean {
  const kind = match.form.kinds[index];
  if (operand === 'implied') return setImplied(instruction, kind, index, match, bits);
  switch (operand.kind) {
    case 'register':
      instruction.setOpKind(index, OpKind.Register);
      instruction.setOpRegister(index, ofFormWidth(operand.register, kind));
      return true;
    case 'immediate':
      return setImmediate(instruction, match, index, operand, pending);
    case 'memory':
      if (/^(br\d|xbegin)/.test(kind)) return setBranch(instruction, kind, index, operand, bits, pending);
      if (kind === 'dx') return setImplied(instruction, kind, index, match, bits);
      if (kind in STRING_OP_KINDS) {
        instruction.setOpKind(index, STRING_OP_KINDS[kind][registerBits(operand.base) as Bits]);
        if (kind !== 'es_rDI') setSegment(instruction, operand);
        return true;
      }
      return setMemory(instruction, match, index, operand, bits, pending, wish);
  }
}

/** Where only 16 bits count, any width may be written; the form without prefixes is encoded with the 32-bit name. */
function ofFormWidth(register: Register, kind: OperandKindName): Register {
  if (!RegisterExt.isGPR(register) || RegisterExt.isGPR8(register)) return register;
  if (kind === 'r32_or_mem' || kind === 'r32_reg') return RegisterExt.fullRegister32(register);
  return kind === 'r64_or_mem' ? RegisterExt.fullRegister(register) : register;
}

function setImplied(
  instruction: Instruction,
  kind: OperandKindName,
  index: number,
  { form }: Match,
  bits: Bits,
): boolean {
  if (kind in STRING_OP_KINDS) {
    instruction.setOpKind(index, STRING_OP_KINDS[kind][bits]);
  } else if (kind === 'seg_rBX_al') {
    instruction.setOpKind(index, OpKind.Memory);
    instruction.memoryBase = { 16: Register.BX, 32: Register.EBX, 64: Register.RBX }[bits];
    instruction.memoryIndex = Register.AL;
  } else if (kind.startsWith('imm')) {
    instruction.setOpKind(index, OpKind.Immediate8);
    instruction.immediate8 = kind === 'imm8_const_1' ? 1 : form.mnemonic.startsWith('aa') ? 10 : 0;
  } else {
    instruction.setOpKind(index, OpKind.Register);
    instruction.setOpRegister(index, FIXED_REGISTERS[kind]);
  }
  return true;
}

function setImmediate(
  instruction: Instruction,
  { form }: Match,
  index: number,
  operand: ImmediateOperand,
  pending: PendingField[],
): boolean {
  const kind = IMMEDIATE_KINDS[form.kinds[index]];
  if (!kind) return false;
  const isSecond = index > 0 && form.kinds[index - 1].startsWith('imm');
  const opKind = isSecond ? OpKind.Immediate8_2nd : kind.opKind;
  const constant = constantValue(operand.value);
  if (constant === undefined) {
    // An address may need all bits of the field, so the sign-extended bytes are out.
    if (kind.fieldBits < kind.valueBits && kind.fieldBits === 8) return false;
    pending.push({
      field: isSecond ? 'immediate2' : 'immediate',
      expression: operand.value,
      relative: 'no',
      range: kind.range,
    });
  }
  const value = BigInt.asIntN(64, constant ?? 0n);
  if (!fitsEither(value, kind.valueBits)) return false;
  const signed = BigInt.asIntN(kind.valueBits, value);
  if (kind.fieldBits < kind.valueBits && !fitsSigned(signed, kind.fieldBits)) return false;
  instruction.setOpKind(index, opKind);
  setImmediateValue(instruction, opKind, signed);
  return true;
}

function setImmediateValue(instruction: Instruction, opKind: OpKind, value: bigint): void {
  switch (opKind) {
    case OpKind.Immediate8:
      instruction.immediate8 = Number(BigInt.asUintN(8, value));
      break;
    case OpKind.Immediate8_2nd:
      instruction.immediate8_2nd = Number(BigInt.asUintN(8, value));
      break;
    case OpKind.Immediate8to16:
      instruction.immediate8to16 = Number(value);
      break;
    case OpKind.Immediate8to32:
      instruction.immediate8to32 = Number(value);
      break;
    case OpKind.Immediate8to64:
      instruction.immediate8to64 = value;
      break;
    case OpKind.Immediate16:
      instruction.immediate16 = Number(BigInt.asUintN(16, value));
      break;
    case OpKind.Immediate32:
      instruction.immediate32 = Number(BigInt.asUintN(32, value));
      break;
    case OpKind.Immediate32to64:
      instruction.immediate32to64 = value;
      break;
    default:
      instruction.immediate64 = BigInt.asUintN(64, value);
  }
}

function setBranch(
  instruction: Instruction,
  kind: OperandKindName,
  index: number,
  operand: MemoryOperand,
  bits: Bits,
  pending: PendingField[],
): boolean {
  const width = /^br(\d+)/.exec(kind)?.[1] ?? String(bits);
  const opKind = { 16: OpKind.NearBranch16, 32: OpKind.NearBranch32, 64: OpKind.NearBranch64 }[width];
  instruction.setOpKind(index, opKind!);
  pending.push({
    field: 'immediate',
    expression: operand.displacement!,
    relative: 'target',
    range: 'signed',
    ...(bits === 64 ? { mayUsePlt: true } : {}),
  });
  return true;
}

function setFarTarget(instruction: Instruction, { form, operands }: Match, pending: PendingField[]): boolean {
  const [selector, offset] = operands as readonly ImmediateOperand[];
  instruction.setOpKind(0, form.kinds[0] === 'farbr2_2' ? OpKind.FarBranch16 : OpKind.FarBranch32);
  pending.push({ field: 'immediate', expression: offset.value, relative: 'no', range: 'either' });
  pending.push({ field: 'immediate2', expression: selector.value, relative: 'no', range: 'either' });
  return true;
}

/** The segment that the processor takes by itself needs no prefix. */
function setSegment(instruction: Instruction, { segment, base }: MemoryOperand): void {
  if (segment === Register.None) return;
  const usesStack = [Register.RSP, Register.RBP, Register.ESP, Register.EBP, Register.BP].includes(base);
  if (segment === (usesStack ? Register.SS : Register.DS)) return;
  instruction.segmentPrefix = segment;
}

function setMemory(
  instruction: Instruction,
  { form }: Match,
  index: number,
  memory: MemoryOperand,
  bits: Bits,
  pending: PendingField[],
  { displacement: wantedDisplacement }: EncodingWish,
): boolean {
  const kind = form.kinds[index];
  instruction.setOpKind(index, OpKind.Memory);
  instruction.memoryBase = memory.base;
  instruction.memoryIndex = kind === 'seg_rBX_al' ? Register.AL : memory.index;
  instruction.memoryIndexScale = memory.scale;
  if (memory.broadcast !== undefined) instruction.isBroadcast = true;
  setSegment(instruction, memory);
  const addressBits = addressWidth(memory, bits);
  const isRipRelative = memory.base === Register.RIP || memory.base === Register.EIP;
  const displacement = memory.displacement;
  const constant = displacement ? constantValue(displacement) : 0n;
  if (displacement && (isRipRelative || constant === undefined)) {
    instruction.memoryDisplSize = addressBits / 8;
    const range = displacementRange(addressBits, kind === 'mem_offs', isNarrowLea(form));
    pending.push({
      field: 'displacement',
      expression: displacement,
      relative: isRipRelative ? 'ripMemory' : 'no',
      range,
    });
    return true;
  }
  const value = BigInt.asIntN(64, constant!);
  const isCut = isNarrowLea(form) && fitsEither(value, 32);
  return setConstantDisplacement(
    instruction,
    form.isEvex,
    memory,
    isCut ? BigInt.asIntN(32, value) : value,
    addressBits,
    kind === 'mem_offs',
    wantedDisplacement,
  );
}

/** `lea` to a register of 32 bits: the upper half of the address does not count. */
const isNarrowLea = ({ mnemonic, kinds }: Match['form']): boolean =>
  mnemonic === 'lea' && kinds[0] !== 'r64_reg';

function displacementRange(addressBits: Bits, isAbsolute: boolean, isNarrow: boolean): Fixup['range'] {
  if (addressBits !== 64) return 'either';
  if (isAbsolute) return 'truncate';
  return isNarrow ? 'either' : 'signed';
}

function addressWidth({ base, index }: MemoryOperand, bits: Bits): Bits {
  if (base !== Register.None) return registerBits(base) as Bits;
  if (index !== Register.None && !RegisterExt.isVectorRegister(index)) return registerBits(index) as Bits;
  return bits;
}

function setConstantDisplacement(
  instruction: Instruction,
  isEvex: boolean,
  { base }: MemoryOperand,
  value: bigint,
  addressBits: Bits,
  isAbsolute: boolean,
  wanted: EncodingWish['displacement'],
): boolean {
  if (!isAbsolute && !(addressBits === 64 ? fitsSigned(value, 32) : fitsEither(value, addressBits)))
    return false;
  const signed = BigInt.asIntN(addressBits, value);
  instruction.memoryDisplacement = BigInt.asUintN(
    addressBits === 16 ? 16 : addressBits === 32 ? 32 : 64,
    signed,
  );
  if (base === Register.None || base === Register.RIP || base === Register.EIP || isAbsolute) {
    instruction.memoryDisplSize = addressBits / 8;
  } else if (wanted !== undefined) {
    instruction.memoryDisplSize = wanted === 8 ? 1 : addressBits / 8;
  } else if (signed === 0n) {
    const needsByte = [Register.RBP, Register.EBP, Register.R13, Register.R13D, Register.BP].includes(base);
    instruction.memoryDisplSize = needsByte ? 1 : 0;
  } else {
    // For EVEX the encoder itself knows whether the byte can be scaled (disp8*N).
    instruction.memoryDisplSize = isEvex || fitsSigned(signed, 8) ? 1 : addressBits / 8;
  }
  return true;
}

function setDecorations(instruction: Instruction, written: readonly Operand[]): void {
  for (const operand of written) {
    if (operand.mask !== undefined) instruction.opMask = operand.mask;
    if (operand.zeroing) instruction.zeroingMasking = true;
    if (operand.kind !== 'rounding') continue;
    if (operand.mode === 'sae') instruction.suppressAllExceptions = true;
    else instruction.roundingControl = ROUNDING[operand.mode];
  }
}
