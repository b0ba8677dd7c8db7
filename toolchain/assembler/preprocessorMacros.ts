import { literalLength, splitOutsideLiterals } from './lines.js';
import { AssemblyError } from './source.js';

export interface PreprocessorMacro {
  readonly name: string;
  /** undefined: object-like. */
  readonly parameters: readonly string[] | undefined;
  readonly isVariadic: boolean;
  readonly body: string;
}

/** Text with, for every character, the range of the characters in the original line that it comes from. */
export interface MappedText {
  text: string;
  from: number[];
  to: number[];
}

const IDENTIFIER = /[A-Za-z_]\w*/y;
const NUMBER = /\.?\d[\w.]*/y;
const MAX_DEPTH = 64;

/** @throws AssemblyError when what follows `#define` is no definition */
export function parseDefine(text: string): PreprocessorMacro {
  const head = /^\s*([A-Za-z_]\w*)(\(([^)]*)\))?/.exec(text);
  if (!head) throw new AssemblyError('#define needs a name');
  const body = text.slice(head[0].length).trim();
  if (head[2] === undefined) return { name: head[1], parameters: undefined, isVariadic: false, body };
  const parameters = head[3].split(',').map((parameter) => parameter.trim());
  if (parameters.length === 1 && parameters[0] === '') parameters.pop();
  const isVariadic = parameters.at(-1)?.endsWith('...') ?? false;
  if (isVariadic) {
    const last = parameters.pop()!.slice(0, -3).trim();
    parameters.push(last === '' ? '__VA_ARGS__' : last);
  }
  const bad = parameters.find((parameter) => !/^[A-Za-z_]\w*$/.test(parameter));
  if (bad !== undefined) throw new AssemblyError(`bad macro parameter '${bad}'`);
  return { name: head[1], parameters, isVariadic, body };
}

/** A line as it stands. */
export function plainText(text: string): MappedText {
  return { text, from: Array.from(text, (_, index) => index), to: Array.from(text, (_, index) => index + 1) };
}

function append(target: MappedText, text: string, from: number, to: number): void {
  target.text += text;
  for (let index = 0; index < text.length; index++) {
    target.from.push(from);
    target.to.push(to);
  }
}

const WORDS = /[A-Za-z_]\w*/g;

/** Does a text hold the name of a macro, perhaps inside a string? */
export function mentionsMacro(text: string, macros: ReadonlyMap<string, PreprocessorMacro>): boolean {
  WORDS.lastIndex = 0;
  for (let found = WORDS.exec(text); found; found = WORDS.exec(text)) {
    if (macros.has(found[0])) return true;
  }
  return false;
}

/** A call of a function-like macro needs more lines. */
export class UnfinishedCall extends Error {}

/**
 * Expands the macros of one line.
 * @throws UnfinishedCall when the line ends inside a macro's arguments, AssemblyError
 */
export function expandMacros(
  line: MappedText,
  macros: ReadonlyMap<string, PreprocessorMacro>,
  active: ReadonlySet<string> = new Set(),
): MappedText {
  if (active.size > MAX_DEPTH) throw new AssemblyError('macros are nested too deeply');
  const result: MappedText = { text: '', from: [], to: [] };
  let position = 0;
  const copy = (length: number): void => {
    for (let index = position; index < position + length; index++) {
      append(result, line.text[index], line.from[index], line.to[index]);
    }
    position += length;
  };
  while (position < line.text.length) {
    const literal = literalLength(line.text, position);
    if (literal > 0) {
      copy(literal);
      continue;
    }
    NUMBER.lastIndex = position;
    IDENTIFIER.lastIndex = position;
    const isInsideName = position > 0 && /\w/.test(line.text[position - 1]);
    const number = isInsideName ? null : NUMBER.exec(line.text);
    const name = number || isInsideName ? null : IDENTIFIER.exec(line.text);
    if (number) {
      copy(number[0].length);
      continue;
    }
    const macro = name && !active.has(name[0]) ? macros.get(name[0]) : undefined;
    const use = macro && macroUse(line.text, position, macro);
    if (!macro || !use) {
      copy(name ? name[0].length : 1);
      continue;
    }
    const from = line.from[position];
    const to = line.to[use.end - 1];
    const replaced = substitute(macro, use.args, macros, active);
    const inner = expandMacros(plainText(replaced), macros, new Set([...active, macro.name]));
    append(result, inner.text, from, to);
    position = use.end;
  }
  return result;
}

