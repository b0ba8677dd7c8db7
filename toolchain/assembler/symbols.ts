import type { Expression, NameExpression, NameResolver, SymbolReference } from './expression.js';
import type { Location } from './sections.js';
import { AssemblyError } from './source.js';
import type { SourceText } from './source.js';

export type SymbolType =
  'notype' | 'object' | 'function' | 'section' | 'file' | 'common' | 'tls' | 'ifunc' | 'unique';

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

  /** `.comm`: space that the linker makes room for. */
  common: { readonly size: bigint; readonly alignment: number } | undefined;
  /** It stands in an expression, or in a directive that wants it in the symbol table. */
  isUsed = false;
  /** Further names by `.symver`. */
  readonly versions: string[] = [];
  /** `.local`: `.comm` makes room in .bss then. */
  isDeclaredLocal = false;
  private currentAlias: Alias | undefined;

  get isDefined(): boolean {
    return this.location !== undefined || this.value !== undefined;
  }

  /** What the name means now, whatever `.set` does to it later. */
  alias(): Alias {
    if (this.currentAlias?.value !== this.value) this.currentAlias = new Alias(this, this.value!);
    return this.currentAlias!;
  }

  definition(): Expression | Location | undefined {
    return this.location ?? this.value;
  }
}

/** An assigned name with the value that it has at one place. */
export class Alias implements SymbolReference {
  constructor(
    readonly symbol: AssemblySymbol,
    readonly value: Expression,
  ) {}

  get name(): string {
    return this.symbol.name;
  }

  definition(): Expression {
    return this.value;
  }
}

/** A numeric label that is used before it stands somewhere. */
class ForwardLabel implements SymbolReference {
  location: Location | undefined;

  constructor(readonly name: string) {}

  definition(): Location | undefined {
    return this.location;
  }
}

/** All names of one assembly. */
export class SymbolTable implements NameResolver {
  readonly symbols = new Map<string, AssemblySymbol>();
  /** `.set name, %register`: names of registers by the names that stand for them. */
  readonly registerNames = new Map<string, string>();
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

  resolve(name: NameExpression): Expression {
    const { start, end } = name;
    if (name.meaning === 'here') return { kind: 'location', location: this.currentLocation(), start, end };
    if (name.meaning === 'localLabel') return this.localLabel(name);
    const symbol = this.get(name.name);
    symbol.isUsed = true;
    // A name that `.set` may change later means its value of now.
    if (symbol.value?.kind === 'constant') return { kind: 'constant', value: symbol.value.value, start, end };
    return { kind: 'symbol', symbol: symbol.value ? symbol.alias() : symbol, start, end };
  }

  /** Does the name stand for a number at this place? */
  isNumber(name: string): boolean {
    return this.symbols.get(name)?.value?.kind === 'constant';
  }

  private localLabel({ name, start, end }: NameExpression): Expression {
    const number = Number.parseInt(name, 10);
    if (/b$/i.test(name)) {
      const location = this.lastNumeric.get(number);
      if (!location) throw new AssemblyError(`no local label '${number}:' before this line`, start, end);
      return { kind: 'location', location, start, end };
    }
    let forward = this.forwardNumeric.get(number);
    if (!forward) {
      forward = new ForwardLabel(name);
      this.forwardNumeric.set(number, forward);
    }
    return { kind: 'symbol', symbol: forward, start, end };
  }
}
