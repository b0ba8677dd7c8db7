import { encodeMatch } from './encode.js';
import type { Encoding } from './encode.js';
import { constantValue } from './expression.js';
import { formsOf } from './instructionTable.js';
import type { InstructionForm } from './instructionTable.js';
import { fillForm, intelOrder, suitsMnemonic } from './match.js';
import type { Bits, Match } from './match.js';
import type { MnemonicMeaning } from './mnemonics.js';
import type { Operand } from './operands.js';
import { AssemblyError } from './source.js';

/** What `{vex3}`, `{store}` and the like ask of the encoding. */
export interface EncodingWish {
  readonly encoding?: 'vex' | 'vex3' | 'evex';
  readonly displacement?: 8 | 32;
  /** Which operand of two registers stands in ModRM.rm; `other`: not the usual one (`.s`). */
  readonly direction?: 'load' | 'store' | 'other';
  readonly rex?: boolean;
}

export interface Choice {
  readonly best: Encoding;
  /** The form with the longer displacement, for jumps that may have to grow. */
  readonly near?: Encoding;
  readonly warning?: string;
}

/**
 * The encoding that GNU as takes for operands; with the longer form for jumps that may have to grow.
 * @throws AssemblyError when there is none
 */
export function chooseEncodings(
  name: string,
  meanings: readonly MnemonicMeaning[],
  operands: readonly Operand[],
  bits: Bits,
  isIntel = false,
  wish: EncodingWish = {},
): Choice {
  let hasMatch = false;
  for (const meaning of meanings) {
    const matches = matchesOf(meaning, operands, bits, isIntel).filter(({ form }) => suitsWish(form, wish));
    if (matches.length === 0) continue;
    hasMatch = true;
    const sized = withDefaultWidth(name, meaning, matches, operands, bits);
    if (isIntel && sized.warning) throw new AssemblyError(`ambiguous operand size for '${name}'`);
    const encoded = sized.matches.flatMap((match) => {
      const encoding = encodeMatch(match, operands, bits, wish);
      return encoding ? [{ match, encoding }] : [];
    });
    if (encoded.length === 0) continue;
    const warning = sized.warning ? { warning: sized.warning } : {};
    const short = encoded.find(({ match }) => /^br\d+_1$/.test(match.form.kinds[0] ?? ''));
    const near = encoded.find(({ match }) => /^br\d+_[24]$/.test(match.form.kinds[0] ?? ''));
    if (short && near) return { best: short.encoding, near: near.encoding, ...warning };
    return { best: withDirection(encoded, bestOf(encoded), wish).encoding, ...warning };
  }
  throw noEncoding(name, meanings, operands, bits, hasMatch);
}

interface Candidate {
  readonly match: Match;
  readonly encoding: Encoding;
}

/** `InstructionForm.encodingRank` of forms that only `{vex}` asks for. */
const ON_DEMAND = 3;

/** The oldest encoding that can say it, and of those the shortest, as GNU as chooses. */
function bestOf(encoded: readonly Candidate[]): Candidate {
  let best = encoded[0];
  for (const candidate of encoded) {
    const rank = candidate.match.form.encodingRank - best.match.form.encodingRank;
    const length = candidate.encoding.bytes.length - best.encoding.bytes.length;
    const breaksTie = length === 0 && isPreferred(candidate.match) && !isPreferred(best.match);
    if (rank < 0 || (rank === 0 && (length < 0 || breaksTie))) best = candidate;
  }
  return best;
}

/** Of two registers either may stand in ModRM.rm: the other form of the same length. */
function withDirection(
  encoded: readonly Candidate[],
  best: Candidate,
  { direction }: EncodingWish,
): Candidate {
  if (!direction) return best;
  const isSwapped = ({ match, encoding }: Candidate): boolean => {
    if (match.form.encodingRank !== best.match.form.encodingRank || match === best.match) return false;
    return encoding.bytes.length === best.encoding.bytes.length;
  };
  const isOther = ({ match }: Candidate): boolean =>
    match !== best.match && match.form.encodingRank === 0 && best.match.form.encodingRank === 0;
  const other = encoded.find(isSwapped) ?? (direction === 'other' ? encoded.find(isOther) : undefined);
  if (!other) return best;
  if (direction === 'other') return other;
  const isStore = ({ match }: Candidate): boolean => /_or_mem/.test(match.form.kinds[0] ?? '');
  return [best, other].find((candidate) => isStore(candidate) === (direction === 'store')) ?? best;
}

function suitsWish(form: InstructionForm, { encoding }: EncodingWish): boolean {
  if (!encoding) return form.encodingRank !== ON_DEMAND;
  return encoding === 'evex' ? form.isEvex : form.isVex;
}

/** Of encodings of one length GNU as takes the sign-extended byte, and FMA4's form with the register in the immediate first. */
const isPreferred = ({ form: { kinds, mnemonic } }: Match): boolean => {
  const isXop = mnemonic === 'vpcmov' || mnemonic === 'vpperm';
  return kinds.some((kind) => kind.startsWith('imm8sex')) || /_is4$/.test(kinds[isXop ? 3 : 2] ?? '');
};

