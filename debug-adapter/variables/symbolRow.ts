/** Symbols without a type, as assembly has them: labels, strings, integers. */
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

/** The bytes of an untyped data symbol that says its size; of another the evaluator finds an integer. */
export function placeOfSymbol(name: string, context: FrameContext): MemoryPlace | undefined {
  const symbol = untypedSymbol(name, context);
  if (symbol?.kind !== 'data' || symbol.size === 0n) return undefined;
  return { address: symbol.address, length: Number(symbol.size) };
}

/** The address of a label of code, the text of a string; other data is an integer, which the evaluator reads. */
export function symbolRow(name: string, context: FrameContext): VariableRow | undefined {
  const symbol = untypedSymbol(name, context);
  if (!symbol) return undefined;
  const { address, kind } = symbol;
  const memoryReference = formatReference(context.frame.world, address);
  if (kind === 'code') return { name, value: hex(address), type: 'label', memoryReference };
  const text = readString(address, context.frame.machine);
  if (text === undefined || !STRING.test(text)) return undefined;
  return { name, value: text, type: `string at ${hex(address)}`, memoryReference };
}

/** Four printable characters, NUL or more behind them, are taken for a string. */
const STRING = /^"[^"\\]{4,}.*"$/;
