/** The requests that change a value: setVariable and setExpression. */
import type { DebugProtocol } from '@vscode/debugprotocol';
import { assign } from './cVariables.js';
import type { FrameContext } from './frameContext.js';
import { VariableError } from './numberFormat.js';
import { isAssignable, registerOrFieldRow } from './registerExpression.js';
import type { VariableStore } from './store.js';

/** Changes a row of a container. Throws VariableError or ExpressionError with the reason. */
export function setVariable(
  args: DebugProtocol.SetVariableArguments,
  store: VariableStore,
): DebugProtocol.SetVariableResponse['body'] {
  const container = store.containerOf(args.variablesReference);
  const row = store.toVariable(container.set(args.name, args.value, store.formatFor(args.format)));
  const { value, type, variablesReference, indexedVariables, namedVariables, memoryReference } = row;
  return { value, type, variablesReference, indexedVariables, namedVariables, memoryReference };
}

/** Assigns to a watched expression. Throws VariableError or ExpressionError with the reason. */
export function setExpression(
  args: DebugProtocol.SetExpressionArguments,
  context: FrameContext,
  store: VariableStore,
): DebugProtocol.SetExpressionResponse['body'] {
  const format = store.formatFor(args.format);
  if (!isAssignable(args.expression)) throw new VariableError(`"${args.expression}" cannot be assigned to`);
  const assigned = assign(args.expression, args.expression, args.value, context, format);
  const row = store.toVariable(registerOrFieldRow(args.expression, context, format) ?? assigned);
  const { value, type, variablesReference, indexedVariables, namedVariables, memoryReference } = row;
  return { value, type, variablesReference, indexedVariables, namedVariables, memoryReference };
}
