import type { Assembly } from './assembly.js';
import { bindNames, constantValue, parseExpression } from './expression.js';
import { TokenReader, tokenize } from './lexer.js';
import { splitOutsideLiterals } from './lines.js';
import { AssemblyError } from './source.js';
import type { SourceText } from './source.js';

interface Condition {
  readonly source: SourceText;
  readonly outerActive: boolean;
  active: boolean;
  taken: boolean;
  sawElse: boolean;
}

type Test = (assembly: Assembly, source: SourceText, from: number) => boolean;

const numeric =
  (holds: (value: bigint) => boolean): Test =>
  (assembly, source, from) =>
    holds(absoluteValue(assembly, source, from));

const TESTS: Readonly<Record<string, Test>> = {
  '.if': numeric((value) => value !== 0n),
  '.ifne': numeric((value) => value !== 0n),
  '.ifeq': numeric((value) => value === 0n),
  '.ifge': numeric((value) => value >= 0n),
  '.ifgt': numeric((value) => value > 0n),
  '.ifle': numeric((value) => value <= 0n),
  '.iflt': numeric((value) => value < 0n),
  '.ifdef': (assembly, source, from) => isDefined(assembly, source, from),
  '.ifndef': (assembly, source, from) => !isDefined(assembly, source, from),
  '.ifnotdef': (assembly, source, from) => !isDefined(assembly, source, from),
  '.ifb': (_, source, from) => source.text.slice(from).trim() === '',
  '.ifnb': (_, source, from) => source.text.slice(from).trim() !== '',
  '.ifc': (_, source, from) => sameStrings(source, from),
  '.ifnc': (_, source, from) => !sameStrings(source, from),
  '.ifeqs': (_, source, from) => sameStrings(source, from),
  '.ifnes': (_, source, from) => !sameStrings(source, from),
};

function isDefined(assembly: Assembly, source: SourceText, from: number): boolean {
  const name = source.text.slice(from).trim();
  if (!/^[\w.$]+$/.test(name)) throw new AssemblyError('expected one symbol name', from);
  return assembly.symbols.isDefined(name);
}

function sameStrings(source: SourceText, from: number): boolean {
  const text = source.text.slice(from);
  const parts = splitOutsideLiterals(text, ',').map(({ start, end }) => text.slice(start, end).trim());
  if (parts.length !== 2) throw new AssemblyError('expected two strings', from);
  const unquoted = parts.map((part) => part.replace(/^(["'])(.*)\1$/, '$2'));
  return unquoted[0] === unquoted[1];
}

/**
 * The number that the operands of a directive are.
 * @throws AssemblyError when it depends on addresses that are not known yet
 */
export function absoluteValue(assembly: Assembly, source: SourceText, from: number): bigint {
  const reader = new TokenReader(tokenize(source.text, from), source.text.length);
  const expression = bindNames(parseExpression(reader), assembly.symbols);
  reader.expectEnd();
  const value = constantValue(expression);
  if (value === undefined) {
    throw new AssemblyError(
      'the expression has no constant value at this place',
      expression.start,
      expression.end,
    );
  }
  return BigInt.asIntN(64, value);
}

/** Open `.if` blocks. */
export class ConditionStack {
  private readonly stack: Condition[] = [];

  get isActive(): boolean {
    return this.stack.at(-1)?.active ?? true;
  }

  get depth(): number {
    return this.stack.length;
  }

  /** `.exitm` leaves the conditions that its macro opened. */
  closeDownTo(depth: number): void {
    this.stack.length = Math.min(this.stack.length, depth);
  }

  unclosed(): SourceText[] {
    return this.stack.map(({ source }) => source);
  }

  /** Takes a conditional directive; false for any other statement. */
  handle(source: SourceText, assembly: Assembly): boolean {
    if (source.text[0] !== '.') return false;
    const found = /^\.(if\w*|else(?:if)?|endif)(?![\w.$])/i.exec(source.text);
    if (!found) return false;
    const name = found[0].toLowerCase();
    const current = this.stack.at(-1);
    if (name.startsWith('.if')) {
      this.open(name, source, assembly);
    } else if (!current) {
      throw new AssemblyError(`${name} without .if`);
    } else if (name === '.endif') {
      this.stack.pop();
    } else {
      if (current.sawElse) throw new AssemblyError(`${name} after .else`);
      current.sawElse = name === '.else';
      const mayTake = current.outerActive && !current.taken;
      current.active = false;
      current.active = mayTake && (name === '.else' || TESTS['.if'](assembly, source, name.length));
      current.taken ||= current.active;
    }
    return true;
  }

  private open(name: string, source: SourceText, assembly: Assembly): void {
    const outerActive = this.isActive;
    const condition: Condition = { source, outerActive, active: false, taken: false, sawElse: false };
    this.stack.push(condition);
    if (!outerActive) return;
    const test = TESTS[name];
    if (!test) throw new AssemblyError(`unknown directive '${name}'`, 0, name.length);
    condition.active = test(assembly, source, name.length);
    condition.taken = condition.active;
  }
}
