import { Register, RegisterExt } from 'iced-x86';
import type { Expression } from './expression.js';
import { foldConstants, parseRelocation } from './expression.js';
import { registerBits, registerByName } from './instructionTable.js';
import type { Token, TokenReader } from './lexer.js';
import type { Syntax } from './mnemonics.js';
import { checkAddressing, parseDecorations, parseRounding } from './operands.js';
import type { Operand } from './operands.js';
import { AssemblyError } from './source.js';

/** `dword ptr`: bits of the memory operand. */
const SIZES: Readonly<Record<string, number>> = {
  byte: 8,
  word: 16,
  dword: 32,
  fword: 48,
  qword: 64,
  mmword: 64,
  tbyte: 80,
  oword: 128,
  xmmword: 128,
  ymmword: 256,
  zmmword: 512,
};
const BINARY: Readonly<Record<string, { readonly operator: string; readonly strength: number }>> = {
  '|': { operator: '|', strength: 1 },
  or: { operator: '|', strength: 1 },
  '^': { operator: '^', strength: 2 },
  xor: { operator: '^', strength: 2 },
  '&': { operator: '&', strength: 3 },
  and: { operator: '&', strength: 3 },
  '+': { operator: '+', strength: 4 },
  '-': { operator: '-', strength: 4 },
  '*': { operator: '*', strength: 5 },
  '/': { operator: '/', strength: 5 },
  '%': { operator: '%', strength: 5 },
  mod: { operator: '%', strength: 5 },
  '<<': { operator: '<<', strength: 5 },
  shl: { operator: '<<', strength: 5 },
  '>>': { operator: '>>', strength: 5 },
  shr: { operator: '>>', strength: 5 },
};
const UNARY: Readonly<Record<string, string>> = { '-': '-', '+': '+', '~': '~', not: '~', '!': '!' };

interface ScaledRegister {
  readonly register: Register;
  /** 0: no scale was written. */
  readonly scale: number;
}

/** The sum that an operand is: registers and a number, and how it was written. */
interface Sum {
  readonly registers: readonly ScaledRegister[];
  readonly number: Expression | undefined;
  /** Square brackets: memory. */
  readonly hasBrackets: boolean;
  /** `offset name`: the address itself. */
  readonly isOffset: boolean;
  readonly segment: Register;
}

const BRANCH = /^(j\w+|call|loop\w*|xbegin)$/;

/**
 * Operands in Intel syntax, in their written order.
 * @throws AssemblyError
 */
export function parseIntelOperands(reader: TokenReader, mnemonic: string, syntax: Syntax): Operand[] {
  return new IntelOperandParser(reader, mnemonic, syntax).parse();
}

class IntelOperandParser {
  constructor(
    private readonly reader: TokenReader,
    private readonly mnemonic: string,
    private readonly syntax: Syntax,
  ) {}

  parse(): Operand[] {
    const operands: Operand[] = [];
    if (this.reader.atEnd()) return operands;
    do operands.push(...this.operand());
    while (this.reader.accept(','));
    this.reader.expectEnd();
    return operands;
  }

  private operand(): Operand[] {
    const { reader } = this;
    const start = reader.offset();
    if (reader.is('{')) return [parseRounding(reader)];
    const { sizeBits, isFar } = this.sizePrefix();
    const sum = this.expression(1);
    if (reader.accept(':')) {
      const offset = this.expression(1);
      const end = reader.lastEnd();
      if (!sum.number || !offset.number) throw new AssemblyError('expected selector:offset', start, end);
      return [
        { kind: 'immediate', value: sum.number, start, end },
        { kind: 'immediate', value: offset.number, start, end },
      ];
    }
    const operand = this.classify(sum, sizeBits, start);
    const decorations = parseDecorations(reader);
    return [{ ...operand, ...decorations, ...(isFar ? { isFar } : {}), start, end: reader.lastEnd() }];
  }

  /** `dword ptr`, `far ptr`, `short`. */
  private sizePrefix(): { sizeBits: number | undefined; isFar: boolean } {
    const { reader } = this;
    let sizeBits: number | undefined;
    let isFar = false;
    for (;;) {
      const token = reader.peek();
      const word = token?.kind === 'name' ? token.text.toLowerCase() : '';
      const isSize = word in SIZES && !this.endsOperand(reader.peek(1));
      if (isSize) sizeBits = SIZES[word];
      else if (word === 'far' || word === 'near' || word === 'short') isFar ||= word === 'far';
      else if (word !== 'ptr' && word !== 'bcst' && word !== 'flat') return { sizeBits, isFar };
      reader.next();
      if (word === 'flat') reader.accept(':');
    }
  }

