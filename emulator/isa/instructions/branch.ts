/** Jumps, calls, returns, loops, software interrupts. */
import type { InstructionRow } from '../table.js';
import { ALL, cold, hot, not64, only64 } from './define.js';

const near = { force64: true } as const;
const loop = { force64: true, reads: ['ZF'] } as const;

export const branch: readonly InstructionRow[] = [
  hot('jcc', '70+cc', ['Jb'], 'Jumps if the condition holds', { ...near, reads: ALL }),
  hot('jcc', '0F 80+cc', ['Jz'], 'Jumps if the condition holds', { ...near, reads: ALL }),
  hot('jmp', 'EB', ['Jb'], 'Jumps', near),
  hot('jmp', 'E9', ['Jz'], 'Jumps', near),
  hot('jmp', 'FF /4', ['Ev'], 'Jumps to the address in the operand', { ...near, semantics: 'jmpIndirect' }),
  hot('call', 'E8', ['Jz'], 'Pushes the next RIP and jumps', near),
  hot('call', 'FF /2', ['Ev'], 'Pushes the next RIP and jumps to the address in the operand', {
    ...near,
    semantics: 'callIndirect',
  }),
  hot('ret', 'C3', [], 'Pops RIP', near),
  hot('ret', 'C2', ['Iw'], 'Pops RIP and releases parameters', near),
  hot('loopne', 'E0', ['Jb'], 'Decrements rCX; jumps if it is not 0 and ZF is 0', loop),
  hot('loope', 'E1', ['Jb'], 'Decrements rCX; jumps if it is not 0 and ZF is 1', loop),
  hot('loop', 'E2', ['Jb'], 'Decrements rCX; jumps if it is not 0', near),
  hot('jcxz', 'a16 E3', ['Jb'], 'Jumps if CX is 0', near),
  hot('jecxz', 'a32 E3', ['Jb'], 'Jumps if ECX is 0', { ...near, semantics: 'jcxz' }),
  hot('jrcxz', 'a64 E3', ['Jb'], 'Jumps if RCX is 0', { ...near, semantics: 'jcxz' }),

  cold('jmp', 'EA', ['Ap'], 'Far jump', { ...not64, semantics: 'jmpFar' }),
  cold('call', '9A', ['Ap'], 'Far call', { ...not64, semantics: 'callFar' }),
  cold('jmp', 'FF /5', ['Mp'], 'Far jump through memory', { semantics: 'jmpFar' }),
  cold('call', 'FF /3', ['Mp'], 'Far call through memory', { semantics: 'callFar' }),
  cold('retf', 'CB', [], 'Far return'),
  cold('retf', 'CA', ['Iw'], 'Far return, releasing parameters'),
  cold('int1', 'F1', [], 'Raises #DB'),
  cold('int3', 'CC', [], 'Raises #BP'),
  cold('int', 'CD', ['Ib'], 'Software interrupt'),
  cold('into', 'CE', [], 'Raises #OF if OF is 1', { ...not64, reads: ['OF'] }),
  cold('iret', 'o16 CF', [], 'Returns from an interrupt'),
  cold('iretd', 'o32 CF', [], 'Returns from an interrupt', { semantics: 'iret' }),
  cold('iretq', 'o64 CF', [], 'Returns from an interrupt', { semantics: 'iret' }),
  hot('bound', '62 /r', ['Gv', 'Mv'], 'Raises #BR if the index is out of bounds', not64),
  cold('syscall', '0F 05', [], 'Fast call to privilege level 0', only64),
  cold('sysret', '0F 07', [], 'Returns from a fast call', { ...only64, privilege: 'cpl0' }),
  cold('sysretq', 'REX.W 0F 07', [], 'Returns from a fast call', {
    ...only64,
    privilege: 'cpl0',
    semantics: 'sysret',
  }),
  cold('sysenter', '0F 34', [], 'Fast call to privilege level 0'),
  cold('sysexit', '0F 35', [], 'Returns from a fast call', { privilege: 'cpl0' }),
  cold('sysexitq', 'REX.W 0F 35', [], 'Returns from a fast call', {
    privilege: 'cpl0',
    semantics: 'sysexit',
  }),
  cold('ud2', '0F 0B', [], 'Raises #UD', { semantics: 'undefined' }),
  cold('ud1', '0F B9 /r', ['Gv', 'Ev'], 'Raises #UD', { semantics: 'undefined' }),
  cold('ud0', '0F FF /r', ['Gv', 'Ev'], 'Raises #UD', { semantics: 'undefined' }),
];
