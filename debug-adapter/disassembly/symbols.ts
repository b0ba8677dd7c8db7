/** Names of addresses, and the addresses where an instruction is known to start. */
import type { SymbolInfo } from '../../toolchain/debuginfo/debugInfo.js';
import type { CodeSpace } from './codeSpace.js';

/** Farther back than this a symbol says little about where instructions start. */
const FARTHEST_START = 0x1_0000n;

/** `name` or `name+0x12`; undefined where no symbol is. */
export function symbolicAddress(space: CodeSpace, address: bigint): string | undefined {
  const symbol = space.imageAt(address)?.debugInfo.symbolAt(address);
  if (!symbol) return undefined;
  const offset = address - symbol.address;
  return offset === 0n ? symbol.name : `${symbol.name}+0x${offset.toString(16)}`;
}

/** The symbol or function that starts exactly here. */
export function symbolStartingAt(space: CodeSpace, address: bigint): string | undefined {
  const debugInfo = space.imageAt(address)?.debugInfo;
  const symbol = debugInfo?.symbolAt(address);
  if (symbol?.address === address) return symbol.name;
  const info = debugInfo?.functionAt(address);
  return info?.low === address ? info.name : undefined;
}

/** The nearest address at or before `address` where a line, a function or a symbol starts. */
export function knownStart(space: CodeSpace, address: bigint): bigint | undefined {
  const debugInfo = space.imageAt(address)?.debugInfo;
  if (!debugInfo) return undefined;
  const starts = [
    debugInfo.lineAt(address)?.address,
    debugInfo.functionAt(address)?.ranges.find(({ low, high }) => low <= address && address < high)?.low,
    symbolBefore(debugInfo.allSymbols(), address)?.address,
  ];
  const nearest = starts.reduce<bigint | undefined>(
    (best, start) => (start !== undefined && (best === undefined || start > best) ? start : best),
    undefined,
  );
  return nearest !== undefined && address - nearest < FARTHEST_START ? nearest : undefined;
}

/** The last symbol at or before an address, wherever it ends: padding behind a function has none of its own. */
function symbolBefore(symbols: readonly SymbolInfo[], address: bigint): SymbolInfo | undefined {
  let low = 0;
  let high = symbols.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (symbols[middle].address <= address) low = middle + 1;
    else high = middle;
  }
  return symbols[low - 1];
}
