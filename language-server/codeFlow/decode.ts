import {
  Decoder,
  DecoderOptions,
  FlowControl,
  InstructionInfoFactory,
  Mnemonic,
  OpAccess,
  OpKind,
  Register,
} from 'iced-x86';
import type { AnalyzedStatement } from '../../toolchain/assembler/analysis.js';
import { wholeRegister } from '../knowledge/registers.js';

/** A write to a general register. */
export interface RegisterWrite {
  /** The 64-bit register. */
  readonly register: string;
  /** What it holds afterwards, when the instruction alone says so. */
  readonly value: bigint | undefined;
}

export type Transfer = 'none' | 'conditional' | 'call' | 'away';

/** What matters of an assembled instruction for the code after it. */
export interface DecodedInstruction {
  /** Intel's, lower case. */
  readonly mnemonic: string;
  readonly writes: readonly RegisterWrite[];
  /** Where the next instruction may be. */
  readonly transfer: Transfer;
  /** The address that LEA with RIP or an immediate operand makes, for code pointers. */
  readonly pointer: bigint | undefined;
  /** The immediate operand, unsigned. */
  readonly immediate: bigint | undefined;
  /** The register of the first operand, as its 64-bit name. */
  readonly firstRegister: string | undefined;
}

const registerNames = new Map<number, string>(
  Object.entries(Register).flatMap(([name, value]) =>
    typeof value === 'number' ? [[value, name.toLowerCase()] as const] : [],
  ),
);
const WRITES = new Set<OpAccess>([
  OpAccess.Write,
  OpAccess.ReadWrite,
  OpAccess.CondWrite,
  OpAccess.ReadCondWrite,
]);
const wholeOf = (register: Register): string | undefined => wholeRegister(registerNames.get(register) ?? '');

let factory: InstructionInfoFactory | undefined;

/** Decodes a statement of one instruction; undefined for statements that are none or have errors. */
export function decodeStatement(statement: AnalyzedStatement): DecodedInstruction | undefined {
  if (statement.kind !== 'instruction' || statement.size === 0) return undefined;
  const decoder = new Decoder(statement.bits, statement.bytes, DecoderOptions.None);
  decoder.ip = statement.address;
  const instruction = decoder.decode();
  factory ??= new InstructionInfoFactory();
  const info = factory.info(instruction);
  try {
    const writes = new Map<string, RegisterWrite>();
    for (const used of info.usedRegisters()) {
      const register = wholeOf(used.register);
      if (register && WRITES.has(used.access)) writes.set(register, { register, value: undefined });
      used.free();
    }
    const immediate = immediateOf(instruction);
    const pointer =
      instruction.mnemonic === Mnemonic.Lea && instruction.isIpRelMemoryOperand
        ? instruction.ipRelMemoryAddress
        : undefined;
    const value = valueOf(instruction, immediate);
    const target =
      instruction.opCount > 0 && instruction.op0Kind === OpKind.Register
        ? wholeOf(instruction.op0Register)
        : undefined;
    if (target && value !== undefined && writes.has(target)) writes.set(target, { register: target, value });
    return {
      mnemonic: Mnemonic[instruction.mnemonic].toLowerCase(),
      writes: [...writes.values()],
      transfer: transferOf(instruction.flowControl),
      pointer,
      immediate,
      firstRegister: target,
    };
  } finally {
    info.free();
    instruction.free();
    decoder.free();
  }
}

type Instruction = ReturnType<Decoder['decode']>;

function immediateOf(instruction: Instruction): bigint | undefined {
  for (let operand = 0; operand < instruction.opCount; operand++) {
    const kind = instruction.opKind(operand);
    if (kind >= OpKind.Immediate8 && kind <= OpKind.Immediate32to64)
      return BigInt.asUintN(64, instruction.immediate(operand));
  }
  return undefined;
}

/** The constant that MOV and `xor r, r` leave in their register. */
function valueOf(instruction: Instruction, immediate: bigint | undefined): bigint | undefined {
  const { mnemonic, op0Kind } = instruction;
  if (op0Kind !== OpKind.Register) return undefined;
  const name = registerNames.get(instruction.op0Register)!;
  // Narrower writes keep the rest of the register.
  const bits = /^r([a-z]{2}|\d+)$/.test(name) ? 64 : /^(e..|r\d+d)$/.test(name) ? 32 : 0;
  if (bits === 0) return undefined;
  if (mnemonic === Mnemonic.Mov && immediate !== undefined) return BigInt.asUintN(bits, immediate);
  const isSame =
    instruction.op1Kind === OpKind.Register && instruction.op0Register === instruction.op1Register;
  return isSame && (mnemonic === Mnemonic.Xor || mnemonic === Mnemonic.Sub) ? 0n : undefined;
}

function transferOf(flow: FlowControl): Transfer {
  switch (flow) {
    case FlowControl.Next:
    case FlowControl.Interrupt:
      return 'none';
    case FlowControl.ConditionalBranch:
    case FlowControl.XbeginXabortXend:
      return 'conditional';
    case FlowControl.Call:
    case FlowControl.IndirectCall:
      return 'call';
    default:
      return 'away';
  }
}