function macroUse(
  text: string,
  start: number,
  macro: PreprocessorMacro,
): { end: number; args: string[] } | undefined {
  const nameEnd = start + macro.name.length;
  if (!macro.parameters) return { end: nameEnd, args: [] };
  const open = /^\s*\(/.exec(text.slice(nameEnd));
  if (!open) return undefined;
  const first = nameEnd + open[0].length;
  let depth = 1;
  let position = first;
  while (depth > 0) {
    if (position >= text.length) throw new UnfinishedCall();
    const literal = literalLength(text, position);
    if (literal > 0) {
      position += literal;
      continue;
    }
    if (text[position] === '(') depth++;
    if (text[position] === ')') depth--;
    position++;
  }
  const inside = text.slice(first, position - 1);
  const args = splitOutsideLiterals(inside, ',').map(({ start: from, end: to }) =>
    inside.slice(from, to).trim(),
  );
  return { end: position, args: matchArguments(macro, args) };
}

function matchArguments(macro: PreprocessorMacro, args: string[]): string[] {
  const count = macro.parameters!.length;
  if (count === 0 && args.length === 1 && args[0] === '') return [];
  if (macro.isVariadic && args.length >= count - 1) {
    return [...args.slice(0, count - 1), args.slice(count - 1).join(', ')];
  }
  if (args.length !== count) {
    throw new AssemblyError(
      `macro '${macro.name}' takes ${count} argument${count === 1 ? '' : 's'}, ${args.length} given`,
    );
  }
  return args;
}

/** Pieces of a macro's body: strings, words, `##`, `#`, white space, and single characters. */
const BODY_PARTS = /"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])'|[A-Za-z_]\w*|\.?\d[\w.]*|\s*##\s*|#\s*|\s+|[^]/g;
const bodyParts = new WeakMap<PreprocessorMacro, readonly string[]>();

function partsOf(macro: PreprocessorMacro): readonly string[] {
  let parts = bodyParts.get(macro);
  if (!parts) {
    parts = macro.body.match(BODY_PARTS) ?? [];
    bodyParts.set(macro, parts);
  }
  return parts;
}

const isPaste = (part: string | undefined): boolean => part?.trim() === '##';

/** The body with arguments put in (C11 6.10.3.1 to 6.10.3.3, and GNU's `, ## __VA_ARGS__`). */
function substitute(
  macro: PreprocessorMacro,
  args: readonly string[],
  macros: ReadonlyMap<string, PreprocessorMacro>,
  active: ReadonlySet<string>,
): string {
  const parts = partsOf(macro);
  if (!macro.parameters) return parts.map((part) => (isPaste(part) ? '' : part)).join('');
  const raw = new Map(macro.parameters.map((parameter, index) => [parameter, args[index] ?? '']));
  const variadic = macro.isVariadic ? macro.parameters.at(-1)! : undefined;
  const output: string[] = [];
  for (let index = 0; index < parts.length; index++) {
    const part = parts[index];
    if (isPaste(part)) {
      const isLast = parts[index + 1] === variadic && parts[index - 1] === ',';
      if (isLast && raw.get(variadic!) === '') output.pop();
      continue;
    }
    const stringized = part.startsWith('#') ? raw.get(parts[index + 1]) : undefined;
    if (stringized !== undefined) {
      output.push(stringize(stringized));
      index++;
      continue;
    }
    if (part === '__VA_OPT__' && variadic !== undefined) {
      const end = closingParenthesis(parts, index + 1);
      const isEmpty = raw.get(variadic) === '';
      const inside = { ...macro, body: parts.slice(index + 2, end).join('') };
      if (!isEmpty) output.push(substitute(inside, args, macros, active));
      index = end;
      continue;
    }
    const argument = raw.get(part);
    if (argument === undefined) output.push(part);
    else if (isPaste(parts[index - 1]) || isPaste(parts[index + 1])) output.push(argument);
    else output.push(expandMacros(plainText(argument), macros, active).text);
  }
  return output.join('');
}

/** C11 6.10.3.2: inside of literals quotes and backslashes are escaped. */
function stringize(argument: string): string {
  const escaped = argument.replace(/"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])'/g, (literal) =>
    literal.replace(/[\\"]/g, '\\$&'),
  );
  return `"${escaped.replace(/\s+/g, ' ')}"`;
}

function closingParenthesis(parts: readonly string[], open: number): number {
  let depth = 0;
  for (let index = open; index < parts.length; index++) {
    if (parts[index] === '(') depth++;
    if (parts[index] === ')' && --depth === 0) return index;
  }
  return parts.length;
}
