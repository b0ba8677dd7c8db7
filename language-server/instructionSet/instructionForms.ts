/** What iced-x86 knows of an instruction, read once for each mnemonic. */
import type { Code } from 'iced-x86';
import { CodeExt, CpuidFeature, Instruction, RflagsBits } from 'iced-x86';
import { formsOf } from '../../toolchain/assembler/instructionTable.js';
import { meaningsOf } from '../../toolchain/assembler/mnemonics.js';
import type { AssemblerBits } from '../../toolchain/assembler/analysis.js';

export type StatusFlag = 'CF' | 'PF' | 'AF' | 'ZF' | 'SF' | 'OF' | 'DF' | 'IF' | 'AC';

/** What happens to the flags, over all forms of an instruction. */
export interface FlagEffects {
  readonly read: readonly StatusFlag[];
  /** By the result. */
  readonly written: readonly StatusFlag[];
  readonly cleared: readonly StatusFlag[];
  readonly set: readonly StatusFlag[];
  readonly undefined: readonly StatusFlag[];
}

/** One encoding. */
export interface Encoding {
  /** As iced-x86 writes it: `NP 0F 01 C1`, with o16, o32 and o64 for operand sizes. */
  readonly opcode: string;
  /** In 64-bit mode its operands have 64 bits without REX.W. */
  readonly is64ByDefault: boolean;
  /** As in the manual: `MOV r/m64, r64`. */
  readonly form: string;
  readonly valid16And32: boolean;
  readonly valid64: boolean;
}

export interface InstructionFacts {
  /** Intel's, lower case. */
  readonly mnemonic: string;
  readonly encodings: readonly Encoding[];
  /** Operand sizes in bits, ascending; empty when the instruction has no sized operand. */
  readonly operandSizes: readonly number[];
  readonly flags: FlagEffects;
  readonly privilege: 'any' | 'cpl0' | 'may-need-cpl0';
  readonly mayVmExit: { readonly intel: boolean; readonly amd: boolean };
  /** CPUID features that it needs, as iced-x86 names them; the base instruction set is left out. */
  readonly features: readonly string[];
  readonly canLock: boolean;
  readonly canRepeat: boolean;
  readonly serializes: boolean;
}

const FLAG_BITS: readonly (readonly [StatusFlag, number])[] = [
  ['CF', RflagsBits.CF],
  ['PF', RflagsBits.PF],
  ['AF', RflagsBits.AF],
  ['ZF', RflagsBits.ZF],
  ['SF', RflagsBits.SF],
  ['OF', RflagsBits.OF],
  ['DF', RflagsBits.DF],
  ['IF', RflagsBits.IF],
  ['AC', RflagsBits.AC],
];
const BASE_FEATURES = /^(INTEL\d+(_ONLY)?|INTEL\d+|X64|FPU|FPU\d+|SMM|CYRIX.*)$/;

const cache = new Map<string, InstructionFacts | undefined>();

/** The facts of an Intel mnemonic; undefined when there is no such instruction. */
export function factsOf(mnemonic: string): InstructionFacts | undefined {
  if (!cache.has(mnemonic)) cache.set(mnemonic, readFacts(mnemonic));
  return cache.get(mnemonic);
}

/** The Intel mnemonics that a written one may stand for in a mode, the likeliest first. */
export function instructionsNamed(
  name: string,
  bits: AssemblerBits,
  syntax: 'att' | 'intel',
): readonly string[] {
  const lower = name.toLowerCase();
  const meanings = meaningsOf(lower, bits).map(({ mnemonic }) => mnemonic);
  const names = syntax === 'intel' ? [lower, ...meanings] : meanings;
  return [...new Set(names)].filter((mnemonic) => formsOf(mnemonic).length > 0);
}

function readFacts(mnemonic: string): InstructionFacts | undefined {
  // Test registers went with the 486.
  const forms = formsOf(mnemonic).filter(({ kinds }) => !kinds.includes('tr_reg'));
  if (forms.length === 0) return undefined;
  const encodings = new Map<string, Encoding>();
  const sizes = new Set<number>();
  const features = new Set<string>();
  const flags = { read: 0, written: 0, cleared: 0, set: 0, undefined: 0 };
  const facts = { cpl0: true, mayCpl0: false, intel: false, amd: false, lock: false, repeat: false };
  let serializes = false;
  for (const { code, kinds, suffixBits, operandBits } of forms) {
    const info = CodeExt.opCode(code);
    encodings.set(`${info.opCodeString} ${info.instructionString}`, {
      opcode: info.opCodeString,
      is64ByDefault: info.defaultOpSize64 || info.forceOpSize64,
      form: info.instructionString,
      valid16And32: info.mode32,
      valid64: info.mode64,
    });
    if (info.opCount > 0 && (suffixBits || operandBits)) sizes.add(suffixBits || operandBits);
    facts.cpl0 &&= info.mustBeCpl0;
    facts.mayCpl0 ||= info.mayRequireCpl0 || info.mustBeCpl0;
    facts.intel ||= info.intelMayVmExit || info.intelVmExit;
    facts.amd ||= info.amdMayVmExit || info.amdVmExit;
    facts.lock ||= info.canUseLockPrefix;
    facts.repeat ||= info.canUseRepPrefix;
    // MOV of control and debug registers leaves flags undefined and serializes, all other MOVs do not.
    const isSystemMove = kinds.includes('cr_reg') || kinds.includes('dr_reg');
    serializes ||= info.isSerializingIntel && !isSystemMove;
    info.free();
    if (!isSystemMove) addFlags(flags, code, features);
  }
  return {
    mnemonic,
    encodings: [...encodings.values()],
    operandSizes: [...sizes].sort((left, right) => left - right),
    flags: {
      read: flagNames(flags.read),
      written: flagNames(flags.written),
      cleared: flagNames(flags.cleared & ~flags.written),
      set: flagNames(flags.set & ~flags.written),
      undefined: flagNames(flags.undefined & ~flags.written),
    },
    privilege: facts.cpl0 ? 'cpl0' : facts.mayCpl0 ? 'may-need-cpl0' : 'any',
    mayVmExit: { intel: facts.intel, amd: facts.amd },
    features: [...features],
    canLock: facts.lock,
    canRepeat: facts.repeat,
    serializes,
  };
}

function addFlags(flags: Record<keyof FlagEffects, number>, code: Code, features: Set<string>): void {
  const instruction = new Instruction();
  instruction.code = code;
  flags.read |= instruction.rflagsRead;
  flags.written |= instruction.rflagsWritten;
  flags.cleared |= instruction.rflagsCleared;
  flags.set |= instruction.rflagsSet;
  flags.undefined |= instruction.rflagsUndefined;
  for (const feature of instruction.cpuidFeatures()) {
    const name = CpuidFeature[feature];
    if (!BASE_FEATURES.test(name)) features.add(name);
  }
  instruction.free();
}

const flagNames = (bits: number): StatusFlag[] =>
  FLAG_BITS.filter(([, bit]) => (bits & bit) !== 0).map(([name]) => name);
