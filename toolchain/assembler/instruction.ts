import { chooseEncodings } from './choose.js';
import type { Choice, EncodingWish } from './choose.js';
import type { Encoding } from './encode.js';
import { bindNames, constantValue } from './expression.js';
import type { Expression, NameExpression, NameResolver } from './expression.js';
import { formsOf } from './instructionTable.js';
import { parseIntelOperands } from './intelOperands.js';
import { TokenReader, tokenize } from './lexer.js';
import type { Bits } from './match.js';
import { intelMeaningsOf, meaningsOf } from './mnemonics.js';
import type { MnemonicMeaning, Syntax } from './mnemonics.js';
import { parseOperands } from './operands.js';
import type { Operand } from './operands.js';
import type { Fixup, Fragment } from './sections.js';
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

/** Pseudo-prefixes of GNU as ("x86-Dependent Features", "Instruction Naming"). */
const WISHES: Readonly<Record<string, EncodingWish>> = {
  vex: { encoding: 'vex' },
  vex2: { encoding: 'vex' },
  vex3: { encoding: 'vex3' },
  evex: { encoding: 'evex' },
  disp8: { displacement: 8 },
  disp16: { displacement: 32 },
  disp32: { displacement: 32 },
  load: { direction: 'load' },
  store: { direction: 'store' },
  rex: { rex: true },
  nooptimize: {},
};
/** `mov.s` and the like say the same. */
const SUFFIX_WISHES: Readonly<Record<string, EncodingWish>> = {
  s: { direction: 'other' },
  d8: { displacement: 8 },
  d32: { displacement: 32 },
};

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

/** How a statement is to be read. */
export interface InstructionMode {
  readonly bits: Bits;
  readonly syntax: Syntax;
}

/** An instruction as its text alone says it: names are not looked up, so equal statements share it. */
interface ParsedInstruction {
  readonly prefixes: readonly number[];
  readonly name: string;
  readonly meanings: readonly MnemonicMeaning[];
  readonly operands: readonly Operand[];
  readonly names: readonly NameExpression[];
  readonly wish: EncodingWish;
  /** The encoding while no name stands for a number; made when it is needed first. */
  template: Template | undefined;
}

interface Template {
  readonly best: Encoding;
  readonly near: Encoding | undefined;
  readonly warning: string | undefined;
}

const MAX_CACHED = 100_000;
const parsedByMode = new Map<number, Map<string, ParsedInstruction>>();

function cacheOf({ bits, syntax }: InstructionMode): Map<string, ParsedInstruction> {
  const mode = bits + (syntax.name === 'intel' ? 1 : 0) + (syntax.registerPrefix ? 2 : 0);
  let cache = parsedByMode.get(mode);
  if (!cache || cache.size > MAX_CACHED) {
    cache = new Map();
    parsedByMode.set(mode, cache);
  }
  return cache;
}

/**
 * Assembles one instruction statement.
 * @throws AssemblyError
 */
export function assembleInstruction(
  source: SourceText,
  mode: InstructionMode,
  names: NameResolver & { isNumber(name: string): boolean },
): AssembledInstruction {
  const cache = cacheOf(mode);
  let parsed = cache.get(source.text);
  if (!parsed) {
    parsed = parseInstruction(source.text, mode);
    cache.set(source.text, parsed);
  }
  const hasNumber =
    parsed.names.length > 0 &&
    parsed.names.some(({ name, meaning }) => meaning === 'symbol' && names.isNumber(name));
  if (!hasNumber) {
    parsed.template ??= makeTemplate(parsed, parsed.operands, mode);
    const bound = bindTemplate(parsed.template, names);
    if (bound) return makeInstruction(source, bound);
  }
  const operands = parsed.operands.map((operand) => bindOperand(operand, names));
  return makeInstruction(source, makeTemplate(parsed, operands, mode));
}

