/** Shifts, rotates, bit tests, bit scans, byte swaps. */
import type { InstructionRow, OperandForm } from '../table.js';
import { ALL, hot } from './define.js';

const shiftFlags = { writes: ALL, undefined: ['AF'] } as const;
const rotateFlags = { writes: ['CF', 'OF'] } as const;
const throughCarry = { writes: ['CF', 'OF'], reads: ['CF'] } as const;

const shift = (mnemonic: string, group: number, summary: string, extra: Partial<InstructionRow>) => {
  const forms: readonly (readonly [string, OperandForm, OperandForm])[] = [
    ['C0', 'Eb', 'Ib'],
    ['C1', 'Ev', 'Ib'],
    ['D0', 'Eb', 'I1'],
    ['D1', 'Ev', 'I1'],
    ['D2', 'Eb', 'CL'],
    ['D3', 'Ev', 'CL'],
  ];
  return forms.map(([byte, destination, count]) =>
    hot(mnemonic, `${byte} /${group}`, [destination, count], summary, extra),
  );
};

const bitTest = (mnemonic: string, byte: string, group: number, summary: string, lockable: boolean) => {
  const extra = { lockable, writes: ['CF'], undefined: ['OF', 'SF', 'AF', 'PF'] } as const;
  return [
    hot(mnemonic, `0F ${byte} /r`, ['Ev', 'Gv'], summary, extra),
    hot(mnemonic, `0F BA /${group}`, ['Ev', 'Ib'], summary, extra),
  ];
};

const scan = { writes: ['ZF'], undefined: ['CF', 'OF', 'SF', 'AF', 'PF'] } as const;

export const bit: readonly InstructionRow[] = [
  ...shift('rol', 0, 'Rotates left', rotateFlags),
  ...shift('ror', 1, 'Rotates right', rotateFlags),
  ...shift('rcl', 2, 'Rotates left through CF', throughCarry),
  ...shift('rcr', 3, 'Rotates right through CF', throughCarry),
  ...shift('shl', 4, 'Shifts left', shiftFlags),
  ...shift('shr', 5, 'Shifts right, filling with 0', shiftFlags),
  ...shift('shl', 6, 'Shifts left', shiftFlags),
  ...shift('sar', 7, 'Shifts right, filling with the sign', shiftFlags),
  hot('shld', '0F A4 /r', ['Ev', 'Gv', 'Ib'], 'Shifts left, filling from the source', shiftFlags),
  hot('shld', '0F A5 /r', ['Ev', 'Gv', 'CL'], 'Shifts left, filling from the source', shiftFlags),
  hot('shrd', '0F AC /r', ['Ev', 'Gv', 'Ib'], 'Shifts right, filling from the source', shiftFlags),
  hot('shrd', '0F AD /r', ['Ev', 'Gv', 'CL'], 'Shifts right, filling from the source', shiftFlags),

  ...bitTest('bt', 'A3', 4, 'CF = the selected bit', false),
  ...bitTest('bts', 'AB', 5, 'CF = the selected bit, then sets it', true),
  ...bitTest('btr', 'B3', 6, 'CF = the selected bit, then clears it', true),
  ...bitTest('btc', 'BB', 7, 'CF = the selected bit, then inverts it', true),

  // Without BMI1 and LZCNT in CPUID, F3 is ignored here (SDM 2B, TZCNT).
  hot('bsf', '0F BC /r', ['Gv', 'Ev'], 'Index of the lowest set bit', scan),
  hot('bsr', '0F BD /r', ['Gv', 'Ev'], 'Index of the highest set bit', scan),
  hot('popcnt', 'F3 0F B8 /r', ['Gv', 'Ev'], 'Counts the set bits', { writes: ALL }),
  hot('bswap', '0F C8+r', ['Zv'], 'Reverses the bytes'),
  hot('movbe', 'NFx 0F 38 F0 /r', ['Gv', 'Mv'], 'Loads with reversed bytes'),
  hot('movbe', 'NFx 0F 38 F1 /r', ['Mv', 'Gv'], 'Stores with reversed bytes'),
];
