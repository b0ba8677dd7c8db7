import { encodeMatch } from './encode.js';
import type { Encoding } from './encode.js';
import type { NameResolver } from './expression.js';
import { constantValue } from './expression.js';
import { formsOf } from './instructionTable.js';
import type { InstructionForm } from './instructionTable.js';
import { TokenReader, tokenize } from './lexer.js';
import { fillForm, intelOrder, suitsMnemonic } from './match.js';
import type { Bits, Match } from './match.js';
import { meaningsOf } from './mnemonics.js';
import type { MnemonicMeaning } from './mnemonics.js';
import { parseOperands } from './operands.js';
import type { Operand } from './operands.js';
import type { Fragment } from './sections.js';
import { AssemblyError } from './source.js';
import type { SourceText } from './source.js';

const PREFIXES: Readonly<Record<string, number>> = {
  rep: 0xf3,
  repe: 0xf3,
  repz: 0xf3,
  repne: 0xf2,
  repnz: 0xf2,
  lock: 0xf0,
  xacquire: 0xf2,
  xrelease: 0xf3,
  bnd: 0xf2,
  notrack: 0x3e,
  data16: 0x66,
  data32: 0x66,
  addr16: 0x67,
  addr32: 0x67,
  cs: 0x2e,
  ds: 0x3e,
  es: 0x26,
  ss: 0x36,
  fs: 0x64,
  gs: 0x65,
  rex64: 0x48,
};

/** GNU as writes legacy prefixes in this order, whatever the source's order is. */
const PREFIX_ORDER: Readonly<Record<number, number>> = {
  0x2e: 0,
  0x3e: 0,
  0x26: 0,
  0x36: 0,
  0x64: 0,
  0x65: 0,
  0x67: 1,
  0x66: 2,
  0xf2: 3,
  0xf3: 3,
  0xf0: 4,
};

/** `jne,pt`: predict taken, `,pn`: not taken. */
const BRANCH_HINTS: Readonly<Record<string, number>> = { ',pt': 0x3e, ',pn': 0x2e };

/** `rex`, `rex.wrxb`: the letters are the bits of the prefix (SDM 2A 2.2.1.2). */
function rexPrefix(name: string, bits: Bits): number | undefined {
  const letters = /^rex(?:\.([wrxb]+))?$/.exec(name);
  if (!letters || bits !== 64) return undefined;
  return [...(letters[1] ?? '')].reduce((prefix, letter) => prefix | (8 >> 'wrxb'.indexOf(letter)), 0x40);
}

export interface AssembledInstruction {
  readonly fragment: Fragment;
  readonly warning?: string;
}

/**
 * Assembles one instruction statement (AT&T syntax).
 * @throws AssemblyError
 */
export function assembleInstruction(
  source: SourceText,
  bits: Bits,
  names: NameResolver,
): AssembledInstruction {
  const prefixes: number[] = [];
  let position = 0;
  for (;;) {
    const word = /^\s*((?:rex\.)?[A-Za-z][\w]*)(,(?:p[nt])\b)?/.exec(source.text.slice(position));
    if (!word)
      throw new AssemblyError(
        `expected an instruction, found '${source.text.slice(position).trim()}'`,
        position,
      );
    const name = word[1].toLowerCase();
    const end = position + word[0].length;
    const prefix = PREFIXES[name] ?? rexPrefix(name, bits);
    if (prefix === undefined) {
      if (word[2]) prefixes.push(BRANCH_HINTS[word[2]]);
      return assembleAfterPrefixes(source, name, position, end, prefixes, bits, names);
    }
    prefixes.push(prefix);
    position = end;
    if (source.text.slice(position).trim() === '') {
      const bytes = Uint8Array.from(prefixes);
      return {
        fragment: { kind: 'bytes', source, bytes, fixups: [], size: bytes.length, isInstruction: true },
      };
    }
  }
}

function assembleAfterPrefixes(
  source: SourceText,
  name: string,
  nameStart: number,
  nameEnd: number,
  prefixes: readonly number[],
  bits: Bits,
  names: NameResolver,
): AssembledInstruction {
  const meanings = meaningsOf(name, bits);
  const known = meanings.filter(({ mnemonic }) => formsOf(mnemonic).length > 0);
  if (known.length === 0) throw new AssemblyError(`no such instruction: '${name}'`, nameStart, nameEnd);
  const reader = new TokenReader(tokenize(source.text, nameEnd), source.text.length);
  const operands = parseOperands(reader, names);
  const choice = chooseEncodings(name, known, operands, bits);
  return {
    fragment: makeFragment(source, choice, prefixes),
    ...(choice.warning ? { warning: choice.warning } : {}),
  };
}

