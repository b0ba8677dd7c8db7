import type { Diagnostic } from '../diagnostic.js';
import type {
  Analysis,
  AnalyzedSection,
  AnalyzedStatement,
  AnalyzedSymbol,
  IncludeEdge,
  LineState,
  NameReference,
} from './analysis.js';
import type { AssembleOptions, SectionImage } from './assemble.js';
import { ENTRY_SYMBOL, assembleSource, inReadingOrder, linkedSections, reportUndefined } from './assemble.js';
import { Assembly } from './assembly.js';
import { registerByName } from './instructionTable.js';
import { AssemblyError } from './source.js';
import { parseLine } from './syntax.js';
import type { LineSyntax } from './syntax.js';
import { AssemblyTrace } from './trace.js';
import type { StatementRecord } from './trace.js';
import type { AssemblySymbol } from './symbols.js';
import { offsetOf } from './sections.js';
import type { Section } from './sections.js';
import { evaluateNumber } from './value.js';

/** Assembles a source and keeps what an editor asks for. Nothing is thrown for bad input. */
export function analyze(options: AssembleOptions): Analysis {
  return new AssemblyAnalysis(options);
}

const UNKNOWN_STATE: LineState = {
  bits: 64,
  syntax: 'att',
  registerPrefix: true,
  section: '.text',
  inMacro: undefined,
  isActive: true,
};

const lineCache = new Map<string, LineSyntax>();
const MAX_CACHED_LINES = 200_000;

class AssemblyAnalysis implements Analysis {
  readonly file: string;
  readonly diagnostics: readonly Diagnostic[];
  readonly includes: readonly IncludeEdge[];
  readonly files: readonly string[];
  readonly macros: Analysis['macros'];
  readonly preprocessorMacros: Analysis['preprocessorMacros'];
  private readonly trace = new AssemblyTrace();
  private readonly assembly: Assembly;
  private readonly images: ReadonlyMap<Section, SectionImage>;
  private readonly syntaxes = new Map<string, LineSyntax[]>();
  private statementList: AnalyzedStatement[] | undefined;
  private statementsByPlace: Map<string, AnalyzedStatement[]> | undefined;
  private symbolMap: Map<string, AnalyzedSymbol> | undefined;
  private names: Map<string, NameReference[]> | undefined;

  constructor(options: AssembleOptions) {
    this.file = options.fileName;
    this.assembly = new Assembly(options, this.trace);
    const made = assembleSource(this.assembly, false);
    // Other files may define what a part of a program leaves open.
    if (this.assembly.symbols.isDefined(ENTRY_SYMBOL)) reportUndefined(this.assembly);
    this.images = linkedSections(made, options);
    this.diagnostics = inReadingOrder(this.assembly.diagnostics.list);
    this.includes = this.trace.includes;
    this.macros = this.trace.macros;
    this.preprocessorMacros = this.trace.preprocessorMacros;
    this.files = [...this.trace.files.keys()];
  }

  get sections(): readonly AnalyzedSection[] {
    return this.assembly.sections.map((section) => {
      const { name, size, alignment, flags } = section;
      return {
        name,
        address: this.images.get(section)?.address ?? 0n,
        size,
        alignment,
        allocate: flags.allocate,
        write: flags.write,
        execute: flags.execute,
      };
    });
  }

  get statements(): readonly AnalyzedStatement[] {
    this.statementList ??= this.trace.statements.map((record) => this.statement(record));
    return this.statementList;
  }

  get symbols(): ReadonlyMap<string, AnalyzedSymbol> {
    this.symbolMap ??= new Map(
      Array.from(this.assembly.symbols.symbols, ([name, symbol]) => [name, this.symbol(symbol)]),
    );
    return this.symbolMap;
  }