function parseInstruction(text: string, mode: InstructionMode): ParsedInstruction {
  const { bits, syntax } = mode;
  const isIntel = syntax.name === 'intel';
  const prefixes: number[] = [];
  let wish: EncodingWish = {};
  let position = 0;
  for (;;) {
    const rest = text.slice(position);
    const pseudo = /^\s*\{\s*(\w+)\s*\}/.exec(rest);
    if (pseudo) {
      const wanted = WISHES[pseudo[1].toLowerCase()];
      if (!wanted) throw new AssemblyError(`unknown pseudo-prefix '{${pseudo[1]}}'`, position);
      wish = { ...wish, ...wanted };
      position += pseudo[0].length;
      continue;
    }
    const word =
      /^\s*((?:rex\.)?[A-Za-z]\w*(?:-(?:rng|ecb|cbc|ctr|cfb|ofb)\b)?)(?:\.(s|d8|d32)\b)?(,(?:p[nt])\b)?/i.exec(
        rest,
      );
    if (!word) throw new AssemblyError(`expected an instruction, found '${rest.trim()}'`, position);
    const name = word[1].toLowerCase();
    const end = position + word[0].length;
    const prefix = PREFIXES[name] ?? rexPrefix(name, bits);
    if (prefix === undefined) {
      if (word[3]) prefixes.push(BRANCH_HINTS[word[3]]);
      if (word[2]) wish = { ...wish, ...SUFFIX_WISHES[word[2].toLowerCase()] };
      const meaningsFor = (spelled: string): MnemonicMeaning[] =>
        (isIntel ? intelMeaningsOf(spelled, bits) : meaningsOf(spelled, bits)).filter(
          ({ mnemonic }) => formsOf(mnemonic).length > 0,
        );
      let known = meaningsFor(name);
      if (known.length === 0) throw new AssemblyError(`no such instruction: '${name}'`, position, end);
      const reader = new TokenReader(tokenize(text, end), text.length);
      const spelled = spelledOut(name, reader);
      if (spelled !== name) known = meaningsFor(spelled);
      const operands = isIntel ? parseIntelOperands(reader, name, syntax) : parseOperands(reader, syntax);
      return {
        prefixes,
        name,
        meanings: known,
        operands,
        names: namesIn(operands),
        wish,
        template: undefined,
      };
    }
    prefixes.push(prefix);
    position = end;
    if (text.slice(position).trim() === '') {
      const best = { bytes: Uint8Array.from(prefixes), fixups: [] };
      const template = { best, near: undefined, warning: undefined };
      return { prefixes, name, meanings: [], operands: [], names: [], wish, template };
    }
  }
}

/** x87 arithmetic without operands pops; `int $3` has an opcode of its own. */
function spelledOut(name: string, reader: TokenReader): string {
  if (reader.atEnd() && /^f(add|mul|subr?|divr?)$/.test(name)) return `${name}p`;
  if (name !== 'int') return name;
  const first = reader.is('$') ? 1 : 0;
  const number = reader.peek(first);
  if (number?.kind !== 'number' || number.value !== 3n || reader.peek(first + 1)) return name;
  while (reader.next());
  return 'int3';
}

function makeTemplate(
  { name, meanings, prefixes, wish }: ParsedInstruction,
  operands: readonly Operand[],
  { bits, syntax }: InstructionMode,
): Template {
  const choice: Choice = chooseEncodings(name, meanings, operands, bits, syntax.name === 'intel', wish);
  const isSized = choice.near !== undefined && wish.displacement !== undefined;
  const best = isSized && wish.displacement === 32 ? choice.near! : choice.best;
  const all = wish.rex && bits === 64 && !hasRex(best.bytes) ? [...prefixes, 0x40] : prefixes;
  return {
    best: withPrefixes(best, all),
    near: choice.near && !isSized ? withPrefixes(choice.near, prefixes) : undefined,
    warning: choice.warning,
  };
}

