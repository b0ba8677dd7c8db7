import { hypercallSites } from '../codeFlow/hypercallSites.js';
import type { Check } from './finding.js';

/** Operands of a known hypercall that nothing has written since the program began. */
export const unsetArguments: Check = (analysis) =>
  hypercallSites(analysis).flatMap(({ statement, hypercall, registers }) => {
    const missing =
      hypercall?.parameters?.filter(({ register }) => registers[register].state === 'unset') ?? [];
    if (missing.length === 0) return [];
    const { file, line, column, endColumn } = statement;
    const names = missing.map(({ register, name }) => `${register.toUpperCase()} (${name})`).join(', ');
    return [
      {
        file,
        line,
        column,
        endColumn,
        code: 'unset-hypercall-argument',
        severity: 'warning' as const,
        message: `${hypercall!.name} takes ${names}, which the program never sets before this call.`,
      },
    ];
  });
