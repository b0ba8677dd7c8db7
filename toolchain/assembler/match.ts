import { Register, RegisterExt } from 'iced-x86';
import { constantValue } from './expression.js';
import type { Expression } from './expression.js';
import { registerBits, registerByName } from './instructionTable.js';
import type { InstructionForm, OperandKindName } from './instructionTable.js';
import type { MnemonicMeaning } from './mnemonics.js';
import type { ImmediateOperand, MemoryOperand, Operand, RegisterOperand } from './operands.js';

export type Bits = 16 | 32 | 64;

/** What fills one operand of a form; 'implied': the form knows it. */
export type FormOperand = RegisterOperand | ImmediateOperand | MemoryOperand | 'implied';

export interface Match {
  readonly form: InstructionForm;
  readonly operands: readonly FormOperand[];
}

/** AT&T syntax writes these in Intel's order. */
const SAME_ORDER =
  /^(enter|bound|invlpga|monitorx?|mwaitx?|pvalidate|rmp(adjust|update|query)|tpause|umwait)$/;
/** The processor reads 16 bits of these registers whatever the operand size is; GNU as leaves the prefix out. */
const SELECTOR_SOURCE = /^(lldt|ltr|verr|verw|lmsw|lkgs)$/;
/** Their memory operand has 16 bits whatever the suffix is. */
const SELECTOR = /^(lldt|ltr|verr|verw|lmsw|lkgs|sldt|str|smsw)$/;
/** Their registers are implied; AT&T syntax may write them. */
const WRITABLE_IMPLIED =
  /^(monitorx?|mwaitx?|vmrun|vmload|vmsave|clzero|skinit|invlpga|invlpgb|pvalidate|psmash|rmp\w+|tpause|umwait)$/;
/** They make a mask of some bits, whatever the width of the register is. */
const MASK_SOURCE = /^v?(movmskp[sd]|pmovmskb)$/;
const STACK_WIDTH = /^(push|pop|ret|leave|enter|call|jmp)$/;
const TABLE_REGISTER = /^[sl][gi]dt$/;
const COMMUTES = /^(test|xchg)$/;

const REGISTER_CLASS: Readonly<Record<string, (register: Register) => boolean>> = {
  r8: RegisterExt.isGPR8,
  r16: RegisterExt.isGPR16,
  r32: RegisterExt.isGPR32,
  r64: RegisterExt.isGPR64,
  mm: RegisterExt.isMM,
  xmm: RegisterExt.isXMM,
  xmmp3: RegisterExt.isXMM,
  ymm: RegisterExt.isYMM,
  zmm: RegisterExt.isZMM,
  zmmp3: RegisterExt.isZMM,
  tmm: RegisterExt.isTMM,
  cr: RegisterExt.isCR,
  dr: RegisterExt.isDR,
  tr: RegisterExt.isTR,
  bnd: RegisterExt.isBND,
  k: RegisterExt.isK,
  kp1: RegisterExt.isK,
  sti: RegisterExt.isST,
};

const FIXED_REGISTER_KINDS = new Set([
  'al',
  'cl',
  'ax',
  'dx',
  'eax',
  'rax',
  'es',
  'cs',
  'ss',
  'ds',
  'fs',
  'gs',
  'st0',
]);
const STRING_KINDS: Readonly<Record<string, readonly Register[]>> = {
  seg_rSI: [Register.RSI, Register.ESI, Register.SI],
  es_rDI: [Register.RDI, Register.EDI, Register.DI],
  seg_rDI: [Register.RDI, Register.EDI, Register.DI],
  seg_rBX_al: [Register.RBX, Register.EBX, Register.BX],
};

const VSIB_INDEX: Readonly<Record<string, (register: Register) => boolean>> = {
  x: RegisterExt.isXMM,
  y: RegisterExt.isYMM,
  z: RegisterExt.isZMM,
};

/** The operands in Intel's order, without rounding decorations. */
export function intelOrder(
  mnemonic: string,
  operands: readonly Operand[],
  isIntel = false,
): (RegisterOperand | ImmediateOperand | MemoryOperand)[] {
  const plain = operands.filter((operand) => operand.kind !== 'rounding');
  return isIntel || SAME_ORDER.test(mnemonic) ? plain : plain.reverse();
}

