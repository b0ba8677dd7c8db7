/** What a data breakpoint is to watch: a variable of a scope, an expression, or an address. */
import type { DebugProtocol } from '@vscode/debugprotocol';
import type { MemoryPlace } from './container.js';
import { placeOf } from './cVariables.js';
import type { FrameContext } from './frameContext.js';
import { evaluateIn, numberFrom } from './frameContext.js';
import { VariableError } from './numberFormat.js';
import { isRegisterExpression } from './registerExpression.js';
import type { VariableStore } from './store.js';
import { placeOfSymbol } from './symbolRow.js';

/**
 * The bytes that `name` stands for. Throws VariableError or ExpressionError that says why they cannot be watched.
 * `contextOf`: the frame of the request, for expressions and addresses.
 */
export function dataTarget(
  name: string,
  args: Pick<DebugProtocol.DataBreakpointInfoArguments, 'variablesReference' | 'asAddress' | 'bytes'>,
  store: VariableStore,
  contextOf: () => FrameContext,
): MemoryPlace {
  if (args.variablesReference) {
    const container = store.containerOf(args.variablesReference);
    if (!container.place) throw new VariableError(`${name} is not in memory`);
    return container.place(name);
  }
  const context = contextOf();
  if (args.asAddress) {
    return { world: context.frame.world, address: numberFrom(name, context), length: args.bytes ?? 1 };
  }
  if (isRegisterExpression(name, context)) throw new VariableError(`${name} is a register, not in memory`);
  const symbol = placeOfSymbol(name, context);
  return withLength(symbol ?? placeOf(evaluateIn(name, context), name, context), args.bytes);
}

const withLength = (place: MemoryPlace, bytes: number | undefined): MemoryPlace =>
  bytes === undefined ? place : { ...place, length: bytes };
