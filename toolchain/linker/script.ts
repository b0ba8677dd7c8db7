import { parseScriptExpression } from './scriptExpression.js';
import type { ScriptExpression } from './scriptExpression.js';
import { ScriptError, ScriptLexer } from './scriptLexer.js';

/** The part of GNU ld's script language that freestanding programs use. */
export interface LinkerScript {
  readonly entry: string | undefined;
  readonly commands: readonly ScriptCommand[];
}

export interface Assignment {
  readonly kind: 'assignment';
  /** `.` is the location counter. */
  readonly name: string;
  readonly value: ScriptExpression;
  /** Only when something refers to the name and no object defines it. */
  readonly isProvided: boolean;
  readonly isHidden: boolean;
  readonly line: number;
}

export interface Assertion {
  readonly kind: 'assertion';
  readonly test: ScriptExpression;
  readonly message: string;
  readonly line: number;
}

export interface OutputSectionCommand {
  readonly kind: 'section';
  readonly name: string;
  readonly address: ScriptExpression | undefined;
  readonly loadAddress: ScriptExpression | undefined;
  readonly alignment: ScriptExpression | undefined;
  /** Alignment of every input section at least. */
  readonly subAlignment: ScriptExpression | undefined;
  readonly isNoLoad: boolean;
  readonly content: readonly ContentCommand[];
  readonly line: number;
}

export interface InputPattern {
  readonly kind: 'input';
  /** What file names match. */
  readonly files: RegExp;
  readonly sections: readonly { readonly name: RegExp; readonly sort: 'none' | 'name' | 'alignment' }[];
  readonly excluded: readonly RegExp[];
  readonly keep: boolean;
  readonly line: number;
}

/** `BYTE(…)`, `LONG(…)`: a number in the output. */
export interface DataCommand {
  readonly kind: 'data';
  readonly size: 1 | 2 | 4 | 8;
  readonly value: ScriptExpression;
  readonly line: number;
}

export type ContentCommand = Assignment | Assertion | InputPattern | DataCommand;
export type ScriptCommand = Assignment | Assertion | OutputSectionCommand;

const DATA_SIZES: Readonly<Record<string, DataCommand['size']>> = {
  BYTE: 1,
  SHORT: 2,
  LONG: 4,
  QUAD: 8,
  SQUAD: 8,
};
/** What says nothing new to a linker for ELF and x86. */
const IGNORED = new Set(['OUTPUT_FORMAT', 'OUTPUT_ARCH', 'TARGET', 'OUTPUT', 'SEARCH_DIR']);

/** @throws ScriptError with the line of what is wrong or not supported */
export function parseLinkerScript(text: string): LinkerScript {
  return new ScriptParser(new ScriptLexer(text)).parse();
}

/** A shell pattern as a regular expression for whole names. */
export function globPattern(glob: string): RegExp {
  const source = glob
    .replace(/[.+^${}()|\\]/g, '\\$&')
    .replace(/\*/g, '.*')
    .replace(/\?/g, '.');
  return new RegExp(`^${source}$`);
}

class ScriptParser {
  private entry: string | undefined;
  private readonly commands: ScriptCommand[] = [];

  constructor(private readonly lexer: ScriptLexer) {}

  parse(): LinkerScript {
    const { lexer } = this;
    for (let token = lexer.peek(); token; token = lexer.peek()) {
      if (lexer.accept(';')) continue;
      if (token.text === 'SECTIONS') {
        lexer.next();
        this.sections();
      } else if (!this.topLevel(token.text, token.line)) {
        this.commands.push(this.assignment());
      }
    }
    return { entry: this.entry, commands: this.commands };
  }

  private topLevel(name: string, line: number): boolean {
    const { lexer } = this;
    if (name === 'ENTRY') {
      lexer.next();
      lexer.expect('(');
      this.entry = lexer.word();
      lexer.expect(')');
      return true;
    }
    if (name === 'ASSERT') {
      this.commands.push(this.assertion());
      return true;
    }
    if (IGNORED.has(name)) {
      lexer.next();
      lexer.expect('(');
      while (!lexer.accept(')')) if (!lexer.next(true)) throw lexer.error("expected ')'");
      return true;
    }
    if (['MEMORY', 'PHDRS', 'VERSION', 'INSERT', 'INPUT', 'GROUP', 'INCLUDE', 'OVERLAY'].includes(name))
      throw new ScriptError(`${name} is not supported`, line);
    return false;
  }

  private sections(): void {
    const { lexer } = this;
    lexer.expect('{');
    while (!lexer.accept('}')) {
      if (lexer.accept(';')) continue;
      const token = lexer.peek(true);
      if (!token) throw lexer.error("expected '}'");
      if (this.isAssignment(token.text)) this.commands.push(this.assignment());
      else if (!this.topLevel(token.text, token.line)) this.commands.push(this.outputSection());
    }
  }

  /** Looks past a name for an assignment operator. */
  private isAssignment(text: string): boolean {
    if (/^(PROVIDE|PROVIDE_HIDDEN|HIDDEN)$/.test(text)) return true;
    const token = this.lexer.peek();
    if (token?.kind !== 'word') return false;
    const ahead = Object.assign(Object.create(ScriptLexer.prototype) as ScriptLexer, this.lexer);
    ahead.next();
    return /^(\+|-|\*|\/|&|\||<<|>>)?=$/.test(ahead.peek()?.text ?? '');
  }

