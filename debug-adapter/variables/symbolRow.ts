/** Symbols without a type, as assembly has them: the address, and what is there. */
import type { SymbolInfo } from '../../toolchain/debuginfo/debugInfo.js';
import { readString } from '../../toolchain/debuginfo/format.js';
import { formatReference } from '../breakpoints/reference.js';
import type { MemoryPlace, VariableRow } from './container.js';
import type { FrameContext } from './frameContext.js';
import { evaluationContext } from './frameContext.js';
import { hex } from './numberFormat.js';

/** The symbol, when the name is one and debug information says nothing more about it. */
function untypedSymbol(name: string, context: FrameContext): SymbolInfo | undefined {
  if (!/^[A-Za-z_]\w*$/.test(name)) return undefined;
  const { debugInfo, address, inlineDepth } = evaluationContext(context);
  const { locals, arguments: parameters } = debugInfo.variablesAt(address, inlineDepth);
  const isTyped =
    [...locals, ...parameters].some((variable) => variable.name === name) ||
    debugInfo.globalNamed(name, address) !== undefined ||
    debugInfo.enumeratorNamed(name) !== undefined ||
    debugInfo.functionsNamed(name).some(({ low }) => debugInfo.functionType(low));
  const symbol = isTyped ? undefined : debugInfo.symbolNamed(name);
  return symbol?.kind === 'absolute' ? undefined : symbol;
}

/** The bytes of an untyped data symbol: as many as it has, or a word. */
export function placeOfSymbol(name: string, context: FrameContext): MemoryPlace | undefined {
  const symbol = untypedSymbol(name, context);
  if (symbol?.kind !== 'data') return undefined;
  const word = context.frame.bits / 8;
  return { address: symbol.address, length: Number(symbol.size) || word };
}

/** `0x102000 → 0x7`, `0x102008 → "hello"`: in an expression such a symbol stands for its address, as an array does. */
export function symbolRow(name: string, context: FrameContext): VariableRow | undefined {
  const symbol = untypedSymbol(name, context);
  if (!symbol) return undefined;
  const { frame } = context;
  const content = symbol.kind === 'data' ? contentAt(symbol, context) : undefined;
  return {
    name,
    value: content === undefined ? hex(symbol.address) : `${hex(symbol.address)} → ${content}`,
    type: symbol.kind === 'data' ? 'data of assembly' : 'label of code',
    memoryReference: formatReference(frame.world, symbol.address),
  };
}

/** Two printable characters and a NUL somewhere behind them are taken for a string. */
const STRING = /^"[^"\\]{2,}.*"$/;
const WORD_SIZES: readonly number[] = [1, 2, 4, 8];

function contentAt({ address, size }: SymbolInfo, { frame }: FrameContext): string | undefined {
  const text = readString(address, frame.machine);
  if (text !== undefined && STRING.test(text)) return text;
  const length = WORD_SIZES.includes(Number(size)) ? Number(size) : frame.bits / 8;
  const bytes = frame.machine.readMemory(address, length);
  return bytes && hex(bytes.reduceRight((value, byte) => (value << 8n) | BigInt(byte), 0n));
}
