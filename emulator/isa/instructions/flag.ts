/** Instructions on single flags. */
import type { InstructionRow } from '../table.js';
import { cold, hot } from './define.js';

const low = ['CF', 'PF', 'AF', 'ZF', 'SF'] as const;

export const flag: readonly InstructionRow[] = [
  hot('cmc', 'F5', [], 'Inverts CF', { writes: ['CF'], reads: ['CF'] }),
  hot('clc', 'F8', [], 'Clears CF', { writes: ['CF'] }),
  hot('stc', 'F9', [], 'Sets CF', { writes: ['CF'] }),
  hot('cld', 'FC', [], 'Clears DF: strings go up'),
  hot('std', 'FD', [], 'Sets DF: strings go down'),
  hot('sahf', '9E', [], 'Loads SF, ZF, AF, PF and CF from AH', { writes: low }),
  hot('lahf', '9F', [], 'Stores SF, ZF, AF, PF and CF in AH', { reads: low }),
  cold('cli', 'FA', [], 'Masks interrupts', { privilege: 'iopl' }),
  cold('sti', 'FB', [], 'Unmasks interrupts after the next instruction', { privilege: 'iopl' }),
  cold('clac', 'NP 0F 01 CA', [], 'Clears AC', { privilege: 'cpl0' }),
  cold('stac', 'NP 0F 01 CB', [], 'Sets AC', { privilege: 'cpl0' }),
];
