/** What a data breakpoint is to watch: a variable of a scope, an expression, or an address. */
import type { DebugProtocol } from '@vscode/debugprotocol';
import { ExpressionError } from '../../toolchain/debuginfo/expression.js';
import type { DataTarget } from '../breakpoints/dataBreakpoints.js';
import type { MemoryPlace } from './container.js';
import { placeOf } from './cVariables.js';
import type { FrameContext } from './frameContext.js';
import { evaluateIn, numberFrom } from './frameContext.js';
import { VariableError } from './numberFormat.js';
import { isRegisterExpression } from './registerExpression.js';
import type { VariableStore } from './store.js';
import { placeOfSymbol } from './symbolRow.js';

/**
 * The bytes that the name in `args` stands for, or a message that says why they cannot be watched. `contextOf`: the frame
 * of the request, for expressions and addresses.
 */
export function dataTarget(
  args: DebugProtocol.DataBreakpointInfoArguments,
  store: VariableStore,
  contextOf: () => FrameContext,
): DataTarget | string {
  try {
    const { address, length } = memoryPlace(args, store, contextOf);
    return { address, size: args.bytes ?? length, description: args.name };
  } catch (error) {
    if (error instanceof VariableError || error instanceof ExpressionError) return error.message;
    throw error;
  }
}

function memoryPlace(
  { name, variablesReference, asAddress }: DebugProtocol.DataBreakpointInfoArguments,
  store: VariableStore,
  contextOf: () => FrameContext,
): MemoryPlace {
  if (variablesReference) {
    const container = store.containerOf(variablesReference);
    if (!container.place) throw new VariableError(`${name} is not in memory`);
    return container.place(name);
  }
  const context = contextOf();
  if (asAddress) return { address: numberFrom(name, context), length: 1 };
  if (isRegisterExpression(name, context)) throw new VariableError(`${name} is a register, not in memory`);
  return placeOfSymbol(name, context) ?? placeOf(evaluateIn(name, context), name);
}
