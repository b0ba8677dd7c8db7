/** Log messages: text with expressions in braces, `RAX is {$rax}`. `{{` and `}}` stand for braces. */
import type { HitContext } from '../types.js';

/** The message with its expressions evaluated. Throws Error with a user's message when one cannot be. */
export function interpolate(message: string, context: HitContext): string {
  return message.replace(/\{\{|\}\}|\{([^{}]*)\}/g, (whole, expression: string | undefined) =>
    expression === undefined ? whole[0] : context.format(expression),
  );
}
