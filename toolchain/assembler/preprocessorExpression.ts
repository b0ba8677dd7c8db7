import { C_BINARY, C_PRECEDENCE, truth } from '../cOperators.js';
import { TokenReader, tokenize } from './lexer.js';
import { AssemblyError } from './source.js';

/**
 * The value of an `#if` expression in which macros are expanded already; a name that is left counts as 0.
 * @throws AssemblyError
 */
export function evaluatePreprocessorExpression(text: string): bigint {
  const withoutSuffixes = text.replace(/\b(0[xX][0-9a-fA-F]+|\d+)[uUlL]+\b/g, '$1');
  const reader = new TokenReader(tokenize(withoutSuffixes), text.length);
  const value = conditional(reader);
  reader.expectEnd();
  return value;
}

function conditional(reader: TokenReader): bigint {
  const condition = binary(reader, 1);
  if (!reader.accept('?')) return condition;
  const whenTrue = conditional(reader);
  reader.expect(':');
  const whenFalse = conditional(reader);
  return condition !== 0n ? whenTrue : whenFalse;
}

function binary(reader: TokenReader, minimum: number): bigint {
  let left = unary(reader);
  for (;;) {
    const operator = reader.peek();
    const precedence = operator?.kind === 'punctuation' ? C_PRECEDENCE[operator.text] : undefined;
    if (!operator || precedence === undefined || precedence < minimum) return left;
    reader.next();
    const right = binary(reader, precedence + 1);
    if (right === 0n && (operator.text === '/' || operator.text === '%')) {
      throw new AssemblyError('division by zero in #if');
    }
    left = C_BINARY[operator.text](left, right);
  }
}

function unary(reader: TokenReader): bigint {
  if (reader.accept('!')) return truth(unary(reader) === 0n);
  if (reader.accept('-')) return -unary(reader);
  if (reader.accept('+')) return unary(reader);
  if (reader.accept('~')) return ~unary(reader);
  if (reader.accept('(')) {
    const value = conditional(reader);
    reader.expect(')');
    return value;
  }
  const token = reader.next();
  if (token?.kind === 'number') return token.value;
  if (token?.kind === 'name') return 0n;
  throw new AssemblyError(token ? `unexpected '${token.text}' in #if` : '#if with no expression');
}
