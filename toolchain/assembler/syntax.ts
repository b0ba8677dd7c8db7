import { literalLength } from './lines.js';

/** What a piece of a line is, as far as the line alone can tell. */
export type SyntaxTokenKind =
  | 'label'
  | 'localLabel'
  /** An instruction, or a macro when `Analysis.macros` or `preprocessorMacros` has the name. */
  | 'mnemonic'
  /** `rep`, `lock`, `data16` and the like before a mnemonic. */
  | 'prefix'
  | 'directive'
  /** The name after `.macro` or `.purgem`. */
  | 'macroName'
  /** A parameter in the head of `.macro`, `.irp`, `.irpc`. */
  | 'macroParameter'
  /** `\name`, `\@`, `\()`; its range is without the backslash for a name. */
  | 'macroArgument'
  | 'symbol'
  /** `1f`, `1b` */
  | 'localLabelReference'
  | 'register'
  | 'number'
  | 'string'
  | 'operator'
  | 'comment'
  /** `#include` and the like, with its `#`. */
  | 'preprocessor'
  /** The name after `#define`, `#undef`, `#ifdef`, `#ifndef`. */
  | 'preprocessorName'
  /** `PLT` of `@PLT`, `function` of `@function`. */
  | 'attribute'
  /** `{1to8}`, `{%k1}` without a register, `{z}`, `{evex}` */
  | 'decoration'
  | 'sectionName';

/** Columns are 1-based, `endColumn` is exclusive. */
export interface SyntaxToken {
  readonly kind: SyntaxTokenKind;
  /** As written. */
  readonly text: string;
  readonly column: number;
  readonly endColumn: number;
}

export interface OperandSyntax {
  readonly column: number;
  readonly endColumn: number;
  readonly tokens: readonly SyntaxToken[];
}

export interface StatementSyntax {
  readonly column: number;
  readonly endColumn: number;
  readonly labels: readonly SyntaxToken[];
  readonly prefixes: readonly SyntaxToken[];
  /** The mnemonic, directive or macro; undefined for labels alone. Of `name = value` the name, a `label`. */
  readonly operation: SyntaxToken | undefined;
  /** What stands between the commas, in the order of writing. */
  readonly operands: readonly OperandSyntax[];
}

/** A line without its number: equal lines share one. */
export interface LineSyntax {
  /** From left to right, comments included. */
  readonly tokens: readonly SyntaxToken[];
  readonly statements: readonly StatementSyntax[];
  /** The line ends inside of a block comment. */
  readonly endsInComment: boolean;
}

/** How a line is to be read. */
export interface LineSyntaxOptions {
  readonly startsInComment: boolean;
  /** `#` at the start of a line is the C preprocessor's. */
  readonly preprocessed: boolean;
  readonly syntax: 'att' | 'intel';
  /** Registers are written with `%`. */
  readonly registerPrefix: boolean;
  readonly isRegister: (name: string) => boolean;
}

const PREFIX_WORDS = new Set(
  'rep repe repz repne repnz lock xacquire xrelease bnd notrack data16 data32 addr16 addr32 cs ds es ss fs gs rex64'.split(
    ' ',
  ),
);
const WORD = /[A-Za-z_.$\u0080-\uffff][\w.$\u0080-\uffff]*/y;
const NUMBER = /0[xX][0-9a-fA-F]+|0[bB][01]+|\d+(?:\.\d+)?(?:[eE][-+]?\d+)?[hH]?/y;
const LOCAL_REFERENCE = /\d+[bfBF](?![\w$.])/y;
const REGISTER = /%[ \t]*(?:st[ \t]*\([ \t]*\d[ \t]*\)|[A-Za-z]\w*)/iy;
const ARGUMENT = /\\(?:([A-Za-z_$][\w$]*)|@|\(\))/y;
const PREPROCESSOR =
  /^\s*#\s*(define|undef|include|if|ifdef|ifndef|elif|else|endif|error|warning|pragma|line)\b/;
const OPERATORS = /<<|>>|<=|>=|==|!=|<>|&&|\|\||##|[^\s\w]/y;
const SECTION_DIRECTIVES = new Set(['.section', '.pushsection']);
const NAMED_DIRECTIVES = new Set(['.macro', '.purgem']);
const PARAMETER_DIRECTIVES = new Set(['.macro', '.irp', '.irpc']);

