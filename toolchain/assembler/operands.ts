import { Register, RegisterExt } from 'iced-x86';
import type { Expression } from './expression.js';
import { parseExpression } from './expression.js';
import { registerBits, registerByName } from './instructionTable.js';
import type { TokenReader } from './lexer.js';
import type { Syntax } from './mnemonics.js';
import { AssemblyError } from './source.js';

interface OperandBase {
  /** Offsets in the statement. */
  readonly start: number;
  readonly end: number;
  /** AVX-512 decorations `{%k1}`, `{z}`, `{1to8}`. */
  readonly mask?: Register;
  readonly zeroing?: boolean;
  readonly broadcast?: number;
  /** `*operand`: an indirect jump or call. */
  readonly indirect?: boolean;
  /** Intel syntax: `far ptr`. */
  readonly isFar?: boolean;
}

export interface RegisterOperand extends OperandBase {
  readonly kind: 'register';
  readonly register: Register;
}

export interface ImmediateOperand extends OperandBase {
  readonly kind: 'immediate';
  readonly value: Expression;
}

/** `seg:displacement(base,index,scale)`; without parentheses it may be a jump's target as well. */
export interface MemoryOperand extends OperandBase {
  readonly kind: 'memory';
  readonly segment: Register;
  readonly displacement: Expression | undefined;
  readonly base: Register;
  readonly index: Register;
  readonly scale: number;
  readonly hasParentheses: boolean;
  /** Intel syntax: what `dword ptr` says. */
  readonly sizeBits?: number;
  /** Intel syntax: a name without brackets, which is an immediate when it stands for a number. */
  readonly isBareName?: boolean;
}

/** `{rn-sae}`, `{sae}`. */
export interface RoundingOperand extends OperandBase {
  readonly kind: 'rounding';
  readonly mode: string;
}

export type Operand = RegisterOperand | ImmediateOperand | MemoryOperand | RoundingOperand;

/** @throws AssemblyError */
export function parseOperands(reader: TokenReader, syntax: Syntax): Operand[] {
  const operands: Operand[] = [];
  if (reader.atEnd()) return operands;
  do {
    operands.push(parseOperand(reader, syntax));
  } while (reader.accept(','));
  reader.expectEnd();
  return operands;
}

function parseOperand(reader: TokenReader, syntax: Syntax): Operand {
  const start = reader.offset();
  if (reader.is('{')) return parseRounding(reader);
  if (!syntax.registerPrefix) reader.acceptBareRegisters((name) => registerByName(name) !== undefined);
  const indirect = reader.accept('*');
  const operand = parsePlainOperand(reader, start);
  return {
    ...operand,
    ...(indirect ? { indirect } : {}),
    ...parseDecorations(reader),
    start,
    end: reader.lastEnd(),
  };
}

/** `{rn-sae}` */
export function parseRounding(reader: TokenReader): RoundingOperand {
  const start = reader.offset();
  return { kind: 'rounding', mode: parseBraces(reader), start, end: reader.lastEnd() };
}

function parsePlainOperand(reader: TokenReader, start: number): Operand {
  const end = start;
  if (reader.accept('$')) return { kind: 'immediate', value: parseExpression(reader), start, end };
  if (reader.peek()?.kind !== 'register') return parseMemory(reader, Register.None, start);
  const register = readRegister(reader);
  if (!RegisterExt.isSegmentRegister(register) || !reader.accept(':'))
    return { kind: 'register', register, start, end };
  return parseMemory(reader, register, start);
}

function readRegister(reader: TokenReader): Register {
  const token = reader.next()!;
  const register = registerByName(token.text);
  if (register === undefined)
    throw new AssemblyError(`bad register name '%${token.text}'`, token.start, token.end);
  return register;
}

function parseMemory(reader: TokenReader, segment: Register, start: number): MemoryOperand {
  let displacement: Expression | undefined;
  if (!startsBaseIndex(reader)) displacement = parseExpression(reader);
  const memory = { kind: 'memory', segment, displacement, start, end: start } as const;
  if (!reader.accept('(')) {
    return { ...memory, base: Register.None, index: Register.None, scale: 1, hasParentheses: false };
  }
  const base = reader.peek()?.kind === 'register' ? readRegister(reader) : Register.None;
  let index: Register = Register.None;
  let scale = 1;
  if (reader.accept(',')) {
    if (reader.peek()?.kind === 'register') index = readRegister(reader);
    if (reader.accept(',') && !reader.is(')')) scale = readScale(reader);
  }
  reader.expect(')');
  const operand: MemoryOperand = {
    ...memory,
    base,
    index,
    scale,
    hasParentheses: true,
    end: reader.lastEnd(),
  };
  checkAddressing(operand);
  return operand;
}

/** `(%rax`, `(,`: the parenthesis does not belong to the displacement. */
function startsBaseIndex(reader: TokenReader): boolean {
  return reader.is('(') && (reader.peek(1)?.kind === 'register' || reader.is(',', 1));
}

function readScale(reader: TokenReader): number {
  const start = reader.offset();
  const expression = parseExpression(reader);
  const scale = expression.kind === 'constant' ? Number(expression.value) : 0;
  if (![1, 2, 4, 8].includes(scale)) {
    throw new AssemblyError('expecting scale factor of 1, 2, 4, or 8', start, reader.lastEnd());
  }
  return scale;
}

/** SDM 2A 2.1.5: what ModRM and SIB can say. */
export function checkAddressing({ base, index, start, end }: MemoryOperand): void {
  const fail = (): never => {
    throw new AssemblyError('not a valid base/index expression', start, end);
  };
  if (base === Register.DX && index === Register.None) return;
  const isRip = base === Register.RIP || base === Register.EIP;
  if (base !== Register.None && !isRip && !isAddressRegister(base)) fail();
  if (index !== Register.None) {
    if (isRip || index === Register.RSP || index === Register.ESP) fail();
    const isVector = RegisterExt.isVectorRegister(index);
    if (!isVector && !isAddressRegister(index)) fail();
    if (base !== Register.None && !isVector && registerBits(base) !== registerBits(index)) fail();
  }
}

function isAddressRegister(register: Register): boolean {
  return RegisterExt.isGPR(register) && registerBits(register) >= 16;
}

/** `{...}` as its text. */
function parseBraces(reader: TokenReader): string {
  reader.expect('{');
  let text = '';
  while (!reader.is('}')) {
    const token = reader.next();
    if (!token) throw reader.error("expected '}'");
    text += token.text;
  }
  reader.expect('}');
  return text.toLowerCase();
}

export function parseDecorations(reader: TokenReader): Pick<OperandBase, 'mask' | 'zeroing' | 'broadcast'> {
  let decorations: Pick<OperandBase, 'mask' | 'zeroing' | 'broadcast'> = {};
  while (reader.is('{')) {
    const start = reader.offset();
    const text = parseBraces(reader);
    const broadcast = /^1to(\d+)$/.exec(text);
    if (/^k[1-7]$/.test(text)) decorations = { ...decorations, mask: registerByName(text)! };
    else if (text === 'z') decorations = { ...decorations, zeroing: true };
    else if (broadcast) decorations = { ...decorations, broadcast: Number(broadcast[1]) };
    else throw new AssemblyError(`unknown decoration '{${text}}'`, start, reader.lastEnd());
  }
  return decorations;
}