/** Can this form be meant by that mnemonic in this mode, whatever its operands are? */
export function suitsMnemonic(form: InstructionForm, meaning: MnemonicMeaning, bits: Bits): boolean {
  if (!form.modes[bits]) return false;
  if (form.isFar !== (meaning.isFar ?? false)) return false;
  if (meaning.stackForms !== undefined && isStackForm(form) !== meaning.stackForms) return false;
  const isAbsolute = form.kinds.some((kind) => kind === 'imm64' || kind === 'mem_offs');
  if (meaning.isAbsolute ? !isAbsolute : bits === 64 && form.kinds.includes('mem_offs')) return false;
  return suitsSuffix(form, meaning, bits) && suitsBranchWidth(form, meaning, bits);
}

/** x87 arithmetic whose destination is ST(i). */
const isStackForm = ({ kinds }: InstructionForm): boolean => kinds[0] === 'sti_opcode' && kinds[1] === 'st0';

function suitsSuffix(form: InstructionForm, meaning: MnemonicMeaning, bits: Bits): boolean {
  const { suffixBits, sourceBits } = meaning;
  if (sourceBits !== undefined) {
    const [destination, source] = form.kinds;
    if (source !== `r${sourceBits}_or_mem`) return false;
    return suffixBits === undefined || destination === `r${suffixBits}_reg`;
  }
  if (TABLE_REGISTER.test(form.mnemonic) && suffixBits === undefined && bits !== 64)
    return form.operandBits === bits;
  if (form.isFar) return (suffixBits ?? (bits === 16 ? 16 : 32)) === farOffsetBits(form);
  if (suffixBits === undefined) return true;
  if (TABLE_REGISTER.test(form.mnemonic))
    return suffixBits === (form.suffixBits === 80 ? 64 : form.operandBits);
  if (form.kinds.includes('seg_reg') || SELECTOR.test(form.mnemonic)) return suffixBits <= bits;
  if (form.kinds.length === 0 && form.addressBits) return false;
  return form.suffixBits === suffixBits;
}

function farOffsetBits(form: InstructionForm): number {
  if (form.kinds[0] === 'farbr2_2') return 16;
  if (form.kinds[0] === 'farbr4_2') return 32;
  return form.memoryBits - 16;
}

function suitsBranchWidth(form: InstructionForm, meaning: MnemonicMeaning, bits: Bits): boolean {
  const kind = form.kinds[0] ?? '';
  const width =
    /^br(16|32|64)/.exec(kind)?.[1] ??
    (kind === 'xbegin_2' ? '16' : kind === 'xbegin_4' ? 'other' : undefined);
  if (width === undefined) return true;
  if (width === 'other') return bits !== 16;
  if (Number(width) !== (meaning.suffixBits ?? bits)) return false;
  return !form.mnemonic.startsWith('loop') || form.addressBits === bits;
}

/** Fills the form's operands, or undefined when they do not fit it. `operands` stand in Intel's order. */
export function fillForm(
  form: InstructionForm,
  meaning: MnemonicMeaning,
  operands: readonly (RegisterOperand | ImmediateOperand | MemoryOperand)[],
  bits: Bits,
): readonly FormOperand[] | undefined {
  let given: readonly FormOperand[] = operands;
  if (meaning.predicate !== undefined) {
    given = [
      ...operands,
      {
        kind: 'immediate',
        value: { kind: 'constant', value: BigInt(meaning.predicate), start: 0, end: 0 },
        start: 0,
        end: 0,
      },
    ];
  }
  if (
    meaning.suffixBits === undefined &&
    STACK_WIDTH.test(form.mnemonic) &&
    !form.isFar &&
    !namesWidth(form)
  ) {
    const [first] = operands;
    const isNamed = first?.kind === 'register' && registerBits(first.register) === form.suffixBits;
    if (form.suffixBits !== 0 && form.suffixBits !== bits && !isNamed) return undefined;
  }
  const filled = withImplied(form, given, bits);
  if (!filled || isNopInDisguise(form, filled, bits)) return undefined;
  if (fitsAll(form, filled, bits)) return filled;
  if (COMMUTES.test(form.mnemonic) && filled.length === 2) {
    const swapped = [filled[1], filled[0]];
    if (fitsAll(form, swapped, bits)) return swapped;
  }
  return undefined;
}

/** `xchg %eax,%eax` clears the upper half in 64-bit mode, which the byte 0x90 does not. */
function isNopInDisguise(
  { mnemonic, kinds }: InstructionForm,
  [first]: readonly FormOperand[],
  bits: Bits,
): boolean {
  if (mnemonic !== 'xchg' || kinds[1] !== 'eax' || bits !== 64) return false;
  return first !== 'implied' && first.kind === 'register' && first.register === Register.EAX;
}

