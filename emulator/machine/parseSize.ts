/** Parsing of memory sizes as users write them. */

const UNITS: Readonly<Record<string, number>> = { '': 1, K: 2 ** 10, M: 2 ** 20, G: 2 ** 30 };

/** Bytes of a size such as `64M`, `1G`, `0x400000`; undefined when it is none. */
export function parseSize(text: string): number | undefined {
  const match = /^(0x[0-9a-f]+|\d+)\s*([kmg]?)(i?b)?$/i.exec(text.trim());
  if (!match) return undefined;
  return Number(match[1]) * UNITS[match[2].toUpperCase()];
}
