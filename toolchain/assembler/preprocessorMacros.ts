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
  const isVariadic = /(^|\W)\.\.\.$/.test(parameters.at(-1) ?? '');
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

function substitute(
  macro: PreprocessorMacro,
  args: readonly string[],
  macros: ReadonlyMap<string, PreprocessorMacro>,
  active: ReadonlySet<string>,
): string {
  if (!macro.parameters) return macro.body.replace(/\s*##\s*/g, '');
  const raw = new Map(macro.parameters.map((parameter, index) => [parameter, args[index] ?? '']));
  const pattern = /"(?:\\.|[^"\\])*"|(##\s*)?(#\s*)?\b([A-Za-z_]\w*)\b(?=(\s*##)?)/g;
  const replaced = macro.body.replace(
    pattern,
    (whole, paste?: string, stringize?: string, name?: string, pasteAfter?: string) => {
      const argument = name === undefined ? undefined : raw.get(name);
      if (argument === undefined) return whole;
      if (stringize && !paste) return `"${argument.replace(/[\\"]/g, '\\$&')}"`;
      if (paste !== undefined || pasteAfter !== undefined) return (paste ?? '') + argument;
      return expandMacros(plainText(argument), macros, active).text;
    },
  );
  return replaced.replace(/\s*##\s*/g, '');
}
