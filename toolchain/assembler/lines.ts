import { SourceText } from './source.js';

/** What starts a comment differs: in `.s` files nothing reads the source before the assembler. */
export interface LineOptions {
  /** Lines are joined at a backslash, and `#` at the start of a line is the preprocessor's. */
  readonly preprocessed: boolean;
}

/**
 * Splits a file into logical lines without block and `//` comments. Every removed character becomes a space, so
 * columns stay true.
 */
export function splitLines(file: string, content: string, { preprocessed }: LineOptions): SourceText[] {
  const lines: SourceText[] = [];
  let inComment = false;
  let joined: { text: string; readonly line: number } | undefined;
  const physical = content.replace(/^\uFEFF/, '').split(/\r\n|\n|\r/);
  physical.forEach((raw, index) => {
    const stripped = stripComments(raw, inComment, preprocessed);
    inComment = stripped.inComment;
    // Lines are joined before comments are looked for, so a backslash in a comment counts too.
    const continues = preprocessed && raw.endsWith('\\') && index + 1 < physical.length;
    const text = continues ? stripped.text.replace(/\\$/, ' ') : stripped.text;
    if (joined) joined.text += text;
    if (continues) {
      joined ??= { text, line: index + 1 };
      return;
    }
    if (!joined) {
      lines.push(new SourceText(file, index + 1, text));
      return;
    }
    lines.push(new SourceText(file, joined.line, joined.text));
    joined = undefined;
  });
  return lines;
}

/** One physical line with comments blanked. */
function stripComments(
  line: string,
  startsInComment: boolean,
  preprocessed: boolean,
): { text: string; inComment: boolean } {
  const mayHaveComment = line.includes('/') || (!preprocessed && line.includes('#'));
  if (!startsInComment && !mayHaveComment) return { text: line, inComment: false };
  let text = '';
  let inComment = startsInComment;
  let position = 0;
  while (position < line.length) {
    if (inComment) {
      const end = line.indexOf('*/', position);
      const next = end < 0 ? line.length : end + 2;
      text += ' '.repeat(next - position);
      position = next;
      inComment = end < 0;
      continue;
    }
    const skip = literalLength(line, position);
    if (skip > 0) {
      text += line.slice(position, position + skip);
      position += skip;
    } else if (line.startsWith('/*', position)) {
      inComment = true;
      text += '  ';
      position += 2;
    } else if (line.startsWith('//', position) || (line[position] === '#' && !preprocessed)) {
      break;
    } else {
      text += line[position++];
    }
  }
  return { text, inComment };
}

/** Length of the string or character constant at `position`; 0 when there is none. */
export function literalLength(text: string, position: number): number {
  if (text[position] === '"') {
    let end = position + 1;
    while (end < text.length && text[end] !== '"') end += text[end] === '\\' ? 2 : 1;
    return Math.min(end + 1, text.length) - position;
  }
  if (text[position] !== "'" || position + 1 >= text.length) return 0;
  const length = text[position + 1] === '\\' ? 3 : 2;
  return Math.min(length + (text[position + length] === "'" ? 1 : 0), text.length - position);
}

/** Offsets of the parts of `text` between separators that stand outside of literals and parentheses. */
export function splitOutsideLiterals(text: string, separator: string): { start: number; end: number }[] {
  const parts: { start: number; end: number }[] = [];
  let start = 0;
  let depth = 0;
  for (let position = 0; position < text.length;) {
    const skip = literalLength(text, position);
    if (skip > 0) {
      position += skip;
      continue;
    }
    const character = text[position];
    if (separator === ',' && character === '(') depth++;
    if (separator === ',' && character === ')') depth--;
    if (character === separator && depth <= 0) {
      parts.push({ start, end: position });
      start = position + 1;
    }
    position++;
  }
  parts.push({ start, end: text.length });
  return parts;
}

/** Where a `#` comment starts, or the end of the text. */
export function hashCommentStart(text: string): number {
  for (let position = 0; position < text.length;) {
    const skip = literalLength(text, position);
    if (skip > 0) position += skip;
    else if (text[position] === '#') return position;
    else position++;
  }
  return text.length;
}
