import { hypercallSites } from '../codeFlow/hypercallSites.js';
import type { Check } from './finding.js';

const RIGHT = { intel: 'vmcall', amd: 'vmmcall' } as const;

/** The hypercall instruction of the other vendor: hosts rewrite it, where they can, at the first call. */
export const hypercallInstruction: Check = (analysis, { vendor }) =>
  hypercallSites(analysis).flatMap(({ statement, instruction }) => {
    if (instruction === RIGHT[vendor]) return [];
    const { file, line, column, endColumn } = statement;
    const name = instruction.toUpperCase();
    const right = RIGHT[vendor].toUpperCase();
    return [
      {
        file,
        line,
        column,
        endColumn,
        code: 'other-vendors-hypercall',
        severity: 'information' as const,
        message: `${name} is the other vendor’s hypercall instruction: it raises #UD here, and KVM then writes ${right} over it.`,
      },
    ];
  });
