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
  const name = /^(\$?)(\w+)$/.exec(text);
  if (!name || !isRegisterName(name[2].toLowerCase())) return undefined;
  if (name[1] === '' && isProgramName(name[2], context)) return undefined;
  return registerRow(name[2].toLowerCase(), context, format, text);
}
