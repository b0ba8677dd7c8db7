import { C_BINARY, C_PRECEDENCE, truth } from '../cOperators.js';
import { ScriptError } from './scriptLexer.js';
import type { ScriptLexer } from './scriptLexer.js';

/** An expression of a linker script, with the line that it stands in. */
export type ScriptExpression = { readonly line: number } & (
  | { readonly kind: 'number'; readonly value: bigint }
  /** A symbol; `.` is the location counter. */
  | { readonly kind: 'name'; readonly name: string }
  | { readonly kind: 'call'; readonly name: string; readonly args: readonly ScriptExpression[] }
  | { readonly kind: 'unary'; readonly operator: string; readonly operand: ScriptExpression }
  | {
      readonly kind: 'binary';
      readonly operator: string;
      readonly left: ScriptExpression;
      readonly right: ScriptExpression;
    }
  | {
      readonly kind: 'conditional';
      readonly test: ScriptExpression;
      readonly whenTrue: ScriptExpression;
      readonly whenFalse: ScriptExpression;
    }
);

const UNARY: Readonly<Record<string, (operand: bigint) => bigint>> = {
  '-': (operand) => -operand,
  '+': (operand) => operand,
  '~': (operand) => ~operand,
  '!': (operand) => truth(operand === 0n),
};
const UNITS: Readonly<Record<string, bigint>> = { k: 1024n, m: 1024n * 1024n };

/** @throws ScriptError */
export function parseScriptExpression(lexer: ScriptLexer): ScriptExpression {
  const test = parseBinary(lexer, 1);
  if (!lexer.accept('?')) return test;
  const whenTrue = parseScriptExpression(lexer);
  lexer.expect(':');
  const whenFalse = parseScriptExpression(lexer);
  return { kind: 'conditional', test, whenTrue, whenFalse, line: test.line };
}

function parseBinary(lexer: ScriptLexer, minimum: number): ScriptExpression {
  let left = parsePrimary(lexer);
  for (;;) {
    const operator = lexer.peek();
    const precedence = operator?.kind === 'operator' ? C_PRECEDENCE[operator.text] : undefined;
    if (!operator || precedence === undefined || precedence < minimum) return left;
    lexer.next();
    const right = parseBinary(lexer, precedence + 1);
    left = { kind: 'binary', operator: operator.text, left, right, line: operator.line };
  }
}

function parsePrimary(lexer: ScriptLexer): ScriptExpression {
  const token = lexer.next();
  if (!token) throw lexer.error('expected an expression');
  const { line, text } = token;
  if (token.kind === 'number') {
    const unit = UNITS[text.at(-1)!.toLowerCase()];
    const isHexadecimal = /^0x/i.test(text);
    const digits = unit && !isHexadecimal ? text.slice(0, -1) : text;
    return { kind: 'number', value: BigInt(digits) * (isHexadecimal ? 1n : (unit ?? 1n)), line };
  }
  if (text === '(' && token.kind === 'operator') {
    const inner = parseScriptExpression(lexer);
    lexer.expect(')');
    return inner;
  }
  if (token.kind === 'operator') {
    if (!(text in UNARY)) throw new ScriptError(`expected an expression, found '${text}'`, line);
    return { kind: 'unary', operator: text, operand: parsePrimary(lexer), line };
  }
  if (token.kind === 'string' || !lexer.accept('(')) return { kind: 'name', name: text, line };
  const args: ScriptExpression[] = [];
  if (!lexer.accept(')')) {
    do args.push(parseScriptExpression(lexer));
    while (lexer.accept(','));
    lexer.expect(')');
  }
  return { kind: 'call', name: text, args, line };
}

/** What names mean while a script is evaluated. */
export interface ScriptScope {
  /** `.` */
  readonly here: bigint;
  /** The value of a symbol; undefined when it has none. */
  symbol(name: string): bigint | undefined;
  isDefined(name: string): boolean;
  /** Address, load address, size or alignment of an output section; undefined when there is none. */
  section(name: string):
    | {
        readonly address: bigint;
        readonly loadAddress: bigint;
        readonly size: bigint;
        readonly alignment: bigint;
      }
    | undefined;
  /** Bytes of the ELF's headers. */
  readonly sizeOfHeaders: bigint;
}

const PAGE_SIZE = 0x1000n;

export const alignUp = (value: bigint, alignment: bigint): bigint =>
  alignment <= 1n ? value : ((value + alignment - 1n) / alignment) * alignment;

type Function = (args: readonly ScriptExpression[], scope: ScriptScope, line: number) => bigint;

function sectionOf(
  args: readonly ScriptExpression[],
  scope: ScriptScope,
  line: number,
): NonNullable<ReturnType<ScriptScope['section']>> {
  const [name] = args;
  const section = name?.kind === 'name' ? scope.section(name.name) : undefined;
  if (!section) throw new ScriptError(`no output section '${name?.kind === 'name' ? name.name : ''}'`, line);
  return section;
}

/** GNU ld, "Builtin Functions". */
const FUNCTIONS: Readonly<Record<string, Function>> = {
  ALIGN: ([first, second], scope) =>
    second
      ? alignUp(evaluateScript(first, scope), evaluateScript(second, scope))
      : alignUp(scope.here, evaluateScript(first, scope)),
  ABSOLUTE: ([value], scope) => evaluateScript(value, scope),
  ADDR: (args, scope, line) => sectionOf(args, scope, line).address,
  LOADADDR: (args, scope, line) => sectionOf(args, scope, line).loadAddress,
  SIZEOF: ([name], scope) => (name?.kind === 'name' ? (scope.section(name.name)?.size ?? 0n) : 0n),
  ALIGNOF: (args, scope, line) => sectionOf(args, scope, line).alignment,
  DEFINED: ([name], scope) => truth(name?.kind === 'name' && scope.isDefined(name.name)),
  MAX: ([left, right], scope) => {
    const values = [evaluateScript(left, scope), evaluateScript(right, scope)];
    return values[0] > values[1] ? values[0] : values[1];
  },
  MIN: ([left, right], scope) => {
    const values = [evaluateScript(left, scope), evaluateScript(right, scope)];
    return values[0] < values[1] ? values[0] : values[1];
  },
  CONSTANT: () => PAGE_SIZE,
};

/** @throws ScriptError for a symbol without a value and an unknown function */
export function evaluateScript(expression: ScriptExpression, scope: ScriptScope): bigint {
  switch (expression.kind) {
    case 'number':
      return expression.value;
    case 'name': {
      if (expression.name === '.') return scope.here;
      if (expression.name === 'SIZEOF_HEADERS') return scope.sizeOfHeaders;
      const value = scope.symbol(expression.name);
      if (value === undefined)
        throw new ScriptError(`undefined symbol '${expression.name}'`, expression.line);
      return value;
    }
    case 'call': {
      const implementation = FUNCTIONS[expression.name];
      if (!implementation)
        throw new ScriptError(`function ${expression.name}() is not supported`, expression.line);
      return implementation(expression.args, scope, expression.line);
    }
    case 'unary':
      return UNARY[expression.operator](evaluateScript(expression.operand, scope));
    case 'binary': {
      const left = evaluateScript(expression.left, scope);
      const right = evaluateScript(expression.right, scope);
      if (right === 0n && (expression.operator === '/' || expression.operator === '%'))
        throw new ScriptError('division by zero', expression.line);
      return BigInt.asUintN(64, C_BINARY[expression.operator](left, right));
    }
    case 'conditional':
      return evaluateScript(
        evaluateScript(expression.test, scope) !== 0n ? expression.whenTrue : expression.whenFalse,
        scope,
      );
  }
}