  private statement({ source, state, chunk, from, to }: StatementRecord): AnalyzedStatement {
    const offset = offsetOf({ chunk, index: from });
    const size = offsetOf({ chunk, index: to }) - offset;
    const image = this.images.get(chunk.section);
    const bytes = image?.bytes.subarray(offset, offset + size) ?? new Uint8Array(size);
    return {
      file: source.file,
      line: source.line,
      ...source.columns(0, source.text.length),
      text: source.text,
      kind: kindOf(source.text, this.macros),
      bits: state.bits,
      syntax: state.syntax,
      expansion: source.expansion,
      section: chunk.section.name,
      offset,
      address: (image?.address ?? 0n) + BigInt(offset),
      size,
      bytes,
    };
  }

  private symbol(symbol: AssemblySymbol): AnalyzedSymbol {
    const { name, binding, type, visibility, definedAt, location, common } = symbol;
    const kind = location ? 'label' : common ? 'common' : symbol.isDefined ? 'assignment' : 'undefined';
    return {
      name,
      kind,
      binding,
      type,
      visibility,
      definition: definedAt && {
        file: definedAt.file,
        line: definedAt.line,
        ...definedAt.columns(0, /^[\w.$]*/.exec(definedAt.text)![0].length || definedAt.text.length),
      },
      section: location?.chunk.section.name,
      value: this.symbolValue(symbol),
    };
  }

  private symbolValue({ location, value }: AssemblySymbol): bigint | undefined {
    if (location)
      return (this.images.get(location.chunk.section)?.address ?? 0n) + BigInt(offsetOf(location));
    try {
      return value && evaluateNumber(value);
    } catch (error) {
      if (error instanceof AssemblyError) return undefined;
      throw error;
    }
  }

  statementsAt(file: string, line: number): readonly AnalyzedStatement[] {
    if (!this.statementsByPlace) {
      this.statementsByPlace = new Map();
      for (const statement of this.statements)
        push(this.statementsByPlace, `${statement.line} ${statement.file}`, statement);
    }
    return this.statementsByPlace.get(`${line} ${file}`) ?? [];
  }

  lineText(file: string, line: number): string | undefined {
    return this.trace.files.get(file)?.lines[line - 1];
  }

  stateAt(file: string, line: number): LineState {
    const states = this.trace.files.get(file)?.states;
    if (!states) return UNKNOWN_STATE;
    for (let above = Math.min(line, states.length - 1); above > 0; above--) {
      if (states[above]) return states[above];
    }
    return { ...UNKNOWN_STATE, bits: this.assembly.options.bits };
  }

  lineSyntax(file: string, line: number): LineSyntax | undefined {
    let lines = this.syntaxes.get(file);
    if (!lines) {
      lines = this.fileSyntax(file);
      this.syntaxes.set(file, lines);
    }
    return lines[line - 1];
  }

  private fileSyntax(file: string): LineSyntax[] {
    const traced = this.trace.files.get(file);
    if (!traced) return [];
    let startsInComment = false;
    let state: LineState = UNKNOWN_STATE;
    return traced.lines.map((text, index) => {
      state = traced.states[index + 1] ?? state;
      const { syntax, registerPrefix } = state;
      const key = `${startsInComment ? 'c' : ''}${traced.preprocessed ? 'p' : ''}${syntax}${registerPrefix ? '%' : ''} ${text}`;
      let parsed = lineCache.get(key);
      if (!parsed) {
        const { preprocessed } = traced;
        parsed = parseLine(text, { startsInComment, preprocessed, syntax, registerPrefix, isRegister });
        if (lineCache.size >= MAX_CACHED_LINES) lineCache.clear();
        lineCache.set(key, parsed);
      }
      startsInComment = parsed.endsInComment;
      return parsed;
    });
  }

  references(name: string): readonly NameReference[] {
    this.names ??= this.readNames();
    return this.names.get(name) ?? [];
  }

  private readNames(): Map<string, NameReference[]> {
    const names = new Map<string, NameReference[]>();
    for (const file of this.files) {
      this.fileTokens(file, ({ kind, text, column, endColumn }, line) => {
        if (!NAME_KINDS.has(kind)) return;
        const isDefinition = kind === 'label' || kind === 'preprocessorName' || kind === 'macroName';
        push(names, text.replace(/^"(.*)"$/, '$1'), { file, line, column, endColumn, isDefinition });
      });
    }
    return names;
  }