function namesIn(operands: readonly Operand[]): NameExpression[] {
  const names: NameExpression[] = [];
  const visit = (expression: Expression): void => {
    if (expression.kind === 'name') names.push(expression);
    else if (expression.kind === 'unary' || expression.kind === 'relocated') visit(expression.operand);
    else if (expression.kind === 'binary') {
      visit(expression.left);
      visit(expression.right);
    }
  };
  for (const operand of operands) {
    if (operand.kind === 'immediate') visit(operand.value);
    if (operand.kind === 'memory' && operand.displacement) visit(operand.displacement);
  }
  return names;
}

function bindOperand(operand: Operand, names: NameResolver): Operand {
  if (operand.kind === 'immediate') return { ...operand, value: bindNames(operand.value, names) };
  if (operand.kind !== 'memory' || !operand.displacement) return operand;
  const displacement = bindNames(operand.displacement, names);
  if (operand.isBareName && displacement.kind === 'constant')
    return { kind: 'immediate', value: displacement, start: operand.start, end: operand.end };
  return { ...operand, displacement };
}

/** The template with names looked up; undefined when one turns out to be a number, which may have a shorter form. */
function bindTemplate(template: Template, names: NameResolver): Template | undefined {
  if (template.best.fixups.length === 0) return template;
  const fixups = bindFixups(template.best.fixups, names);
  if (!fixups) return undefined;
  if (!template.near) return { ...template, best: { bytes: template.best.bytes, fixups } };
  const [{ expression }] = fixups;
  const near = { bytes: template.near.bytes, fixups: [{ ...template.near.fixups[0], expression }] };
  return { ...template, best: { bytes: template.best.bytes, fixups }, near };
}

function bindFixups(fixups: readonly Fixup[], names: NameResolver): Fixup[] | undefined {
  const bound: Fixup[] = [];
  for (const fixup of fixups) {
    const expression = bindNames(fixup.expression, names);
    if (expression !== fixup.expression && constantValue(expression) !== undefined) return undefined;
    bound.push(expression === fixup.expression ? fixup : { ...fixup, expression });
  }
  return bound;
}

function makeInstruction(source: SourceText, { best, near, warning }: Template): AssembledInstruction {
  const size = best.bytes.length;
  const fragment: Fragment = near
    ? {
        kind: 'branch',
        source,
        short: { bytes: best.bytes, fixup: best.fixups[0] },
        near: { bytes: near.bytes, fixup: near.fixups[0] },
        isNear: false,
        size,
        isInstruction: true,
      }
    : { kind: 'bytes', source, bytes: best.bytes, fixups: best.fixups, size, isInstruction: true };
  return warning === undefined ? { fragment } : { fragment, warning };
}

const isRex = (byte: number): boolean => byte >= 0x40 && byte < 0x50;

/** Does a REX prefix stand behind the legacy prefixes? */
function hasRex(bytes: Uint8Array): boolean {
  return isRex(bytes.find((byte) => !(byte in PREFIX_ORDER)) ?? 0);
}

function withPrefixes({ bytes, fixups }: Encoding, prefixes: readonly number[]): Encoding {
  let legacyEnd = 0;
  while (bytes[legacyEnd] in PREFIX_ORDER) legacyEnd++;
  if (prefixes.length === 0 && legacyEnd < 2) return { bytes, fixups };
  const own = bytes.subarray(0, legacyEnd);
  // A repeat prefix that is part of the instruction may be written too.
  const isOwn = (byte: number): boolean => (byte === 0xf2 || byte === 0xf3) && own.includes(byte);
  const legacy = [...prefixes.filter((byte) => !isRex(byte) && !isOwn(byte)), ...own];
  legacy.sort((left, right) => PREFIX_ORDER[left] - PREFIX_ORDER[right]);
  const all = Uint8Array.from([...legacy, ...prefixes.filter(isRex), ...bytes.subarray(legacyEnd)]);
  return {
    bytes: all,
    fixups: fixups.map((fixup) => ({ ...fixup, offset: fixup.offset + all.length - bytes.length })),
  };
}
