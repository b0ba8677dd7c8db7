import { ET, SHF, SHN, STB, STT } from '../elf/constants.js';
import type { ElfFile, Section } from '../elf/elfFile.js';
import type { ElfSymbol } from '../elf/symbols.js';
import type { SymbolInfo } from './debugInfo.js';
import { RangeMap, compareBigints } from './search.js';

/** A symbol with its extent. */
export interface PlacedSymbol extends SymbolInfo {
  readonly isGlobal: boolean;
  /** Which of several symbols at one address names it best: the highest. */
  readonly rank: number;
}

/** Only these types are names of places; a symbol of a section or a source file is not. */
const TYPE_RANK: Readonly<Record<number, number>> = {
  [STT.NOTYPE]: 0,
  [STT.TLS]: 1,
  [STT.COMMON]: 1,
  [STT.OBJECT]: 2,
  [STT.GNU_IFUNC]: 3,
  [STT.FUNC]: 3,
};

/** The ELF symbols of a file by name and by address. */
export class SymbolTable {
  /** Ascending by address. */
  readonly sorted: readonly PlacedSymbol[];
  private readonly byName = new Map<string, PlacedSymbol[]>();
  private readonly byAddress: RangeMap<PlacedSymbol>;

  constructor(elf: ElfFile) {
    this.sorted = placeSymbols(elf);
    for (const symbol of [...this.sorted, ...absoluteSymbols(elf)]) {
      const named = this.byName.get(symbol.name);
      if (named === undefined) {
        this.byName.set(symbol.name, [symbol]);
      } else {
        named.push(symbol);
      }
    }
    this.byAddress = new RangeMap(
      this.sorted.map((value) => ({ low: value.address, high: value.end, value })),
    );
  }

  /** The symbol of that name; the global one when there are several. */
  named(name: string): PlacedSymbol | undefined {
    return this.allNamed(name).reduce<PlacedSymbol | undefined>(
      (best, symbol) => (best === undefined || symbol.rank > best.rank ? symbol : best),
      undefined,
    );
  }

  allNamed(name: string): readonly PlacedSymbol[] {
    return this.byName.get(name) ?? [];
  }

  /** The symbols whose name starts so, as the parts of a function that gcc split do (`f.cold`, `f.part.0`). */
  *withPrefix(prefix: string): Generator<PlacedSymbol> {
    for (const [name, symbols] of this.byName) {
      if (name.startsWith(prefix)) {
        yield* symbols;
      }
    }
  }

  /** The symbol that the address belongs to. */
  at(address: bigint): PlacedSymbol | undefined {
    return this.byAddress.at(address).reduce<PlacedSymbol | undefined>((best, symbol) => {
      const better =
        best === undefined ||
        symbol.address > best.address ||
        (symbol.address === best.address && symbol.rank > best.rank);
      return better ? symbol : best;
    }, undefined);
  }
}

function placeSymbols(elf: ElfFile): PlacedSymbol[] {
  const placed = elf.symbols
    .map((symbol) => ({ symbol, section: elf.sections[symbol.sectionIndex] }))
    .filter(({ symbol, section }) => isPlace(symbol, section))
    .map(({ symbol, section }) => ({
      symbol,
      section,
      address: symbol.value + section.address * relocatable(elf),
    }))
    .sort((a, b) => compareBigints(a.address, b.address));
  const result: PlacedSymbol[] = [];
  let next: { section: Section; address: bigint } | undefined;
  let after: typeof next;
  for (let index = placed.length - 1; index >= 0; index--) {
    const { symbol, section, address } = placed[index];
    // `next` is the nearest symbol at a higher address than this one, not another name of the same address.
    if (after !== undefined && after.address > address) {
      next = after;
    }
    after = { section, address };
    const sectionEnd = section.address + BigInt(section.size);
    const open = next !== undefined && next.section === section ? next.address : sectionEnd;
    result.push({
      name: symbol.name,
      address,
      size: symbol.size,
      end: symbol.size > 0n ? address + symbol.size : open,
      isGlobal: symbol.binding !== STB.LOCAL,
      kind: (section.flags & SHF.EXECINSTR) !== 0 ? 'code' : 'data',
      rank: rank(symbol),
    });
  }
  return result.reverse();
}

/** gABI 4, st_value: an offset into the section in a relocatable file, an address in others. */
function relocatable(elf: ElfFile): bigint {
  return elf.type === ET.REL ? 1n : 0n;
}

function isPlace(symbol: ElfSymbol, section: Section | undefined): boolean {
  return (
    section !== undefined &&
    symbol.sectionIndex !== SHN.UNDEF &&
    symbol.type in TYPE_RANK &&
    symbol.name !== ''
  );
}

/** Absolute symbols (`sym = 5` in assembly) have a value that programs refer to, but are at no place. */
function absoluteSymbols(elf: ElfFile): PlacedSymbol[] {
  return elf.symbols
    .filter(({ sectionIndex, type, name }) => sectionIndex === SHN.ABS && type !== STT.FILE && name !== '')
    .map(({ name, value, size, binding }) => ({
      name,
      address: value,
      size,
      end: value,
      isGlobal: binding !== STB.LOCAL,
      kind: 'absolute',
      rank: -1,
    }));
}

function rank(symbol: ElfSymbol): number {
  return TYPE_RANK[symbol.type] * 2 + (symbol.binding === STB.LOCAL ? 0 : 1);
}