/** Splits one physical line into tokens and statements. It never fails: what is no token is an operator. */
export function parseLine(text: string, options: LineSyntaxOptions): LineSyntax {
  return new LineParser(text, options).parse();
}

interface OpenStatement {
  start: number;
  labels: SyntaxToken[];
  prefixes: SyntaxToken[];
  operation: SyntaxToken | undefined;
  operands: OperandSyntax[];
  operand: SyntaxToken[];
  depth: number;
}

const openStatement = (start: number): OpenStatement => ({
  start,
  labels: [],
  prefixes: [],
  operation: undefined,
  operands: [],
  operand: [],
  depth: 0,
});

class LineParser {
  private readonly tokens: SyntaxToken[] = [];
  private readonly statements: StatementSyntax[] = [];
  private statement = openStatement(0);
  private position = 0;

  constructor(
    private readonly text: string,
    private readonly options: LineSyntaxOptions,
  ) {}

  parse(): LineSyntax {
    if (this.options.startsInComment && !this.blockComment(0)) return this.result(true);
    if (this.options.preprocessed) this.preprocessor();
    while (this.position < this.text.length) {
      if (!this.next()) return this.result(true);
    }
    return this.result(false);
  }

  private result(endsInComment: boolean): LineSyntax {
    this.endStatement();
    return { tokens: this.tokens, statements: this.statements, endsInComment };
  }

  private match(pattern: RegExp): RegExpExecArray | null {
    pattern.lastIndex = this.position;
    return pattern.exec(this.text);
  }

  private token(kind: SyntaxTokenKind, start: number, end: number): SyntaxToken {
    const token = { kind, text: this.text.slice(start, end), column: start + 1, endColumn: end + 1 };
    this.tokens.push(token);
    this.position = end;
    return token;
  }

  /** False when the comment goes on in the next line. */
  private blockComment(start: number): boolean {
    const close = this.text.indexOf('*/', start === 0 && this.options.startsInComment ? 0 : start + 2);
    this.token('comment', start, close < 0 ? this.text.length : close + 2);
    return close >= 0;
  }

  private preprocessor(): void {
    const found = PREPROCESSOR.exec(this.text.slice(this.position));
    if (!found) return;
    const start = this.position + found[0].indexOf('#');
    const directive = this.token('preprocessor', start, this.position + found[0].length);
    this.statement.operation = directive;
    this.statement.start = start;
    if (!/^(define|undef|ifdef|ifndef)$/.test(found[1])) return;
    this.position += /^\s*/.exec(this.text.slice(this.position))![0].length;
    const name = this.match(WORD);
    if (name) this.token('preprocessorName', this.position, this.position + name[0].length);
  }

  /** Takes one token; false when a comment does not end in this line. */
  private next(): boolean {
    const { text } = this;
    const start = this.position;
    const character = text[start];
    if (/\s/.test(character)) {
      this.position++;
      return true;
    }
    if (text.startsWith('/*', start)) return this.blockComment(start);
    if (text.startsWith('//', start) || (character === '#' && !this.isPreprocessorOperator())) {
      this.token('comment', start, text.length);
      return true;
    }
    if (character === ';') {
      this.token('operator', start, start + 1);
      this.endStatement();
      return true;
    }
    this.statementToken(start);
    return true;
  }

  /** `#x` and `##` in a `#define`. */
  private isPreprocessorOperator(): boolean {
    return this.statement.operation?.kind === 'preprocessor';
  }

  private statementToken(start: number): void {
    const { statement } = this;
    if (statement.operation === undefined && this.startOfStatement()) return;
    const token = this.operandToken(start);
    if (token.text === '(' || token.text === '[') statement.depth++;
    if (token.text === ')' || token.text === ']') statement.depth--;
    if (token.text === ',' && statement.depth <= 0) this.endOperand();
    else if (!(token.text === '=' && statement.operation?.kind === 'label')) statement.operand.push(token);
  }