const isImmediate = (operand: FormOperand | undefined): boolean =>
  operand !== undefined && operand !== 'implied' && operand.kind === 'immediate';

/** A general register among the operands says the width. */
const namesWidth = (form: InstructionForm): boolean => form.kinds.some((kind) => /^r\d+_opcode$/.test(kind));

function withImplied(
  form: InstructionForm,
  given: readonly FormOperand[],
  bits: Bits,
): readonly FormOperand[] | undefined {
  const { kinds, mnemonic } = form;
  if (given.length === kinds.length) {
    if (kinds.length === 0 && form.addressBits !== 0 && form.addressBits !== bits) return undefined;
    return given;
  }
  if (given.length === 0) return impliedAll(form, bits);
  if (
    WRITABLE_IMPLIED.test(mnemonic) &&
    given.every((operand) => operand !== 'implied' && operand.kind === 'register')
  ) {
    return writtenImplied(form, given as RegisterOperand[], bits);
  }
  if (given.length === kinds.length - 1) {
    if (mnemonic === 'in') return ['implied', ...given];
    if (mnemonic === 'out') return [...given, 'implied'];
    if (kinds[0] === 'seg_rDI') return ['implied', ...given];
    if (kinds.at(-1) === 'imm8_const_1') return [...given, 'implied'];
    if (mnemonic === 'imul' && isImmediate(given[1])) return [given[0], given[0], given[1]];
    if (kinds[2] === 'cl' && /^sh[lr]d$/.test(mnemonic)) return [...given, 'implied'];
    const st0 = kinds.indexOf('st0');
    if (st0 >= 0) return [...given.slice(0, st0), 'implied', ...given.slice(st0)];
  }
  const last = given.at(-1)!;
  const hasWrittenXmm0 = last !== 'implied' && last.kind === 'register' && last.register === Register.XMM0;
  if (given.length === 3 && kinds.length === 2 && hasWrittenXmm0 && /^p?blendv|^sha256rnds2/.test(mnemonic))
    return given.slice(0, 2);
  if (kinds[0]?.startsWith('farbr') && given.length === 2) return given;
  return undefined;
}

function impliedAll({ kinds, mnemonic }: InstructionForm, bits: Bits): readonly FormOperand[] | undefined {
  if (mnemonic === 'aam' || mnemonic === 'aad') return ['implied'];
  const isImplied = (kind: OperandKindName): boolean =>
    kind in STRING_KINDS || kind === 'sti_opcode' || FIXED_REGISTER_KINDS.has(kind);
  if (kinds.length === 0 || !kinds.every(isImplied)) return undefined;
  if (
    WRITABLE_IMPLIED.test(mnemonic) &&
    kinds[0] !== { 16: 'ax', 32: 'eax', 64: 'rax' }[bits] &&
    kinds[0] !== 'eax'
  )
    return undefined;
  if (/^(in|out|fnstsw|fstsw)$/.test(mnemonic)) return undefined;
  return kinds.map(() => 'implied');
}

function writtenImplied(
  form: InstructionForm,
  given: readonly RegisterOperand[],
  bits: Bits,
): readonly FormOperand[] | undefined {
  if (form.kinds.length > given.length) return undefined;
  if (form.addressBits && registerBits(given[0].register) !== form.addressBits) return undefined;
  if (!form.addressBits && form.kinds.length === 0 && registerBits(given[0].register) > bits)
    return undefined;
  return given.slice(0, form.kinds.length);
}

function fitsAll(form: InstructionForm, operands: readonly FormOperand[], bits: Bits): boolean {
  if (form.kinds[0]?.startsWith('farbr')) {
    return (
      operands.length === 2 &&
      operands.every((operand) => operand !== 'implied' && operand.kind === 'immediate')
    );
  }
  return operands.every(
    (operand, index) => operand === 'implied' || fits(form, form.kinds[index], operand, bits),
  );
}

function fits(
  form: InstructionForm,
  kind: OperandKindName,
  operand: RegisterOperand | ImmediateOperand | MemoryOperand,
  bits: Bits,
): boolean {
  if ((operand.mask !== undefined || operand.zeroing) && !form.isEvex) return false;
  switch (operand.kind) {
    case 'register':
      return fitsRegister(form, kind, operand.register);
    case 'immediate':
      if (kind === 'imm8_const_1') return constantValue(operand.value) === 1n;
      return kind.startsWith('imm');
    case 'memory':
      return fitsMemory(form, kind, operand, bits);
  }
}

