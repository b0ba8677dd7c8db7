import type { Check } from './finding.js';

const ENTRY_SYMBOL = '_start';

/** `_start` that other object files, and linkers, do not see. Hyperstep itself starts a guest there all the same. */
export const entryPoint: Check = ({ symbols }) => {
  const start = symbols.get(ENTRY_SYMBOL);
  if (start?.kind !== 'label' || start.binding !== 'local' || !start.definition) return [];
  const message = `${ENTRY_SYMBOL} is not global: a linker does not find it. Add “.globl ${ENTRY_SYMBOL}”.`;
  return [{ ...start.definition, code: 'start-not-global', severity: 'information', message }];
};