  private assignment(): Assignment {
    const { lexer } = this;
    const first = lexer.peek();
    const modifier = ['PROVIDE', 'PROVIDE_HIDDEN', 'HIDDEN'].find((name) => lexer.accept(name));
    if (modifier) lexer.expect('(');
    const name = lexer.word();
    const operator = lexer.next()?.text ?? '';
    if (!/^(\+|-|\*|\/|&|\||<<|>>)?=$/.test(operator))
      throw new ScriptError(`unknown command '${name}'`, first?.line ?? 1);
    const right = parseScriptExpression(lexer);
    const line = first?.line ?? 1;
    const value: ScriptExpression =
      operator === '='
        ? right
        : {
            kind: 'binary',
            operator: operator.slice(0, -1),
            left: { kind: 'name', name, line },
            right,
            line,
          };
    if (modifier) lexer.expect(')');
    lexer.accept(';');
    const isProvided = modifier?.startsWith('PROVIDE') ?? false;
    return {
      kind: 'assignment',
      name,
      value,
      isProvided,
      isHidden: modifier?.includes('HIDDEN') ?? false,
      line,
    };
  }

  private assertion(): Assertion {
    const { lexer } = this;
    const line = lexer.next()!.line;
    lexer.expect('(');
    const test = parseScriptExpression(lexer);
    lexer.expect(',');
    const message = lexer.word();
    lexer.expect(')');
    lexer.accept(';');
    return { kind: 'assertion', test, message, line };
  }

  private outputSection(): OutputSectionCommand {
    const { lexer } = this;
    const { line } = lexer.peek(true)!;
    const name = lexer.word(true);
    let isNoLoad = false;
    let address: ScriptExpression | undefined;
    while (!lexer.accept(':')) {
      const type = /^\((NOLOAD|COPY|INFO|DSECT)\)/.exec(this.typeText())?.[1];
      if (type) isNoLoad = type === 'NOLOAD';
      else address = parseScriptExpression(lexer);
    }
    let loadAddress: ScriptExpression | undefined;
    let alignment: ScriptExpression | undefined;
    let subAlignment: ScriptExpression | undefined;
    const argument = (): ScriptExpression => {
      lexer.expect('(');
      const value = parseScriptExpression(lexer);
      lexer.expect(')');
      return value;
    };
    for (;;) {
      if (lexer.accept('AT')) loadAddress = argument();
      else if (lexer.accept('ALIGN')) alignment = argument();
      else if (lexer.accept('SUBALIGN')) subAlignment = argument();
      else break;
    }
    lexer.expect('{');
    const content: ContentCommand[] = [];
    while (!lexer.accept('}')) {
      if (lexer.accept(';')) continue;
      content.push(this.content());
    }
    this.afterSection();
    return { kind: 'section', name, address, loadAddress, alignment, subAlignment, isNoLoad, content, line };
  }

  /** `(NOLOAD)` and the like, taken when it stands here. */
  private typeText(): string {
    const { lexer } = this;
    if (lexer.peek()?.text !== '(') return '';
    const ahead = Object.assign(Object.create(ScriptLexer.prototype) as ScriptLexer, lexer);
    ahead.next();
    const type = ahead.next()?.text ?? '';
    if (!/^(NOLOAD|COPY|INFO|DSECT)$/.test(type)) return '';
    lexer.next();
    lexer.next();
    lexer.expect(')');
    return `(${type})`;
  }

  /** `=fill`, `:segment` and `>region` after the closing brace. */
  private afterSection(): void {
    const { lexer } = this;
    if (lexer.accept('=')) parseScriptExpression(lexer);
    while (lexer.accept(':')) lexer.word();
    if (lexer.peek()?.text === '>') throw lexer.error('memory regions are not supported');
    lexer.accept(',');
  }

  private content(): ContentCommand {
    const { lexer } = this;
    const token = lexer.peek(true);
    if (!token) throw lexer.error("expected '}'");
    if (token.text === 'ASSERT') return this.assertion();
    if (this.isAssignment(token.text)) return this.assignment();
    const size = DATA_SIZES[token.text];
    if (size) {
      lexer.next();
      lexer.expect('(');
      const value = parseScriptExpression(lexer);
      lexer.expect(')');
      lexer.accept(';');
      return { kind: 'data', size, value, line: token.line };
    }
    if (!lexer.accept('KEEP')) return this.inputPattern(false);
    lexer.expect('(');
    const pattern = this.inputPattern(true);
    lexer.expect(')');
    return pattern;
  }

  private inputPattern(keep: boolean): InputPattern {
    const { lexer } = this;
    const { line } = lexer.peek(true)!;
    const files = globPattern(lexer.word(true));
    const sections: InputPattern['sections'][number][] = [];
    const excluded: RegExp[] = [];
    // `COMMON` and file names without a list stand for all of their sections.
    if (!lexer.accept('('))
      return { kind: 'input', files, sections: [{ name: /^/, sort: 'none' }], excluded, keep, line };
    while (!lexer.accept(')')) {
      lexer.accept(',');
      const word = lexer.word(true);
      if (word === 'EXCLUDE_FILE') {
        lexer.expect('(');
        while (!lexer.accept(')')) excluded.push(globPattern(lexer.word(true)));
      } else if (/^(SORT|SORT_BY_NAME|SORT_BY_ALIGNMENT|SORT_BY_INIT_PRIORITY|SORT_NONE)$/.test(word)) {
        lexer.expect('(');
        const name = globPattern(lexer.word(true));
        lexer.expect(')');
        sections.push({
          name,
          sort: word === 'SORT_BY_ALIGNMENT' ? 'alignment' : word === 'SORT_NONE' ? 'none' : 'name',
        });
      } else {
        sections.push({ name: globPattern(word), sort: 'none' });
      }
    }
    return { kind: 'input', files, sections, excluded, keep, line };
  }
}
