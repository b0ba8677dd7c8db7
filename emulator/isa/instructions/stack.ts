/** Stack instructions. */
import type { InstructionRow } from '../table.js';
import { ALL, cold, hot, not64 } from './define.js';

const by64 = { default64: true } as const;

export const stack: readonly InstructionRow[] = [
  hot('push', '50+r', ['Zv'], 'Pushes the operand', by64),
  hot('pop', '58+r', ['Zv'], 'Pops into the operand', by64),
  hot('push', '68', ['Iz'], 'Pushes the operand', by64),
  hot('push', '6A', ['Ibs'], 'Pushes the operand', by64),
  hot('push', 'FF /6', ['Ev'], 'Pushes the operand', by64),
  hot('pop', '8F /0', ['Ev'], 'Pops into the operand', by64),
  hot('push', '06', ['ES'], 'Pushes a selector', { ...not64, semantics: 'pushSelector' }),
  hot('push', '0E', ['CS'], 'Pushes a selector', { ...not64, semantics: 'pushSelector' }),
  hot('push', '16', ['SS'], 'Pushes a selector', { ...not64, semantics: 'pushSelector' }),
  hot('push', '1E', ['DS'], 'Pushes a selector', { ...not64, semantics: 'pushSelector' }),
  hot('push', '0F A0', ['FS'], 'Pushes a selector', { ...by64, semantics: 'pushSelector' }),
  hot('push', '0F A8', ['GS'], 'Pushes a selector', { ...by64, semantics: 'pushSelector' }),
  cold('pop', '07', ['ES'], 'Pops into a segment register', { ...not64, semantics: 'popSegment' }),
  cold('pop', '17', ['SS'], 'Pops into a segment register', { ...not64, semantics: 'popSegment' }),
  cold('pop', '1F', ['DS'], 'Pops into a segment register', { ...not64, semantics: 'popSegment' }),
  cold('pop', '0F A1', ['FS'], 'Pops into a segment register', { ...by64, semantics: 'popSegment' }),
  cold('pop', '0F A9', ['GS'], 'Pops into a segment register', { ...by64, semantics: 'popSegment' }),
  hot('pusha', 'o16 60', [], 'Pushes the eight 16-bit registers', not64),
  hot('pushad', 'o32 60', [], 'Pushes the eight 32-bit registers', { ...not64, semantics: 'pusha' }),
  hot('popa', 'o16 61', [], 'Pops the 16-bit registers but SP', not64),
  hot('popad', 'o32 61', [], 'Pops the 32-bit registers but ESP', { ...not64, semantics: 'popa' }),
  hot('enter', 'C8', ['Iw', 'Ib'], 'Makes a stack frame', by64),
  hot('leave', 'C9', [], 'Leaves a stack frame', by64),
  hot('pushf', 'o16 9C', [], 'Pushes FLAGS', { ...by64, reads: ALL }),
  hot('pushfd', 'o32 9C', [], 'Pushes EFLAGS', { ...by64, reads: ALL, semantics: 'pushf' }),
  hot('pushfq', 'o64 9C', [], 'Pushes RFLAGS', { ...by64, reads: ALL, semantics: 'pushf' }),
  cold('popf', 'o16 9D', [], 'Pops into FLAGS', { ...by64, writes: ALL }),
  cold('popfd', 'o32 9D', [], 'Pops into EFLAGS', { ...by64, writes: ALL, semantics: 'popf' }),
  cold('popfq', 'o64 9D', [], 'Pops into RFLAGS', { ...by64, writes: ALL, semantics: 'popf' }),
];
