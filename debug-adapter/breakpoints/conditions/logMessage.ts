/** Log messages: text with expressions in braces, `RAX is {$rax}`. `{{` and `}}` stand for braces. */
import type { HitContext } from '../types.js';

/** The message with its expressions evaluated; one that cannot be stands as its error. */
export function interpolate(message: string, context: HitContext): string {
  return message.replace(/\{\{|\}\}|\{([^{}]*)\}/g, (whole, expression: string | undefined) => {
    if (expression === undefined) return whole[0];
    try {
      return context.format(expression);
    } catch (error) {
      return `{${expression}: ${error instanceof Error ? error.message : String(error)}}`;
    }
  });
}
