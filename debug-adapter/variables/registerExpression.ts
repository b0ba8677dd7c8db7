/** Expressions that are just a register or a VMCS field: shown as in the Variables view, with their bits. */
import type { VariableRow } from './container.js';
import type { FrameContext } from './frameContext.js';
import { isProgramName, vmcsFieldNamed, vmcsOf } from './frameContext.js';
import type { NumberFormat } from './numberFormat.js';
import { registerRow } from './registerContainers.js';
import { isRegisterName } from './registerNames.js';
import { fieldRowOf } from './vmcsContainers.js';

/** An expression that contains an assignment already is not the left side of one. */
export const isAssignable = (expression: string): boolean => !/(^|[^=!<>])=(?!=)/.test(expression);

/** The row of a register or VMCS field; undefined when the expression is anything else. */
export function registerOrFieldRow(
  expression: string,
  context: FrameContext,
  format: NumberFormat,
): VariableRow | undefined {
  const text = expression.trim();
  const field = /^\$?vmcs\s*\.\s*(\w+)$/.exec(text);
  if (field) {
    const found = vmcsFieldNamed(field[1]);
    const vmcs = vmcsOf(context);
    return found && vmcs !== undefined ? fieldRowOf(found, vmcs, context, format) : undefined;
  }
  if (!isRegisterExpression(text, context)) return undefined;
  return registerRow(text.replace('$', '').toLowerCase(), context, format, text);
}

/** `$rax`, or `rax` where the program has no such name. */
export function isRegisterExpression(text: string, context: FrameContext): boolean {
  const name = /^(\$?)(\w+)$/.exec(text.trim());
  if (!name || !isRegisterName(name[2].toLowerCase())) return false;
  return name[1] === '$' || !isProgramName(name[2], context);
}
