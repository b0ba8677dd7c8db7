/** A linker script that breaks its grammar; `line` is 1-based. */
export class ScriptError extends Error {
  constructor(
    message: string,
    readonly line: number,
  ) {
    super(message);
    this.name = 'ScriptError';
  }
}

export interface ScriptToken {
  readonly kind: 'word' | 'number' | 'string' | 'operator';
  readonly text: string;
  readonly line: number;
}

const SPACE_OR_COMMENT = /(?:\s+|\/\*[\s\S]*?\*\/|#[^\n]*)*/y;
const STRING = /"([^"]*)"/y;
const NUMBER = /(?:0[xX][0-9a-fA-F]+|\d+)[KkMm]?(?![\w.])/y;
/** Section names and file patterns hold characters that are operators elsewhere. */
const PATTERN_WORD = /(?:[\w.$/\\~?*-]|\[[^\]]*\])+/y;
const NAME = /[A-Za-z_.$/][\w.$]*/y;
const OPERATOR = /<<=|>>=|<<|>>|<=|>=|==|!=|&&|\|\||\+=|-=|\*=|\/=|&=|\|=|[-+*/%&|^~!<>=(){},;:?]/y;

/** Reads a script token by token; what a word is depends on where it stands. */
export class ScriptLexer {
  private position = 0;
  private line = 1;

  constructor(private readonly text: string) {}

  private skipSpace(): void {
    SPACE_OR_COMMENT.lastIndex = this.position;
    const found = SPACE_OR_COMMENT.exec(this.text)![0];
    this.line += found.split('\n').length - 1;
    this.position += found.length;
  }

  private match(pattern: RegExp): RegExpExecArray | null {
    pattern.lastIndex = this.position;
    return pattern.exec(this.text);
  }

  /** The next token without taking it; undefined at the end. `asPattern`: words are section or file patterns. */
  peek(asPattern = false): ScriptToken | undefined {
    return this.scan(asPattern)?.token;
  }

  next(asPattern = false): ScriptToken | undefined {
    const found = this.scan(asPattern);
    if (!found) return undefined;
    this.position = found.end;
    return found.token;
  }

  private scan(asPattern: boolean): { token: ScriptToken; end: number } | undefined {
    this.skipSpace();
    if (this.position >= this.text.length) return undefined;
    const { line } = this;
    const made = (
      kind: ScriptToken['kind'],
      found: RegExpExecArray,
      text = found[0],
    ): { token: ScriptToken; end: number } => ({
      token: { kind, text, line },
      end: this.position + found[0].length,
    });
    const string = this.match(STRING);
    if (string) return made('string', string, string[1]);
    const word = asPattern ? this.match(PATTERN_WORD) : null;
    if (word) return made('word', word);
    const number = this.match(NUMBER);
    if (number) return made('number', number);
    const name = this.match(NAME);
    if (name && name[0] !== '/') return made('word', name);
    const operator = this.match(OPERATOR);
    if (operator) return made('operator', operator);
    throw new ScriptError(`unexpected character '${this.text[this.position]}'`, line);
  }

  accept(text: string, asPattern = false): boolean {
    const token = this.peek(asPattern);
    if (token?.text !== text || token.kind === 'string') return false;
    this.next(asPattern);
    return true;
  }

  expect(text: string): void {
    if (!this.accept(text)) throw this.error(`expected '${text}'`);
  }

  /** A name or quoted name. */
  word(asPattern = false): string {
    const token = this.peek(asPattern);
    if (token?.kind !== 'word' && token?.kind !== 'string') throw this.error('expected a name');
    this.next(asPattern);
    return token.text;
  }

  error(message: string): ScriptError {
    const token = this.peek();
    return new ScriptError(token ? `${message}, found '${token.text}'` : `${message} at the end`, this.line);
  }
}