  private endsOperand(token: Token | undefined): boolean {
    return !token || token.text === ',';
  }

  private classify(sum: Sum, sizeBits: number | undefined, start: number): Operand {
    const { registers, number, hasBrackets, isOffset, segment } = sum;
    const end = this.reader.lastEnd();
    const [first] = registers;
    const isPlain = !hasBrackets && segment === Register.None && sizeBits === undefined;
    if (isPlain && registers.length === 1 && !number && first.scale === 0)
      return { kind: 'register', register: first.register, indirect: true, start, end };
    const isBranch = BRANCH.test(this.mnemonic);
    const isName = number !== undefined && hasName(number);
    if (isPlain && registers.length === 0 && number && !isBranch && (isOffset || !isName))
      return { kind: 'immediate', value: number, start, end };
    const { base, index, scale } = addressing(registers, start, end);
    const isTarget = isPlain && isBranch && registers.length === 0;
    const memory = {
      kind: 'memory',
      segment,
      displacement: number,
      base,
      index,
      scale,
      hasParentheses: hasBrackets || registers.length > 0,
      ...(isTarget ? {} : { indirect: true }),
      ...(sizeBits === undefined ? {} : { sizeBits }),
      ...(isPlain && !isTarget && registers.length === 0 ? { isBareName: true } : {}),
      start,
      end,
    } as const;
    checkAddressing(memory);
    return memory;
  }

  private expression(minimum: number): Sum {
    let left = this.factor();
    for (;;) {
      const token = this.reader.peek();
      const binary = token && token.kind !== 'string' ? BINARY[token.text.toLowerCase()] : undefined;
      if (!binary || binary.strength < minimum) return left;
      this.reader.next();
      left = this.combine(binary.operator, left, this.expression(binary.strength + 1));
    }
  }

  private factor(): Sum {
    const { reader } = this;
    let sum = this.primary();
    // `table[rbx]` is a sum too.
    while (reader.is('[')) sum = { ...this.combine('+', sum, this.primary()), hasBrackets: true };
    return sum;
  }

  private primary(): Sum {
    const { reader } = this;
    const token = reader.peek();
    if (!token) throw reader.error('expected an operand');
    const word = token.text.toLowerCase();
    if (reader.accept('[') || reader.accept('(')) {
      const inner = this.expression(1);
      reader.expect(word === '[' ? ']' : ')');
      return word === '[' ? { ...inner, hasBrackets: true } : inner;
    }
    if (word in UNARY && token.kind !== 'string') {
      reader.next();
      return this.negate(UNARY[word], token, this.factor());
    }
    if (token.kind === 'name' && word === 'offset') {
      reader.next();
      const flat = reader.peek();
      if (flat?.text.toLowerCase() === 'flat' && reader.is(':', 1)) {
        reader.next();
        reader.next();
      }
      return { ...this.factor(), isOffset: true };
    }
    const register = this.register(token);
    if (register !== undefined) return this.registerOrSegment(register);
    return this.number(token);
  }

  private register(token: Token): Register | undefined {
    if (token.kind === 'register') {
      const register = registerByName(token.text);
      if (register === undefined)
        throw new AssemblyError(`bad register name '%${token.text}'`, token.start, token.end);
      this.reader.next();
      return register;
    }
    if (token.kind !== 'name' || this.syntax.registerPrefix) return undefined;
    const name = token.text.toLowerCase();
    const register = registerByName(name);
    if (register === undefined) return undefined;
    this.reader.next();
    if (name !== 'st' || !this.reader.is('(')) return register;
    this.reader.next();
    const number = this.reader.next();
    this.reader.expect(')');
    return registerByName(`st(${number?.value ?? ''})`);
  }

  private registerOrSegment(register: Register): Sum {
    const { reader } = this;
    if (RegisterExt.isSegmentRegister(register) && reader.accept(':'))
      return { ...this.expression(4), segment: register };
    return {
      registers: [{ register, scale: 0 }],
      number: undefined,
      hasBrackets: false,
      isOffset: false,
      segment: Register.None,
    };
  }

