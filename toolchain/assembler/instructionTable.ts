import {
  Code,
  CodeExt,
  EncodingKind,
  MemorySizeExt,
  Mnemonic,
  OpCodeOperandKind,
  Register,
  RegisterExt,
} from 'iced-x86';

/** One row of the instruction set: a code of iced-x86 with what matching needs of it. */
export interface InstructionForm {
  readonly code: Code;
  /** Intel's mnemonic in lower case. */
  readonly mnemonic: string;
  /** Operand kinds in Intel order, by the names of iced-x86's OpCodeOperandKind. */
  readonly kinds: readonly OperandKindName[];
  /** The width that an AT&T suffix would name, in bits; 0: none. */
  readonly suffixBits: number;
  readonly memoryBits: number;
  /** The operand size of the prefix, in bits; 0: none. */
  readonly operandBits: number;
  readonly isFar: boolean;
  readonly modes: { readonly 16: boolean; readonly 32: boolean; readonly 64: boolean };
  /** GNU as prefers a legacy encoding to VEX, and VEX to EVEX. */
  readonly encodingRank: number;
  readonly isEvex: boolean;
  readonly isVex: boolean;
  readonly canBroadcast: boolean;
  readonly broadcastElements: number;
  readonly defaultsTo64: boolean;
  /** Address size in bits of loops and string forms; 0: by the operands. */
  readonly addressBits: number;
}

export type OperandKindName = keyof typeof OpCodeOperandKind;

/** Forms that GNU as does not know, or knows under another name. */
const UNUSED_FORMS =
  /^((VEX_V)?[Pp]?movmsk(ps|pd|b)_r64_|(VEX_)?V?[Mm]ovmskp[sd]_r64_|.*_0FB|Reservednop|Loadall|Cmpxchg486|Xbts|Ibts|Umov|Jmpe|MVEX_|Fstpnce|Nopw$|Nopq$|Undoc|Sal_|.*_D[0-9A-F]{3}$|Fstp_sti_D|Ftstp|Rdm$|Altinst)/;

/** VEX forms of instructions that came with EVEX first: GNU as wants `{vex}` before them. */
const VEX_ONLY_ON_DEMAND = /^VEX_V(pdpbusds?|pdpwssds?|pmadd52[lh]uq|cvtneps2bf16)_/;

/** AT&T syntax names these the other way round when the destination is %st(i); GNU as keeps that ("AT&T Mnemonic versus Intel Mnemonic"). */
const REVERSED_FLOATS: Readonly<Record<string, string>> = {
  fsub: 'fsubr',
  fsubr: 'fsub',
  fdiv: 'fdivr',
  fdivr: 'fdiv',
  fsubp: 'fsubrp',
  fsubrp: 'fsubp',
  fdivp: 'fdivrp',
  fdivrp: 'fdivp',
};

const GENERAL_KIND_BITS: Readonly<Record<string, number>> = {
  r8: 8,
  r16: 16,
  r32: 32,
  r64: 64,
  al: 8,
  ax: 16,
  eax: 32,
  rax: 64,
};

const generalBits = (kind: string): number => GENERAL_KIND_BITS[kind.split('_')[0]] ?? 0;

/** The width that a suffix names for a form. */
function suffixBitsOf(
  mnemonic: string,
  kinds: readonly string[],
  operandSize: number,
  memoryBits: number,
): number {
  if (mnemonic === 'in' || mnemonic === 'out')
    return generalBits(kinds.find((kind) => /^(al|ax|eax)$/.test(kind))!);
  if (mnemonic === 'crc32') return generalBits(kinds[1]);
  if (mnemonic.startsWith('f')) return memoryBits;
  if (
    kinds.some((kind) => kind.startsWith('br')) ||
    /^(call|jmp|enter|ret|retf|push|pop|leave)$/.test(mnemonic)
  ) {
    return operandSize || memoryBits;
  }
  const general = kinds.map(generalBits).filter((bits) => bits > 0);
  if (/^(v?cvt.*2u?si)$/.test(mnemonic)) return general[0];
  if (general.includes(8)) return 8;
  if (general.length > 0) return general[0];
  return memoryBits || operandSize;
}

function readForm(code: Code): InstructionForm | undefined {
  const info = CodeExt.opCode(code);
  try {
    const name = Code[code];
    if (!info.isInstruction || UNUSED_FORMS.test(name)) return undefined;
    const intelMnemonic = Mnemonic[info.mnemonic].toLowerCase();
    const kinds = Array.from(
      { length: info.opCount },
      (_, index) => OpCodeOperandKind[info.opKind(index)] as OperandKindName,
    );
    const isReversed = kinds[0] === 'sti_opcode' && kinds[1] === 'st0';
    const mnemonic = isReversed ? (REVERSED_FLOATS[intelMnemonic] ?? intelMnemonic) : intelMnemonic;
    const memoryBits = MemorySizeExt.size(info.memorySize) * 8;
    const broadcastBits = info.canBroadcast ? MemorySizeExt.elementSize(info.broadcastMemorySize) * 8 : 0;
    return {
      code,
      mnemonic,
      kinds,
      suffixBits: suffixBitsOf(mnemonic, kinds, info.operandSize, memoryBits),
      memoryBits,
      operandBits: info.operandSize,
      isFar: kinds[0]?.startsWith('farbr') || /^(Jmp|Call)_m16/.test(name),
      modes: { 16: info.mode16, 32: info.mode32, 64: info.mode64 },
      encodingRank: VEX_ONLY_ON_DEMAND.test(name)
        ? 3
        : info.encoding === EncodingKind.EVEX
          ? 2
          : info.encoding === EncodingKind.Legacy
            ? 0
            : 1,
      isEvex: info.encoding === EncodingKind.EVEX,
      isVex: info.encoding === EncodingKind.VEX,
      canBroadcast: info.canBroadcast,
      broadcastElements: broadcastBits ? memoryBits / broadcastBits : 0,
      defaultsTo64: info.defaultOpSize64,
      addressBits: info.addressSize,
    };
  } finally {
    info.free();
  }
}

let forms: Map<string, InstructionForm[]> | undefined;

/** The rows of a mnemonic (Intel's, lower case); empty when there is no such instruction. */
export function formsOf(mnemonic: string): readonly InstructionForm[] {
  if (!forms) {
    forms = new Map();
    for (let code: Code = 0; Code[code] !== undefined; code++) {
      const form = readForm(code);
      if (!form) continue;
      const list = forms.get(form.mnemonic);
      if (list) list.push(form);
      else forms.set(form.mnemonic, [form]);
    }
  }
  return forms.get(mnemonic) ?? [];
}

function readRegisterNames(): Map<string, Register> {
  const names = new Map<string, Register>();
  for (const [name, value] of Object.entries(Register)) {
    if (typeof value === 'number' && !/^(None|DontUse|EIP$)/.test(name)) names.set(name.toLowerCase(), value);
  }
  names.set('eip', Register.EIP);
  names.set('st', Register.ST0);
  for (let number = 0; number < 8; number++) {
    names.set(`st(${number})`, Register.ST0 + number);
    names.set(`db${number}`, Register.DR0 + number);
  }
  for (let number = 8; number < 16; number++) names.set(`r${number}b`, names.get(`r${number}l`)!);
  return names;
}

const registerNames = readRegisterNames();

/** A register by its AT&T name without `%`. */
export function registerByName(name: string): Register | undefined {
  return registerNames.get(name);
}

/** Width of a register in bits. */
export const registerBits = (register: Register): number => RegisterExt.size(register) * 8;
