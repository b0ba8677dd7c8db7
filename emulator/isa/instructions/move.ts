/** Data movement without arithmetic: MOV, extension, exchange, conditional moves, LEA, no-operations. */
import type { InstructionRow } from '../table.js';
import { ALL, cold, hot, only64 } from './define.js';

const lock = { lockable: true } as const;
const compareExchange = { lockable: true, writes: ALL } as const;

const fence = (mnemonic: string, modrm: number, summary: string): InstructionRow[] =>
  Array.from({ length: 8 }, (_, rm) =>
    hot(mnemonic, `NP 0F AE ${(modrm + rm).toString(16).toUpperCase()}`, [], summary, { semantics: 'nop' }),
  );

export const move: readonly InstructionRow[] = [
  hot('mov', '88 /r', ['Eb', 'Gb'], 'Copies the source'),
  hot('mov', '89 /r', ['Ev', 'Gv'], 'Copies the source'),
  hot('mov', '8A /r', ['Gb', 'Eb'], 'Copies the source'),
  hot('mov', '8B /r', ['Gv', 'Ev'], 'Copies the source'),
  hot('mov', '8C /r', ['Edw', 'Sw'], 'Stores a segment selector', { semantics: 'storeSelector' }),
  cold('mov', '8E /r', ['Sw', 'Ew'], 'Loads a segment register', { semantics: 'movToSegment' }),
  hot('mov', 'A0', ['AL', 'Ob'], 'Copies the source'),
  hot('mov', 'A1', ['rAX', 'Ov'], 'Copies the source'),
  hot('mov', 'A2', ['Ob', 'AL'], 'Copies the source'),
  hot('mov', 'A3', ['Ov', 'rAX'], 'Copies the source'),
  hot('mov', 'B0+r', ['Zb', 'Ib'], 'Copies the immediate'),
  hot('mov', 'B8+r', ['Zv', 'Iv'], 'Copies the immediate'),
  hot('mov', 'C6 /0', ['Eb', 'Ib'], 'Copies the immediate'),
  hot('mov', 'C7 /0', ['Ev', 'Iz'], 'Copies the immediate'),

  hot('movzx', '0F B6 /r', ['Gv', 'Eb'], 'Copies with zero extension'),
  hot('movzx', '0F B7 /r', ['Gv', 'Ew'], 'Copies with zero extension'),
  hot('movsx', '0F BE /r', ['Gv', 'Eb'], 'Copies with sign extension'),
  hot('movsx', '0F BF /r', ['Gv', 'Ew'], 'Copies with sign extension'),
  hot('movsxd', 'o16 63 /r', ['Gv', 'Ew'], 'Copies', { ...only64, semantics: 'movsx' }),
  hot('movsxd', '63 /r', ['Gv', 'Ed'], 'Copies with sign extension', { ...only64, semantics: 'movsx' }),

  hot('lea', '8D /r', ['Gv', 'M'], 'Stores the offset of the source'),
  hot('xchg', '86 /r', ['Eb', 'Gb'], 'Exchanges the operands, locked', lock),
  hot('xchg', '87 /r', ['Ev', 'Gv'], 'Exchanges the operands, locked', lock),
  hot('nop', 'REX.B0 90', [], 'Does nothing'),
  hot('xchg', '90+r', ['Zv', 'rAX'], 'Exchanges the operands'),
  hot(
    'cmpxchg',
    '0F B0 /r',
    ['Eb', 'Gb'],
    'Stores the source if rAX equals the destination',
    compareExchange,
  ),
  hot(
    'cmpxchg',
    '0F B1 /r',
    ['Ev', 'Gv'],
    'Stores the source if rAX equals the destination',
    compareExchange,
  ),
  hot('cmpxchg8b', '0F C7 /1', ['Mq'], 'Stores ECX:EBX if EDX:EAX equals the destination', {
    lockable: true,
    writes: ['ZF'],
  }),
  hot('cmpxchg16b', 'REX.W 0F C7 /1', ['Mdq'], 'Stores RCX:RBX if RDX:RAX equals the destination', {
    lockable: true,
    writes: ['ZF'],
  }),

  hot('cmovcc', '0F 40+cc /r', ['Gv', 'Ev'], 'Copies if the condition holds', { reads: ALL }),
  hot('setcc', '0F 90+cc /r', ['Eb'], 'Stores 1 if the condition holds, else 0', { reads: ALL }),
  hot('xlatb', 'D7', ['mBX'], 'AL = byte at rBX + AL', { semantics: 'xlat' }),

  hot('endbr64', 'F3 0F 1E FA', [], 'Marks an indirect branch target in 64-bit code', { semantics: 'nop' }),
  hot('endbr32', 'F3 0F 1E FB', [], 'Marks an indirect branch target in 32-bit code', { semantics: 'nop' }),
  // 0F 0D: without 3DNow! these are prefetches (/1 PREFETCHW) and reserved no-operations (SDM 2B, PREFETCHW).
  hot('prefetch', '0F 0D /0', ['M'], 'Hint: the line will be used', { semantics: 'nop' }),
  hot('prefetchw', '0F 0D /1', ['M'], 'Hint: the line will be written', { semantics: 'nop' }),
  hot('prefetchwt1', '0F 0D /2', ['M'], 'Hint: the line will be written', { semantics: 'nop' }),
  hot('nop', '0F 0D /r', ['Ev'], 'Reserved no-operation', { semantics: 'nop' }),
  hot('prefetchnta', '0F 18 /0', ['M'], 'Hint: the line will be used', { semantics: 'nop' }),
  hot('prefetcht0', '0F 18 /1', ['M'], 'Hint: the line will be used', { semantics: 'nop' }),
  hot('prefetcht1', '0F 18 /2', ['M'], 'Hint: the line will be used', { semantics: 'nop' }),
  hot('prefetcht2', '0F 18 /3', ['M'], 'Hint: the line will be used', { semantics: 'nop' }),
  ...['18', '19', '1A', '1B', '1C', '1D', '1E'].map((byte) =>
    hot('nop', `0F ${byte} /r`, ['Ev'], 'Reserved no-operation'),
  ),
  hot('nop', '0F 1F /r', ['Ev'], 'Does nothing'),
  // The manual gives E8, F0 and F8; processors ignore ModRM.rm.
  ...fence('lfence', 0xe8, 'Orders loads'),
  ...fence('mfence', 0xf0, 'Orders loads and stores'),
  ...fence('sfence', 0xf8, 'Orders stores'),
  hot('clflush', 'NP 0F AE /7', ['Mb'], 'Flushes a cache line', { semantics: 'probe' }),
];