  private fileTokens(
    file: string,
    visit: (token: LineSyntax['tokens'][number], line: number, syntax: LineSyntax) => void,
  ): void {
    const count = this.trace.files.get(file)?.lines.length ?? 0;
    for (let line = 1; line <= count; line++) {
      const syntax = this.lineSyntax(file, line)!;
      for (const token of syntax.tokens) visit(token, line, syntax);
    }
  }

  localLabel(file: string, line: number, column: number): readonly NameReference[] {
    const token = this.tokenAt(file, line, column);
    if (token?.kind !== 'localLabel' && token?.kind !== 'localLabelReference') return [];
    const number = token.text.replace(/\D/g, '');
    const groups: NameReference[][] = [[]];
    let wanted: NameReference[] | undefined;
    let forward: NameReference[] = [];
    this.fileTokens(file, ({ kind, text, column: start, endColumn }, at) => {
      if (kind !== 'localLabel' && kind !== 'localLabelReference') return;
      if (text.replace(/\D/g, '') !== number) return;
      const place = { file, line: at, column: start, endColumn, isDefinition: kind === 'localLabel' };
      let group: NameReference[];
      if (kind === 'localLabel') {
        group = [place, ...forward];
        forward = [];
        groups.push(group);
      } else if (/f$/i.test(text)) {
        group = forward;
        group.push(place);
      } else {
        group = groups.at(-1)!;
        group.push(place);
      }
      if (at === line && start === token.column) wanted = group;
    });
    const found = wanted ?? [];
    const complete = groups.find((group) => found.every((place) => group.includes(place)));
    return complete ?? found;
  }

  macroArgument(file: string, line: number, column: number): readonly NameReference[] {
    const token = this.tokenAt(file, line, column);
    if (token?.kind !== 'macroArgument' && token?.kind !== 'macroParameter') return [];
    const places: NameReference[] = [];
    let isOpen = false;
    let isWanted = false;
    this.fileTokens(file, ({ kind, text, column: start, endColumn }, at, { statements }) => {
      const isHead = statements.some(({ operation }) => /^\.(macro|irpc?)$/i.test(operation?.text ?? ''));
      if (kind === 'macroParameter' && isHead && text === token.text) {
        if (isWanted && isOpen && at > line) return;
        if (!isWanted) places.length = 0;
        isOpen = true;
        places.push({ file, line: at, column: start, endColumn, isDefinition: true });
      } else if (kind === 'macroArgument' && isOpen && text === token.text) {
        places.push({ file, line: at, column: start, endColumn, isDefinition: false });
      } else if (kind === 'directive' && /^\.(endm|endmacro)$/i.test(text)) {
        isOpen = false;
        if (at > line) isWanted = true;
      }
      if (at === line && start === token.column) isWanted = true;
    });
    return isWanted ? places : [];
  }

  private tokenAt(file: string, line: number, column: number): LineSyntax['tokens'][number] | undefined {
    return this.lineSyntax(file, line)?.tokens.find(
      (token) => column >= token.column && column <= token.endColumn && token.kind !== 'operator',
    );
  }
}

const NAME_KINDS: ReadonlySet<string> = new Set([
  'label',
  'symbol',
  'mnemonic',
  'macroName',
  'preprocessorName',
]);

const isRegister = (name: string): boolean => registerByName(name) !== undefined;

function push<Key, Value>(map: Map<Key, Value[]>, key: Key, value: Value): void {
  const list = map.get(key);
  if (list) list.push(value);
  else map.set(key, [value]);
}

function kindOf(text: string, macros: Analysis['macros']): AnalyzedStatement['kind'] {
  const rest = text.replace(/^(?:(?:[\w.$]+|"[^"]*")\s*:\s*)+/, '');
  if (rest === '') return 'label';
  const word = /^\S+/.exec(rest)![0];
  if (/^[\w.$]+\s*==?(?!=)/.test(rest)) return 'assignment';
  if (macros.has(word)) return 'macro';
  return word.startsWith('.') ? 'directive' : 'instruction';
}
