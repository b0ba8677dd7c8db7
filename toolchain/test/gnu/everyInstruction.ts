// One sample of every instruction that iced-x86 can encode, as bytes for a disassembler.
import { Code, CodeExt, Encoder, Instruction, OpCodeOperandKind, OpKind, Register } from 'iced-x86';

type Setter = (instruction: Instruction, index: number) => void;

const register =
  (value: Register): Setter =>
  (instruction, index) => {
    instruction.setOpKind(index, OpKind.Register);
    instruction.setOpRegister(index, value);
  };
const memory =
  (base: Register, indexRegister: Register = Register.None): Setter =>
  (instruction, index) => {
    instruction.setOpKind(index, OpKind.Memory);
    instruction.memoryBase = base;
    instruction.memoryIndex = indexRegister;
    instruction.memoryDisplacement = 0x1234n;
    instruction.memoryDisplSize = 4;
  };
const immediate =
  (kind: OpKind): Setter =>
  (instruction, index) => {
    instruction.setOpKind(index, kind);
    if (kind === OpKind.Immediate8_2nd) instruction.immediate8_2nd = 3;
    else if (kind === OpKind.Immediate8) instruction.immediate8 = 5;
    else if (kind === OpKind.Immediate16) instruction.immediate16 = 0x1234;
    else if (kind === OpKind.Immediate32) instruction.immediate32 = 0x12345678;
    else if (kind === OpKind.Immediate64) instruction.immediate64 = 0x123456789abcdefn;
    else if (kind === OpKind.Immediate8to16) instruction.immediate8to16 = 7;
    else if (kind === OpKind.Immediate8to32) instruction.immediate8to32 = 7;
    else if (kind === OpKind.Immediate8to64) instruction.immediate8to64 = 7n;
    else instruction.immediate32to64 = 0x1234567n;
  };

/** What fills an operand, by the start of its kind's name; registers first, so that most forms have none of memory. */
const OPERANDS: readonly (readonly [RegExp, readonly Setter[]])[] = [
  [/^mem_vsib\d+x/, [memory(Register.RBX, Register.XMM3)]],
  [/^mem_vsib\d+y/, [memory(Register.RBX, Register.YMM3)]],
  [/^mem_vsib\d+z/, [memory(Register.RBX, Register.ZMM3)]],
  [/^(mem|sibmem)/, [memory(Register.RBX)]],
  [/^r8_/, [register(Register.CL), register(Register.R9L)]],
  [/^r16_/, [register(Register.CX), register(Register.R9W)]],
  [/^r32_/, [register(Register.ECX), register(Register.R9D)]],
  [/^r64_/, [register(Register.RCX), register(Register.R9)]],
  [/^mm_/, [register(Register.MM2)]],
  [/^xmmp3_/, [register(Register.XMM4)]],
  [/^xmm_/, [register(Register.XMM2), register(Register.XMM9)]],
  [/^ymm_/, [register(Register.YMM2), register(Register.YMM9)]],
  [/^zmmp3_/, [register(Register.ZMM4)]],
  [/^zmm_/, [register(Register.ZMM2), register(Register.ZMM20)]],
  [/^tmm_/, [register(Register.TMM2)]],
  [/^bnd_/, [register(Register.BND1)]],
  [/^kp1_/, [register(Register.K2)]],
  [/^k_/, [register(Register.K3)]],
  [/^cr_/, [register(Register.CR3)]],
  [/^dr_/, [register(Register.DR6)]],
  [/^seg_reg/, [register(Register.FS)]],
  [/^sti_/, [register(Register.ST3)]],
  [/^st0/, [register(Register.ST0)]],
  [/^al$/, [register(Register.AL)]],
  [/^cl$/, [register(Register.CL)]],
  [/^ax$/, [register(Register.AX)]],
  [/^dx$/, [register(Register.DX)]],
  [/^eax$/, [register(Register.EAX)]],
  [/^rax$/, [register(Register.RAX)]],
  [/^imm8sex16/, [immediate(OpKind.Immediate8to16)]],
  [/^imm8sex32/, [immediate(OpKind.Immediate8to32)]],
  [/^imm8sex64/, [immediate(OpKind.Immediate8to64)]],
  [
    /^imm8_const_1/,
    [
      (instruction, index) => {
        instruction.setOpKind(index, OpKind.Immediate8);
        instruction.immediate8 = 1;
      },
    ],
  ],
  [/^imm(8|4_m2z)$/, [immediate(OpKind.Immediate8)]],
  [/^imm16$/, [immediate(OpKind.Immediate16)]],
  [/^imm32$/, [immediate(OpKind.Immediate32)]],
  [/^imm32sex64$/, [immediate(OpKind.Immediate32to64)]],
  [/^imm64$/, [immediate(OpKind.Immediate64)]],
  [/^seg_rSI$/, [(instruction, index) => instruction.setOpKind(index, OpKind.MemorySegRSI)]],
  [/^es_rDI$/, [(instruction, index) => instruction.setOpKind(index, OpKind.MemoryESRDI)]],
  [/^seg_rDI$/, [(instruction, index) => instruction.setOpKind(index, OpKind.MemorySegRDI)]],
];

/** Encodings of every instruction of 64-bit mode: with registers, with the upper registers, and with memory. */
export function everyInstruction(): Uint8Array {
  const parts: Uint8Array[] = [];
  const encoder = new Encoder(64);
  for (let code: Code = 0; Code[code] !== undefined; code++) {
    const info = CodeExt.opCode(code);
    if (info.isInstruction && info.mode64) {
      const kinds = Array.from({ length: info.opCount }, (_, index) => OpCodeOperandKind[info.opKind(index)]);
      for (const variant of [0, 1, 2]) {
        const bytes = encodeSample(encoder, code, kinds, variant);
        if (bytes) parts.push(bytes);
      }
    }
    info.free();
  }
  encoder.free();
  return Uint8Array.from(parts.flatMap((part) => [...part]));
}

function encodeSample(
  encoder: Encoder,
  code: Code,
  kinds: readonly string[],
  variant: number,
): Uint8Array | undefined {
  const instruction = new Instruction();
  try {
    instruction.code = code;
    for (const [index, kind] of kinds.entries()) {
      const isMemory = variant === 2 && /_or_mem/.test(kind);
      const setters = isMemory
        ? [memory(Register.R13)]
        : OPERANDS.find(([pattern]) => pattern.test(kind))?.[1];
      if (!setters) return undefined;
      const isSecondImmediate = kind === 'imm8' && index > 0 && kinds[index - 1].startsWith('imm');
      const setter = isSecondImmediate ? immediate(OpKind.Immediate8_2nd) : (setters[variant] ?? setters[0]);
      setter(instruction, index);
    }
    encoder.encode(instruction, 0n);
    return encoder.takeBuffer();
  } catch {
    // The sample's registers do not suit this form.
    encoder.takeBuffer();
    return undefined;
  } finally {
    instruction.free();
  }
}