  private number(token: Token): Sum {
    const { reader } = this;
    const { start, end } = token;
    let number: Expression;
    switch (token.kind) {
      case 'number':
        number = { kind: 'constant', value: token.value, start, end };
        break;
      case 'localLabel':
        number = { kind: 'name', name: token.text, meaning: 'localLabel', start, end };
        break;
      case 'name':
      case 'string':
        number = {
          kind: 'name',
          name: token.text,
          meaning: token.text === '.' ? 'here' : 'symbol',
          start,
          end,
        };
        break;
      default:
        if (token.text !== '$') throw reader.error(`expected an operand, found '${token.text}'`);
        number = { kind: 'name', name: '.', meaning: 'here', start, end };
    }
    reader.next();
    return numberSum(parseRelocation(number, reader));
  }

  private negate(operator: string, token: Token, sum: Sum): Sum {
    if (sum.registers.length > 0 || !sum.number)
      throw new AssemblyError(`'${operator}' needs a number`, token.start, token.end);
    const { number } = sum;
    return {
      ...sum,
      number: foldConstants({
        kind: 'unary',
        operator,
        operand: number,
        start: token.start,
        end: number.end,
      }),
    };
  }

  private combine(operator: string, left: Sum, right: Sum): Sum {
    const common = {
      hasBrackets: left.hasBrackets || right.hasBrackets,
      isOffset: left.isOffset || right.isOffset,
      segment: left.segment === Register.None ? right.segment : left.segment,
    };
    const isScale = operator === '*' && left.registers.length + right.registers.length === 1;
    if (isScale) {
      const [{ register }] = [...left.registers, ...right.registers];
      const factor = left.number ?? right.number;
      if (factor?.kind !== 'constant') throw this.reader.error('expected a scale of 1, 2, 4 or 8');
      return { ...common, registers: [{ register, scale: Number(factor.value) }], number: undefined };
    }
    const mayHaveRegisters = operator === '+' || (operator === '-' && right.registers.length === 0);
    if (!mayHaveRegisters && left.registers.length + right.registers.length > 0)
      throw this.reader.error(`registers cannot be used with '${operator}'`);
    return {
      ...common,
      registers: [...left.registers, ...right.registers],
      number: combineNumbers(operator, left.number, right.number),
    };
  }
}

function numberSum(number: Expression): Sum {
  return { registers: [], number, hasBrackets: false, isOffset: false, segment: Register.None };
}

function combineNumbers(
  operator: string,
  left: Expression | undefined,
  right: Expression | undefined,
): Expression | undefined {
  if (!right) return left;
  if (!left) {
    const { start, end } = right;
    return operator === '-' ? foldConstants({ kind: 'unary', operator, operand: right, start, end }) : right;
  }
  return foldConstants({ kind: 'binary', operator, left, right, start: left.start, end: right.end });
}

function hasName(expression: Expression): boolean {
  switch (expression.kind) {
    case 'name':
      return true;
    case 'unary':
    case 'relocated':
      return hasName(expression.operand);
    case 'binary':
      return hasName(expression.left) || hasName(expression.right);
    default:
      return false;
  }
}

/** Which of the registers is the base and which the index. */
function addressing(
  registers: readonly ScaledRegister[],
  start: number,
  end: number,
): { base: Register; index: Register; scale: number } {
  const bad = (reason: string): AssemblyError => new AssemblyError(reason, start, end);
  if (registers.length > 2) throw bad('an address has two registers at most');
  for (const { scale } of registers) {
    if (![0, 1, 2, 4, 8].includes(scale)) throw bad('expecting scale factor of 1, 2, 4, or 8');
  }
  const [first, second] = registers;
  if (!first) return { base: Register.None, index: Register.None, scale: 1 };
  const isIndex = ({ register, scale }: ScaledRegister): boolean =>
    scale > 0 || RegisterExt.isVectorRegister(register);
  if (!second) {
    if (isIndex(first)) return { base: Register.None, index: first.register, scale: first.scale || 1 };
    return { base: first.register, index: Register.None, scale: 1 };
  }
  if (isIndex(first) && isIndex(second) && first.scale > 1 && second.scale > 1)
    throw bad('an address has one scaled register at most');
  const isStack = second.register === Register.RSP || second.register === Register.ESP;
  const isBase16 =
    registerBits(second.register) === 16 && [Register.BX, Register.BP].includes(second.register);
  const swaps =
    (isIndex(first) && !isIndex(second)) || (!isIndex(first) && !isIndex(second) && (isStack || isBase16));
  const [base, index] = swaps ? [second, first] : [first, second];
  return { base: base.register, index: index.register, scale: index.scale || 1 };
}
