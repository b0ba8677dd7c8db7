import type { BaseType } from './types.js';

const INTEGER_WORDS = new Set(['signed', 'unsigned', 'char', 'short', 'int', 'long']);

/**
 * One spelling for each of C's integer types (C17 6.7.2): `unsigned long` for what gcc names `long unsigned int`; other
 * names are returned as they are, with single spaces.
 */
export function canonicalTypeName(name: string): string {
  const words = name.trim().split(/\s+/);
  if (!words.every((word) => INTEGER_WORDS.has(word))) {
    return words.join(' ');
  }
  const count = (word: string): number => words.filter((candidate) => candidate === word).length;
  const unsigned = count('unsigned') > 0;
  if (count('char') > 0) {
    return unsigned ? 'unsigned char' : count('signed') > 0 ? 'signed char' : 'char';
  }
  const length = count('short') > 0 ? 'short' : ['int', 'long', 'long long'][Math.min(count('long'), 2)];
  return unsigned ? `unsigned ${length}` : length;
}

/** The types that a C program has without declaring them, for files whose debug information does not mention them. */
export function builtinType(name: string, bits: 32 | 64): BaseType | undefined {
  const canonical = canonicalTypeName(name);
  const sizes: Readonly<Record<string, number>> = {
    char: 1,
    'signed char': 1,
    short: 2,
    int: 4,
    long: bits / 8,
    'long long': 8,
  };
  if (canonical === '_Bool') {
    return { kind: 'base', name: canonical, byteSize: 1, encoding: 'boolean' };
  }
  const unsigned = canonical.startsWith('unsigned ');
  const byteSize = sizes[unsigned ? canonical.slice('unsigned '.length) : canonical];
  if (byteSize === undefined) {
    return undefined;
  }
  const isChar = byteSize === 1;
  const encoding = unsigned ? (isChar ? 'unsignedChar' : 'unsigned') : isChar ? 'signedChar' : 'signed';
  return { kind: 'base', name: canonical, byteSize, encoding };
}
