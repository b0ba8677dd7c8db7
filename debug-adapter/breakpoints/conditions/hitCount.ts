/** Hit conditions: `5` and `== 5`, `>= 5`, `> 5`, `<= 5`, `< 5`, `% 5`. */

type Test = (hits: number, limit: number) => boolean;

const OPERATORS: Readonly<Record<string, Test>> = {
  '': (hits, limit) => hits === limit,
  '=': (hits, limit) => hits === limit,
  '==': (hits, limit) => hits === limit,
  '>=': (hits, limit) => hits >= limit,
  '>': (hits, limit) => hits > limit,
  '<=': (hits, limit) => hits <= limit,
  '<': (hits, limit) => hits < limit,
  '%': (hits, limit) => limit !== 0 && hits % limit === 0,
};

/** Undefined when the text is no hit condition. */
export function parseHitCondition(text: string): ((hits: number) => boolean) | undefined {
  const match = /^\s*(==?|>=?|<=?|%|)\s*(\d+)\s*$/.exec(text);
  if (!match) return undefined;
  const limit = Number(match[2]);
  const test = OPERATORS[match[1]];
  return (hits) => test(hits, limit);
}