function fitsRegister(form: InstructionForm, kind: OperandKindName, register: Register): boolean {
  if (FIXED_REGISTER_KINDS.has(kind)) return registerByName(kind) === register;
  if (kind === 'seg_reg') return RegisterExt.isSegmentRegister(register);
  if (kind.startsWith('seg_') || kind.startsWith('es_') || kind.startsWith('mem') || kind.startsWith('imm'))
    return false;
  if (isSelectorSource(form, kind) && RegisterExt.isGPR(register)) {
    return (
      form.mnemonic === 'mov' ||
      registerBits(register) === 16 ||
      registerBits(register) === generalWidth(kind)
    );
  }
  // The masks are short, so GNU as leaves REX.W out.
  if (MASK_SOURCE.test(form.mnemonic) && kind === 'r32_reg' && RegisterExt.isGPR64(register)) return true;
  // A selector's store clears the upper bits: GNU as leaves REX.W out.
  if (isSelectorStore(form) && kind === 'r32_or_mem' && RegisterExt.isGPR64(register)) return true;
  return REGISTER_CLASS[kind.split('_')[0]]?.(register) ?? false;
}

const generalWidth = (kind: OperandKindName): number => Number(/^r(\d+)/.exec(kind)?.[1] ?? 0);

function isSelectorStore({ mnemonic, kinds }: InstructionForm): boolean {
  return mnemonic === 'sldt' || mnemonic === 'str' || (mnemonic === 'mov' && kinds[1] === 'seg_reg');
}

/** Source operands of which 16 bits count. */
function isSelectorSource(form: InstructionForm, kind: OperandKindName): boolean {
  if (form.mnemonic === 'arpl') return /^r32/.test(kind);
  if (!/^r(32|64)_or_mem$/.test(kind)) return false;
  if (SELECTOR_SOURCE.test(form.mnemonic)) return true;
  if (/^(lar|lsl)$/.test(form.mnemonic)) return form.kinds[1] === kind;
  return form.mnemonic === 'mov' && form.kinds[0] === 'seg_reg';
}

function fitsMemory(
  form: InstructionForm,
  kind: OperandKindName,
  memory: MemoryOperand,
  bits: Bits,
): boolean {
  const { sizeBits } = memory;
  const isSized = sizeBits !== undefined && memory.broadcast === undefined && form.memoryBits !== 0;
  if (isSized && sizeBits !== form.memoryBits && !TABLE_REGISTER.test(form.mnemonic)) return false;
  if (memory.isFar && !form.isFar) return false;
  if (memory.broadcast !== undefined && !(form.canBroadcast && form.broadcastElements === memory.broadcast))
    return false;
  if (/^(br\d|xbegin)/.test(kind)) {
    return (
      !memory.hasParentheses &&
      !memory.indirect &&
      memory.segment === Register.None &&
      memory.displacement !== undefined
    );
  }
  if (kind === 'dx') return memory.base === Register.DX && memory.displacement === undefined;
  if (memory.base === Register.DX) return false;
  if (kind in STRING_KINDS) return fitsString(kind, memory);
  if (kind === 'mem_offs') return !memory.hasParentheses && !isGotEntry(memory.displacement);
  if (/^(jmp|call)$/.test(form.mnemonic) && !memory.indirect && !memory.hasParentheses) return false;
  // `movq (…),%xmm0` is the load of the vector unit.
  if (/^v?movq$/.test(form.mnemonic) && kind === 'r64_or_mem') return false;
  const vsib = /^mem_vsib(?:32|64)([xyz])$/.exec(kind);
  if (vsib) return VSIB_INDEX[vsib[1]](memory.index);
  if (RegisterExt.isVectorRegister(memory.index)) return false;
  if (memory.base === Register.RIP && bits !== 64) return false;
  return (
    kind.endsWith('_or_mem') || kind.endsWith('_or_mem_mpx') || kind.startsWith('mem') || kind === 'sibmem'
  );
}

/** GNU as loads GOT entries by ModRM, which the linker may relax. */
const isGotEntry = (displacement: Expression | undefined): boolean =>
  displacement?.kind === 'relocated' && displacement.relocation === 'got';

function fitsString(kind: OperandKindName, memory: MemoryOperand): boolean {
  const isPlain = memory.index === Register.None || RegisterExt.isGPR8(memory.index);
  if (!isPlain || !STRING_KINDS[kind].includes(memory.base)) return false;
  if (memory.displacement && constantValue(memory.displacement) !== 0n) return false;
  return kind !== 'es_rDI' || memory.segment === Register.None || memory.segment === Register.ES;
}