interface Choice {
  readonly best: Encoding;
  /** The form with the longer displacement, for jumps that may have to grow. */
  readonly near?: Encoding;
  readonly warning?: string;
}

function chooseEncodings(
  name: string,
  meanings: readonly MnemonicMeaning[],
  operands: readonly Operand[],
  bits: Bits,
): Choice {
  let hasMatch = false;
  for (const meaning of meanings) {
    const matches = matchesOf(meaning, operands, bits);
    if (matches.length === 0) continue;
    hasMatch = true;
    const sized = withDefaultWidth(name, meaning, matches, operands, bits);
    const encoded = sized.matches.flatMap((match) => {
      const encoding = encodeMatch(match, operands, bits);
      return encoding ? [{ match, encoding }] : [];
    });
    if (encoded.length === 0) continue;
    const warning = sized.warning ? { warning: sized.warning } : {};
    const short = encoded.find(({ match }) => /^br\d+_1$/.test(match.form.kinds[0] ?? ''));
    const near = encoded.find(({ match }) => /^br\d+_[24]$/.test(match.form.kinds[0] ?? ''));
    if (short && near) return { best: short.encoding, near: near.encoding, ...warning };
    return { best: bestOf(encoded), ...warning };
  }
  throw noEncoding(name, meanings, operands, bits, hasMatch);
}

/** The oldest encoding that can say it, and of those the shortest, as GNU as chooses. */
function bestOf(encoded: readonly { match: Match; encoding: Encoding }[]): Encoding {
  let best = encoded[0];
  for (const candidate of encoded) {
    const rank = candidate.match.form.encodingRank - best.match.form.encodingRank;
    const length = candidate.encoding.bytes.length - best.encoding.bytes.length;
    const breaksTie = length === 0 && isPreferred(candidate.match) && !isPreferred(best.match);
    if (rank < 0 || (rank === 0 && (length < 0 || breaksTie))) best = candidate;
  }
  return best.encoding;
}

/** Of encodings of one length GNU as takes the sign-extended byte, and FMA4's form with the register in the immediate first. */
const isPreferred = ({ form: { kinds } }: Match): boolean =>
  kinds.some((kind) => kind.startsWith('imm8sex')) || /_is4$/.test(kinds[2] ?? '');

function matchesOf(meaning: MnemonicMeaning, operands: readonly Operand[], bits: Bits): Match[] {
  const ordered =
    meaning.isFar && operands.length === 2
      ? [...intelOrder(meaning.mnemonic, operands)].reverse()
      : intelOrder(meaning.mnemonic, operands);
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

const NEEDS_NO_WIDTH = /^(call|jmp|push|pop|ret|retf|leave|enter|mov|nop|fst?sw|fnstsw|lgdt|lidt|sgdt|sidt)$/;

/** Without a suffix and without a register, the width is the mode's default, and GNU as says so. */
function withDefaultWidth(
  name: string,
  meaning: MnemonicMeaning,
  matches: readonly Match[],
  operands: readonly Operand[],
  bits: Bits,
): { matches: readonly Match[]; warning?: string } {
  const hasMemory = operands.some((operand) => operand.kind === 'memory');
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

function makeFragment(source: SourceText, { best, near }: Choice, prefixes: readonly number[]): Fragment {
  const short = withPrefixes(best, prefixes);
  if (!near) {
    return {
      kind: 'bytes',
      source,
      bytes: short.bytes,
      fixups: short.fixups,
      size: short.bytes.length,
      isInstruction: true,
    };
  }
  const long = withPrefixes(near, prefixes);
  return {
    kind: 'branch',
    source,
    short: { bytes: short.bytes, fixup: short.fixups[0] },
    near: { bytes: long.bytes, fixup: long.fixups[0] },
    isNear: false,
    size: short.bytes.length,
    isInstruction: true,
  };
}

function withPrefixes({ bytes, fixups }: Encoding, prefixes: readonly number[]): Encoding {
  const isRex = (byte: number): boolean => byte >= 0x40 && byte < 0x50;
  let legacyEnd = 0;
  while (bytes[legacyEnd] in PREFIX_ORDER) legacyEnd++;
  if (prefixes.length === 0 && legacyEnd < 2) return { bytes, fixups };
  const legacy = [...prefixes.filter((byte) => !isRex(byte)), ...bytes.subarray(0, legacyEnd)];
  legacy.sort((left, right) => PREFIX_ORDER[left] - PREFIX_ORDER[right]);
  const all = Uint8Array.from([...legacy, ...prefixes.filter(isRex), ...bytes.subarray(legacyEnd)]);
  return {
    bytes: all,
    fixups: fixups.map((fixup) => ({ ...fixup, offset: fixup.offset + prefixes.length })),
  };
}
