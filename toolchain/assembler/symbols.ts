import type { Expression, NameResolver, SymbolReference } from './expression.js';
import type { Location } from './sections.js';
import { AssemblyError } from './source.js';
import type { SourceText } from './source.js';

export type SymbolType = 'notype' | 'object' | 'function' | 'section' | 'file' | 'common' | 'tls';

/** A name with what the source says about it. */
export class AssemblySymbol implements SymbolReference {
  binding: 'local' | 'global' | 'weak' = 'local';
  type: SymbolType = 'notype';
  visibility: 'default' | 'hidden' | 'internal' | 'protected' = 'default';
  sizeExpression: Expression | undefined;
  /** Where a label stands. */
  location: Location | undefined;
  /** What `.set` gave it. */
  value: Expression | undefined;
  /** `.equiv` forbids a second definition. */
  isFixed = false;
  definedAt: SourceText | undefined;

  constructor(readonly name: string) {}

  get isDefined(): boolean {
    return this.location !== undefined || this.value !== undefined;
  }

  get isWeak(): boolean {
    return this.binding === 'weak';
  }

  definition(): Expression | Location | undefined {
    return this.location ?? this.value;
  }
}

/** A numeric label that is used before it stands somewhere. */
class ForwardLabel implements SymbolReference {
  location: Location | undefined;
  readonly isWeak = false;

  constructor(readonly name: string) {}

  definition(): Location | undefined {
    return this.location;
  }
}

/** All names of one assembly. */
export class SymbolTable implements NameResolver {
  readonly symbols = new Map<string, AssemblySymbol>();
  private readonly lastNumeric = new Map<number, Location>();
  private readonly forwardNumeric = new Map<number, ForwardLabel>();

  constructor(private readonly currentLocation: () => Location) {}

  /** The symbol of that name, made when it is new. */
  get(name: string): AssemblySymbol {
    let symbol = this.symbols.get(name);
    if (!symbol) {
      symbol = new AssemblySymbol(name);
      this.symbols.set(name, symbol);
    }
    return symbol;
  }

  isDefined(name: string): boolean {
    return this.symbols.get(name)?.isDefined ?? false;
  }

  /** @throws AssemblyError when the name has a definition already */
  defineLabel(name: string, location: Location, source: SourceText): void {
    const symbol = this.get(name);
    if (symbol.isDefined) {
      const where = symbol.definedAt ? ` at ${symbol.definedAt.file}:${symbol.definedAt.line}` : '';
      throw new AssemblyError(`symbol '${name}' is already defined${where}`);
    }
    symbol.location = location;
    symbol.definedAt = source;
  }

  /** @throws AssemblyError when the name is a label or is fixed by `.equiv` */
  assign(name: string, value: Expression, source: SourceText, isFixed = false): void {
    const symbol = this.get(name);
    if (symbol.location || (symbol.isDefined && (isFixed || symbol.isFixed))) {
      const where = symbol.definedAt ? ` at ${symbol.definedAt.file}:${symbol.definedAt.line}` : '';
      throw new AssemblyError(`symbol '${name}' is already defined${where}`);
    }
    symbol.value = value;
    symbol.isFixed = isFixed;
    symbol.definedAt = source;
  }

  defineNumericLabel(number: number, location: Location): void {
    this.lastNumeric.set(number, location);
    const forward = this.forwardNumeric.get(number);
    if (forward) forward.location = location;
    this.forwardNumeric.delete(number);
  }

  symbol(name: string, range: { start: number; end: number }): Expression {
    const symbol = this.get(name);
    // A name that `.set` may change later means its value of now.
    if (symbol.value) return { ...symbol.value, start: range.start, end: range.end };
    return { kind: 'symbol', symbol, ...range };
  }

  localLabel(text: string, range: { start: number; end: number }): Expression {
    const number = Number.parseInt(text, 10);
    if (/b$/i.test(text)) {
      const location = this.lastNumeric.get(number);
      if (!location)
        throw new AssemblyError(`no local label '${number}:' before this line`, range.start, range.end);
      return { kind: 'location', location, ...range };
    }
    let forward = this.forwardNumeric.get(number);
    if (!forward) {
      forward = new ForwardLabel(text);
      this.forwardNumeric.set(number, forward);
    }
    return { kind: 'symbol', symbol: forward, ...range };
  }

  here(range: { start: number; end: number }): Expression {
    return { kind: 'location', location: this.currentLocation(), ...range };
  }
}
