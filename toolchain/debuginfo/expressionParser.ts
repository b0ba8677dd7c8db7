import { ExpressionError, tokenize } from './expressionLexer.js';
import type { Token } from './expressionLexer.js';
import type { Type } from './types.js';

/** The tree of a C expression. */
export type Expression =
  | { readonly kind: 'integer'; readonly value: bigint; readonly suffix: string; readonly decimal: boolean }
  | { readonly kind: 'float'; readonly value: number }
  | { readonly kind: 'character'; readonly value: number }
  | { readonly kind: 'identifier'; readonly name: string }
  | { readonly kind: 'register'; readonly name: string }
  | { readonly kind: 'unary'; readonly operator: string; readonly operand: Expression }
  | {
      readonly kind: 'binary';
      readonly operator: string;
      readonly left: Expression;
      readonly right: Expression;
    }
  | {
      readonly kind: 'logical';
      readonly operator: '&&' | '||';
      readonly left: Expression;
      readonly right: Expression;
    }
  | {
      readonly kind: 'conditional';
      readonly test: Expression;
      readonly yes: Expression;
      readonly no: Expression;
    }
  | { readonly kind: 'cast'; readonly type: Type; readonly operand: Expression }
  | { readonly kind: 'sizeofType'; readonly type: Type }
  | { readonly kind: 'sizeof'; readonly operand: Expression }
  | { readonly kind: 'member'; readonly object: Expression; readonly name: string; readonly arrow: boolean }
  | { readonly kind: 'index'; readonly array: Expression; readonly index: Expression }
  | { readonly kind: 'assign'; readonly target: Expression; readonly value: Expression };

/** What the parser must know to tell a cast from an expression in parentheses. */
export interface TypeNames {
  /** The type of that name; undefined when it is none, or when a variable hides it. */
  typeNamed(name: string): Type | undefined;
  readonly bits: 32 | 64;
}

/** C17 6.5.5 to 6.5.14: a higher number binds tighter. */
const PRECEDENCE: Readonly<Record<string, number>> = {
  '*': 10,
  '/': 10,
  '%': 10,
  '+': 9,
  '-': 9,
  '<<': 8,
  '>>': 8,
  '<': 7,
  '<=': 7,
  '>': 7,
  '>=': 7,
  '==': 6,
  '!=': 6,
  '&': 5,
  '^': 4,
  '|': 3,
  '&&': 2,
  '||': 1,
};

const ASSIGNMENTS = new Set(['=', '+=', '-=', '*=', '/=', '%=', '&=', '|=', '^=', '<<=', '>>=']);
const UNARY = new Set(['*', '&', '!', '~', '-', '+']);
const TAGS = new Set(['struct', 'union', 'enum']);
const QUALIFIERS = new Set(['const', 'volatile', 'restrict', '_Atomic']);
const INTEGER_WORDS = new Set(['signed', 'unsigned', 'char', 'short', 'int', 'long']);

/** Expressions deeper than this are no one's; the parser is recursive. */
const MAX_DEPTH = 200;

/** Parses a C expression. Throws an ExpressionError that says what is wrong. */
export function parseExpression(text: string, names: TypeNames): Expression {
  return new Parser(tokenize(text), names).whole();
}

class Parser {
  private position = 0;
  private depth = 0;

  constructor(
    private readonly tokens: readonly Token[],
    private readonly names: TypeNames,
  ) {}

  whole(): Expression {
    if (this.peek().kind === 'end') {
      throw new ExpressionError('an expression is expected');
    }
    const expression = this.assignment();
    if (this.peek().kind !== 'end') {
      throw new ExpressionError(`unexpected ${describe(this.peek())}`);
    }
    return expression;
  }

  private assignment(): Expression {
    if (++this.depth > MAX_DEPTH) {
      throw new ExpressionError('the expression is nested too deeply');
    }
    const target = this.conditional();
    const token = this.peek();
    let result = target;
    if (token.kind === 'operator' && ASSIGNMENTS.has(token.text)) {
      this.position++;
      const right = this.assignment();
      const operator = token.text.slice(0, -1);
      const value: Expression = operator === '' ? right : { kind: 'binary', operator, left: target, right };
      result = { kind: 'assign', target, value };
    }
    this.depth--;
    return result;
  }