  /** Labels, prefixes and the operation itself. */
  private startOfStatement(): boolean {
    const { statement, text, position: start } = this;
    const label =
      /^(?:(\d+)|("[^"]*")|((?:[A-Za-z_.$\u0080-\uffff]|\\)[\w.$\\()@\u0080-\uffff]*?))[ \t]*:(?!:)/.exec(
        text.slice(start),
      );
    if (label) {
      const name = label[1] ?? label[2] ?? label[3];
      if (name.includes('\\')) {
        while (this.position < start + name.length) this.operandToken(this.position, 'label');
      } else {
        statement.labels.push(this.token(label[1] ? 'localLabel' : 'label', start, start + name.length));
      }
      const colon = start + label[0].length - 1;
      this.token('operator', colon, colon + 1);
      return true;
    }
    const word = this.match(WORD);
    if (!word) return false;
    const end = start + word[0].length;
    if (/^[ \t]*==?(?!=)/.test(text.slice(end))) {
      statement.operation = this.token('label', start, end);
      return true;
    }
    const name = word[0].toLowerCase();
    if (PREFIX_WORDS.has(name) && /^[ \t]+[^\s,;#(]/.test(text.slice(end))) {
      statement.prefixes.push(this.token('prefix', start, end));
      return true;
    }
    statement.operation = this.token(name.startsWith('.') ? 'directive' : 'mnemonic', start, end);
    return true;
  }

  private operandToken(start: number, wordKind: SyntaxTokenKind = 'symbol'): SyntaxToken {
    const { text, options } = this;
    const literal = literalLength(text, start);
    if (literal > 0) return this.token(text[start] === '"' ? 'string' : 'number', start, start + literal);
    let found: RegExpExecArray | null;
    if (text[start] === '{' && (found = /^\{[a-z][\w-]*\}|^\{\w+\}/i.exec(text.slice(start))))
      return this.token('decoration', start, start + found[0].length);
    if ((found = this.match(ARGUMENT)))
      return this.token('macroArgument', start + (found[1] ? 1 : 0), start + found[0].length);
    if ((found = this.match(LOCAL_REFERENCE)) && !/^0[bB]/.test(found[0]))
      return this.token('localLabelReference', start, start + found[0].length);
    if ((found = this.match(NUMBER))) return this.token('number', start, start + found[0].length);
    if ((found = this.match(REGISTER)) && options.isRegister(registerName(found[0])))
      return this.token('register', start, start + found[0].length);
    if (text[start] !== '$' && (found = this.match(WORD)))
      return this.token(this.wordKind(found[0], wordKind), start, start + found[0].length);
    found = this.match(OPERATORS);
    return this.token('operator', start, start + (found?.[0].length ?? 1));
  }

  private wordKind(word: string, usual: SyntaxTokenKind): SyntaxTokenKind {
    const { options, statement } = this;
    const previous = this.tokens.at(-1);
    if (previous?.kind === 'operator' && previous.text === '@' && previous.endColumn === this.position + 1)
      return 'attribute';
    const operation = statement.operation?.text.toLowerCase() ?? '';
    const isFirst = statement.operands.length === 0 && statement.operand.length === 0;
    if (SECTION_DIRECTIVES.has(operation) && isFirst) return 'sectionName';
    if (NAMED_DIRECTIVES.has(operation) && isFirst) return 'macroName';
    if (PARAMETER_DIRECTIVES.has(operation)) {
      if (operation !== '.macro') return isFirst ? 'macroParameter' : usual;
      if (previous?.text === ':' || previous?.text === '=') return usual === 'label' ? usual : 'attribute';
      return 'macroParameter';
    }
    const isRegister = options.syntax === 'intel' && !options.registerPrefix;
    return isRegister && options.isRegister(word.toLowerCase()) ? 'register' : usual;
  }

  private endOperand(): void {
    const { operand, operands } = this.statement;
    const column = operand[0]?.column ?? this.position + 1;
    operands.push({ column, endColumn: operand.at(-1)?.endColumn ?? column, tokens: operand });
    this.statement.operand = [];
  }

  private endStatement(): void {
    const { statement } = this;
    if (statement.operand.length > 0 || statement.operands.length > 0) this.endOperand();
    const { labels, prefixes, operation, operands } = statement;
    const first = labels[0] ?? prefixes[0] ?? operation ?? operands[0];
    if (first) {
      const last = operands.at(-1) ?? operation ?? prefixes.at(-1) ?? labels.at(-1)!;
      this.statements.push({
        column: first.column,
        endColumn: last.endColumn,
        labels,
        prefixes,
        operation,
        operands,
      });
    }
    this.statement = openStatement(this.position);
  }
}

/** A register as it is written, without `%` and spaces, in lower case. */
export function registerName(text: string): string {
  return text.replace(/[%\s]/g, '').toLowerCase();
}
