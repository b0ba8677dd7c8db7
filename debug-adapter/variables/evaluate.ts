/** The evaluate request: watch, hover, debug console, clipboard, variables. */
import type { DebugProtocol } from '@vscode/debugprotocol';
import { integerOf } from '../../toolchain/debuginfo/values.js';
import type { VariableRow } from './container.js';
import { valueRow } from './cVariables.js';
import type { FrameContext } from './frameContext.js';
import { evaluateIn, numberFrom } from './frameContext.js';
import type { NumberFormat } from './numberFormat.js';
import { formatNumber, VariableError } from './numberFormat.js';
import { symbolRow } from './symbolRow.js';
import { isAssignable, registerOrFieldRow } from './registerExpression.js';
import type { VariableStore } from './store.js';
import type { HitContext } from '../breakpoints/types.js';
import type { Debuggee } from '../debuggee/debuggee.js';
import type { CodeFrame } from '../stack/frame.js';

/** What a hover may ask about: names, members and elements; nothing that computes or assigns. */
const HOVERABLE = /^[$%]?[A-Za-z_]\w*(\s*(\.|->)\s*\w+|\[\s*\w+\s*\])*$/;
/** Contexts in which the user has typed the expression: an assignment is meant. */
const ASSIGNING: readonly (string | undefined)[] = ['repl', 'watch', undefined];

/** Evaluates an expression in a frame. Throws ExpressionError or VariableError with the reason for the user. */
export function evaluate(
  args: Pick<DebugProtocol.EvaluateArguments, 'expression' | 'context' | 'format'>,
  context: FrameContext,
  store: VariableStore,
): DebugProtocol.EvaluateResponse['body'] {
  // Assembly in AT&T syntax writes %rax.
  const expression = args.expression.trim().replace(/^%(?=[a-z])/i, '$');
  if (expression === '') throw new VariableError('an expression is missing');
  if (args.context === 'hover' && !HOVERABLE.test(expression)) {
    throw new VariableError('only names, members and elements are shown on hover');
  }
  if (!ASSIGNING.includes(args.context) && !isAssignable(expression)) {
    throw new VariableError('an assignment belongs in the debug console or in a watch');
  }
  const row = store.toVariable(rowOf(expression, context, store.formatFor(args.format)));
  const { value: result, type, presentationHint, variablesReference, memoryReference } = row;
  const { indexedVariables, namedVariables } = row;
  return {
    result,
    type,
    presentationHint,
    variablesReference,
    indexedVariables,
    namedVariables,
    memoryReference,
  };
}

function rowOf(expression: string, context: FrameContext, format: NumberFormat): VariableRow {
  const register = registerOrFieldRow(expression, context, format);
  if (register) return register;
  const symbol = symbolRow(expression, context);
  if (symbol) return symbol;
  const value = evaluateIn(expression, context);
  if (value.problem !== undefined) throw new VariableError(value.problem);
  if (value.registerName !== undefined) {
    return { name: expression, value: formatNumber(integerOf(value), format), type: undefined };
  }
  return valueRow(expression, value, expression, context, format);
}

/** What conditions and log messages are evaluated in: the frame where the machine stands. */
export function hitContextIn(debuggee: Debuggee, frame: CodeFrame | undefined): HitContext {
  const context = (): FrameContext => {
    if (!frame) throw new VariableError('there is no frame here to evaluate in');
    return { debuggee, frame };
  };
  return {
    evaluate: (expression) => numberFrom(expression, context()),
    format: (expression) => rowOf(expression.trim(), context(), 'hex').value,
  };
}