  private conditional(): Expression {
    const test = this.binary(1);
    if (!this.accept('?')) {
      return test;
    }
    const yes = this.assignment();
    this.expect(':');
    return { kind: 'conditional', test, yes, no: this.conditional() };
  }

  private binary(minimum: number): Expression {
    let left = this.unary();
    for (;;) {
      const token = this.peek();
      const precedence = token.kind === 'operator' ? PRECEDENCE[token.text] : undefined;
      if (token.kind !== 'operator' || precedence === undefined || precedence < minimum) {
        return left;
      }
      this.position++;
      const right = this.binary(precedence + 1);
      const operator = token.text;
      left =
        operator === '&&' || operator === '||'
          ? { kind: 'logical', operator, left, right }
          : { kind: 'binary', operator, left, right };
    }
  }

  private unary(): Expression {
    if (++this.depth > MAX_DEPTH) {
      throw new ExpressionError('the expression is nested too deeply');
    }
    const expression = this.prefixed();
    this.depth--;
    return expression;
  }

  private prefixed(): Expression {
    const token = this.peek();
    if (token.kind === 'operator') {
      if (UNARY.has(token.text)) {
        this.position++;
        return { kind: 'unary', operator: token.text, operand: this.unary() };
      }
      if (token.text === '++' || token.text === '--') {
        throw new ExpressionError(`${token.text} is not supported; assign instead`);
      }
      const type = token.text === '(' ? this.typeInParentheses() : undefined;
      if (type !== undefined) {
        return { kind: 'cast', type, operand: this.unary() };
      }
    }
    if (token.kind === 'identifier' && token.name === 'sizeof') {
      this.position++;
      const type = this.typeInParentheses();
      return type === undefined ? { kind: 'sizeof', operand: this.unary() } : { kind: 'sizeofType', type };
    }
    return this.postfix();
  }

  private postfix(): Expression {
    let expression = this.primary();
    for (;;) {
      if (this.accept('.')) {
        expression = { kind: 'member', object: expression, name: this.identifier(), arrow: false };
      } else if (this.accept('->')) {
        expression = { kind: 'member', object: expression, name: this.identifier(), arrow: true };
      } else if (this.accept('[')) {
        const index = this.assignment();
        this.expect(']');
        expression = { kind: 'index', array: expression, index };
      } else if (this.at('(')) {
        throw new ExpressionError('calling a function of the program is not supported');
      } else {
        return expression;
      }
    }
  }

  private primary(): Expression {
    const token = this.tokens[this.position++];
    switch (token.kind) {
      case 'integer':
      case 'float':
      case 'character':
      case 'identifier':
      case 'register':
        return token;
      case 'operator':
        if (token.text === '(') {
          const inner = this.assignment();
          this.expect(')');
          return inner;
        }
        throw new ExpressionError(`unexpected ${describe(token)}`);
      default:
        throw new ExpressionError('the expression ends too early');
    }
  }

  /** `(type)`, or undefined with nothing consumed when the parenthesis opens an expression. */
  private typeInParentheses(): Type | undefined {
    const start = this.position;
    if (!this.accept('(')) {
      return undefined;
    }
    const base = this.typeSpecifiers();
    if (base === undefined) {
      this.position = start;
      return undefined;
    }
    const type = this.abstractDeclarator(base);
    this.expect(')');
    return type;
  }