function matchesOf(
  meaning: MnemonicMeaning,
  operands: readonly Operand[],
  bits: Bits,
  isIntel: boolean,
): Match[] {
  // A far target is selector, offset in both syntaxes.
  const isFarTarget = meaning.isFar && operands.length === 2;
  const ordered = intelOrder(meaning.mnemonic, operands, isIntel || isFarTarget);
  const hasRounding = operands.some((operand) => operand.kind === 'rounding');
  const matches: Match[] = [];
  for (const form of formsOf(meaning.mnemonic)) {
    if (hasRounding && !form.isEvex) continue;
    if (!suitsMnemonic(form, meaning, bits)) continue;
    const filled = fillForm(form, meaning, ordered, bits);
    if (filled) matches.push({ form, operands: filled });
  }
  return matches;
}

const NEEDS_NO_WIDTH =
  /^(call|jmp|push|pop|ret|retf|leave|enter|mov|nop|fst?sw|fnstsw|fn?stenv|fldenv|fn?save|frstor|v?p(extr|insr)[bw]|[ls][gi]dt|[sl]ldt|str|ltr|ver[rw]|[sl]msw)$/;

/** Without a suffix and without a register, the width is the mode's default, and GNU as says so. */
function withDefaultWidth(
  name: string,
  meaning: MnemonicMeaning,
  matches: readonly Match[],
  operands: readonly Operand[],
  bits: Bits,
): { matches: readonly Match[]; warning?: string } {
  const hasMemory = operands.some((operand) => operand.kind === 'memory' && operand.sizeBits === undefined);
  if (meaning.suffixBits !== undefined || !hasMemory || meaning.isFar) return { matches };
  const widths = new Set(matches.map(({ form }) => form.suffixBits));
  const isSegmentMove = matches.some(({ form }) => form.kinds.includes('seg_reg'));
  if (
    widths.size < 2 ||
    isSegmentMove ||
    matches.some(({ form }) => form.kinds.some((kind) => kind.startsWith('br')))
  )
    return { matches };
  if (
    operands.some(
      (operand) => operand.kind === 'register' && matches.every((match) => determinesWidth(match, operand)),
    )
  )
    return { matches };
  const wanted = defaultWidth(name, widths, bits);
  const defaulted = matches.filter(({ form }) => form.suffixBits === wanted);
  if (defaulted.length === 0) return { matches };
  const isSilent = NEEDS_NO_WIDTH.test(name) && name !== 'mov';
  return {
    matches: defaulted,
    ...(isSilent
      ? {}
      : {
          warning: `no instruction mnemonic suffix given and no register operands; using ${wanted} bits for '${name}'`,
        }),
  };
}

function defaultWidth(name: string, widths: ReadonlySet<number>, bits: Bits): number {
  // The x87 environment has a 16-bit and a 32-bit layout.
  if (/^fn?(st|ld)env|^fn?save|^frstor/.test(name))
    return bits === 16 ? Math.min(...widths) : Math.max(...widths);
  if (name.startsWith('f')) return Math.min(...widths);
  return bits === 16 ? 16 : 32;
}

/** Does the register stand where the form has one register class only, of the form's width? */
function determinesWidth({ form }: Match, operand: Operand): boolean {
  if (operand.kind !== 'register') return false;
  return form.kinds.some(
    (kind) => /^(r8|r16|r32|r64|al|ax|eax|rax)(_|$)/.test(kind) && !kind.endsWith('_or_mem'),
  );
}

function noEncoding(
  name: string,
  meanings: readonly MnemonicMeaning[],
  operands: readonly Operand[],
  bits: Bits,
  hasMatch: boolean,
): AssemblyError {
  const forms = meanings.flatMap(({ mnemonic }) => formsOf(mnemonic));
  if (hasMatch) return valueError(name, operands);
  const suitable = meanings.flatMap((meaning) =>
    formsOf(meaning.mnemonic).filter((form) => suitsMnemonic(form, meaning, bits)),
  );
  if (!forms.some((form) => form.modes[bits])) {
    return new AssemblyError(`'${name}' is not supported in ${bits}-bit mode`);
  }
  if (suitable.length === 0) return new AssemblyError(`invalid instruction suffix for '${name}'`);
  if (!suitable.some((form) => mayTake(form, operands.length))) {
    return new AssemblyError(`number of operands mismatch for '${name}'`);
  }
  return new AssemblyError(`operand type mismatch for '${name}'`);
}

function mayTake(form: InstructionForm, count: number): boolean {
  return form.kinds.length === count || form.kinds.length - 1 === count || form.kinds[0]?.startsWith('farbr');
}

function valueError(name: string, operands: readonly Operand[]): AssemblyError {
  for (const operand of operands) {
    if (operand.kind !== 'immediate') continue;
    const value = constantValue(operand.value);
    if (value !== undefined && (value > 0x7fn || value < -0x80n)) {
      return new AssemblyError(
        `value ${hex(value)} does not fit the operand of '${name}'`,
        operand.start,
        operand.end,
      );
    }
  }
  for (const operand of operands) {
    if (operand.kind !== 'memory' || !operand.displacement) continue;
    const value = constantValue(operand.displacement);
    if (value !== undefined) {
      return new AssemblyError(
        `address or displacement ${hex(value)} is out of range for '${name}'`,
        operand.start,
        operand.end,
      );
    }
  }
  return new AssemblyError(`the operands of '${name}' cannot be encoded together`);
}

const hex = (value: bigint): string =>
  value < 0n ? `-0x${(-value).toString(16)}` : `0x${value.toString(16)}`;