  /** The words of a type name; undefined when they name no type. */
  private typeSpecifiers(): Type | undefined {
    const integerWords: string[] = [];
    let type: Type | undefined;
    let qualified = false;
    for (let token = this.peek(); token.kind === 'identifier'; token = this.peek()) {
      if (QUALIFIERS.has(token.name)) {
        qualified = true;
      } else if (TAGS.has(token.name) && type === undefined) {
        this.position++;
        type = this.required(`${token.name} ${this.identifierAhead()}`);
      } else if (INTEGER_WORDS.has(token.name) && type === undefined) {
        integerWords.push(token.name);
      } else if (integerWords.length === 0 && type === undefined) {
        type = this.names.typeNamed(token.name);
        if (type === undefined) {
          break;
        }
      } else {
        break;
      }
      this.position++;
    }
    if (integerWords.length > 0) {
      type = this.required(integerWords.join(' '));
    }
    if (type === undefined && qualified) {
      throw new ExpressionError('a type is expected after the qualifier');
    }
    return type;
  }

  private required(name: string): Type {
    const type = this.names.typeNamed(name);
    if (type === undefined) {
      throw new ExpressionError(`no type "${name}"`);
    }
    return type;
  }

  /** What follows the words of a type: `*`, `*const`, `[3]`, `(*)[3]`, `(*)(int, char *)`. */
  private abstractDeclarator(base: Type): Type {
    const type = this.pointersTo(base);
    const start = this.position;
    if (!this.accept('(')) {
      return this.arraysOf(type);
    }
    if (!this.at('*')) {
      this.position = start;
      return type;
    }
    // What stands behind the parentheses belongs to the type that the pointers inside them point to.
    const innerStart = this.position;
    this.pointersTo(type);
    this.expect(')');
    const outer = this.at('(') ? this.functionReturning(type) : this.arraysOf(type);
    const end = this.position;
    this.position = innerStart;
    const result = this.pointersTo(outer);
    this.position = end;
    return result;
  }

  private pointersTo(base: Type): Type {
    let type = base;
    for (;;) {
      const token = this.peek();
      if (this.accept('*')) {
        type = { kind: 'pointer', byteSize: this.names.bits / 8, target: type };
      } else if (token.kind === 'identifier' && QUALIFIERS.has(token.name)) {
        this.position++;
      } else {
        return type;
      }
    }
  }

  private arraysOf(element: Type): Type {
    const counts: number[] = [];
    while (this.accept('[')) {
      const token = this.tokens[this.position++];
      if (token.kind !== 'integer') {
        throw new ExpressionError('the length of an array type is expected');
      }
      counts.push(Number(token.value));
      this.expect(']');
    }
    return counts.reduceRight<Type>((inner, count) => ({ kind: 'array', element: inner, count }), element);
  }

  private functionReturning(returnType: Type): Type {
    const parameters: Type[] = [];
    this.expect('(');
    while (!this.at(')')) {
      const specifiers = this.typeSpecifiers();
      if (specifiers === undefined) {
        throw new ExpressionError(`a type is expected before ${describe(this.peek())}`);
      }
      parameters.push(this.abstractDeclarator(specifiers));
      if (!this.at(')')) {
        this.expect(',');
      }
    }
    this.expect(')');
    const isVoid = parameters.length === 1 && parameters[0].kind === 'void';
    return { kind: 'function', returnType, parameters: isVoid ? [] : parameters, variadic: false };
  }

  private peek(): Token {
    return this.tokens[this.position];
  }

  private at(operator: string): boolean {
    const token = this.peek();
    return token.kind === 'operator' && token.text === operator;
  }

  private accept(operator: string): boolean {
    const found = this.at(operator);
    this.position += found ? 1 : 0;
    return found;
  }

  private expect(operator: string): void {
    if (!this.accept(operator)) {
      throw new ExpressionError(`"${operator}" is expected before ${describe(this.peek())}`);
    }
  }

  private identifier(): string {
    const name = this.identifierAhead();
    this.position++;
    return name;
  }

  private identifierAhead(): string {
    const token = this.peek();
    if (token.kind !== 'identifier') {
      throw new ExpressionError(`a name is expected before ${describe(token)}`);
    }
    return token.name;
  }
}

function describe(token: Token): string {
  switch (token.kind) {
    case 'operator':
      return `"${token.text}"`;
    case 'end':
      return 'the end';
    case 'identifier':
      return `"${token.name}"`;
    case 'register':
      return `"$${token.name}"`;
    default:
      return `"${token.value}"`;
  }
}
