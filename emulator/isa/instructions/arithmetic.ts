/** Addition, subtraction, multiplication, division, sign extension, decimal adjustment. */
import type { InstructionRow } from '../table.js';
import { ALL, hot, not64 } from './define.js';

const twoOperands = (mnemonic: string, group: number, summary: string, extra: Partial<InstructionRow>) => {
  const byte = (low: number) => (group * 8 + low).toString(16).toUpperCase().padStart(2, '0');
  const flags = { writes: ALL, ...extra };
  const registerFirst = { ...flags, lockable: false };
  return [
    hot(mnemonic, `${byte(0)} /r`, ['Eb', 'Gb'], summary, flags),
    hot(mnemonic, `${byte(1)} /r`, ['Ev', 'Gv'], summary, flags),
    hot(mnemonic, `${byte(2)} /r`, ['Gb', 'Eb'], summary, registerFirst),
    hot(mnemonic, `${byte(3)} /r`, ['Gv', 'Ev'], summary, registerFirst),
    hot(mnemonic, byte(4), ['AL', 'Ib'], summary, registerFirst),
    hot(mnemonic, byte(5), ['rAX', 'Iz'], summary, registerFirst),
    hot(mnemonic, `80 /${group}`, ['Eb', 'Ib'], summary, flags),
    hot(mnemonic, `81 /${group}`, ['Ev', 'Iz'], summary, flags),
    hot(mnemonic, `82 /${group}`, ['Eb', 'Ib'], summary, { ...flags, ...not64 }),
    hot(mnemonic, `83 /${group}`, ['Ev', 'Ibs'], summary, flags),
  ];
};

const lock = { lockable: true } as const;
const logic = { lockable: true, undefined: ['AF'] } as const;
const keepsCarry = { lockable: true, writes: ['PF', 'AF', 'ZF', 'SF', 'OF'] } as const;
const product = { writes: ['CF', 'OF'], undefined: ['SF', 'ZF', 'AF', 'PF'] } as const;
const quotient = { undefined: ALL } as const;
const decimal = {
  ...not64,
  writes: ['CF', 'AF'],
  undefined: ['OF', 'SF', 'ZF', 'PF'],
  reads: ['AF'],
} as const;
const packed = {
  ...not64,
  writes: ['CF', 'AF', 'SF', 'ZF', 'PF'],
  undefined: ['OF'],
  reads: ['CF', 'AF'],
} as const;
const adjusted = { ...not64, writes: ['SF', 'ZF', 'PF'], undefined: ['OF', 'AF', 'CF'] } as const;

export const arithmetic: readonly InstructionRow[] = [
  ...twoOperands('add', 0, 'Adds the source to the destination', lock),
  ...twoOperands('or', 1, 'Bitwise OR into the destination', logic),
  ...twoOperands('adc', 2, 'Adds the source and CF to the destination', { ...lock, reads: ['CF'] }),
  ...twoOperands('sbb', 3, 'Subtracts the source and CF from the destination', { ...lock, reads: ['CF'] }),
  ...twoOperands('and', 4, 'Bitwise AND into the destination', logic),
  ...twoOperands('sub', 5, 'Subtracts the source from the destination', lock),
  ...twoOperands('xor', 6, 'Bitwise exclusive OR into the destination', logic),
  ...twoOperands('cmp', 7, 'Sets the flags as a subtraction would', {}),

  hot('test', '84 /r', ['Eb', 'Gb'], 'Sets the flags as an AND would', { writes: ALL, undefined: ['AF'] }),
  hot('test', '85 /r', ['Ev', 'Gv'], 'Sets the flags as an AND would', { writes: ALL, undefined: ['AF'] }),
  hot('test', 'A8', ['AL', 'Ib'], 'Sets the flags as an AND would', { writes: ALL, undefined: ['AF'] }),
  hot('test', 'A9', ['rAX', 'Iz'], 'Sets the flags as an AND would', { writes: ALL, undefined: ['AF'] }),
  hot('test', 'F6 /0', ['Eb', 'Ib'], 'Sets the flags as an AND would', { writes: ALL, undefined: ['AF'] }),
  hot('test', 'F6 /1', ['Eb', 'Ib'], 'Sets the flags as an AND would', { writes: ALL, undefined: ['AF'] }),
  hot('test', 'F7 /0', ['Ev', 'Iz'], 'Sets the flags as an AND would', { writes: ALL, undefined: ['AF'] }),
  hot('test', 'F7 /1', ['Ev', 'Iz'], 'Sets the flags as an AND would', { writes: ALL, undefined: ['AF'] }),

  hot('inc', '40+r', ['Zv'], 'Adds 1; CF stays', { ...keepsCarry, ...not64, lockable: false }),
  hot('dec', '48+r', ['Zv'], 'Subtracts 1; CF stays', { ...keepsCarry, ...not64, lockable: false }),
  hot('inc', 'FE /0', ['Eb'], 'Adds 1; CF stays', keepsCarry),
  hot('inc', 'FF /0', ['Ev'], 'Adds 1; CF stays', keepsCarry),
  hot('dec', 'FE /1', ['Eb'], 'Subtracts 1; CF stays', keepsCarry),
  hot('dec', 'FF /1', ['Ev'], 'Subtracts 1; CF stays', keepsCarry),
  hot('not', 'F6 /2', ['Eb'], 'Inverts every bit', lock),
  hot('not', 'F7 /2', ['Ev'], 'Inverts every bit', lock),
  hot('neg', 'F6 /3', ['Eb'], 'Subtracts the operand from 0', { ...lock, writes: ALL }),
  hot('neg', 'F7 /3', ['Ev'], 'Subtracts the operand from 0', { ...lock, writes: ALL }),

  hot('mul', 'F6 /4', ['Eb'], 'AX = AL * operand, unsigned', { ...product, semantics: 'mulWide' }),
  hot('mul', 'F7 /4', ['Ev'], 'rDX:rAX = rAX * operand, unsigned', { ...product, semantics: 'mulWide' }),
  hot('imul', 'F6 /5', ['Eb'], 'AX = AL * operand, signed', { ...product, semantics: 'imulWide' }),
  hot('imul', 'F7 /5', ['Ev'], 'rDX:rAX = rAX * operand, signed', { ...product, semantics: 'imulWide' }),
  hot('imul', '0F AF /r', ['Gv', 'Ev'], 'Multiplies the destination by the source, signed', product),
  hot('imul', '69 /r', ['Gv', 'Ev', 'Iz'], 'Destination = source * immediate, signed', product),
  hot('imul', '6B /r', ['Gv', 'Ev', 'Ibs'], 'Destination = source * immediate, signed', product),
  hot('div', 'F6 /6', ['Eb'], 'AL = AX / operand, AH = remainder, unsigned', quotient),
  hot('div', 'F7 /6', ['Ev'], 'rAX = rDX:rAX / operand, rDX = remainder, unsigned', quotient),
  hot('idiv', 'F6 /7', ['Eb'], 'AL = AX / operand, AH = remainder, signed', quotient),
  hot('idiv', 'F7 /7', ['Ev'], 'rAX = rDX:rAX / operand, rDX = remainder, signed', quotient),

  hot('cbw', 'o16 98', [], 'Sign-extends AL to AX', { semantics: 'extendAccumulator' }),
  hot('cwde', 'o32 98', [], 'Sign-extends AX to EAX', { semantics: 'extendAccumulator' }),
  hot('cdqe', 'o64 98', [], 'Sign-extends EAX to RAX', { semantics: 'extendAccumulator' }),
  hot('cwd', 'o16 99', [], 'Sign-extends AX to DX:AX', { semantics: 'extendIntoData' }),
  hot('cdq', 'o32 99', [], 'Sign-extends EAX to EDX:EAX', { semantics: 'extendIntoData' }),
  hot('cqo', 'o64 99', [], 'Sign-extends RAX to RDX:RAX', { semantics: 'extendIntoData' }),

  hot('xadd', '0F C0 /r', ['Eb', 'Gb'], 'Exchanges, then stores the sum', { ...lock, writes: ALL }),
  hot('xadd', '0F C1 /r', ['Ev', 'Gv'], 'Exchanges, then stores the sum', { ...lock, writes: ALL }),

  hot('daa', '27', [], 'Decimal adjust AL after addition', packed),
  hot('das', '2F', [], 'Decimal adjust AL after subtraction', packed),
  hot('aaa', '37', [], 'ASCII adjust AL after addition', decimal),
  hot('aas', '3F', [], 'ASCII adjust AL after subtraction', decimal),
  hot('aam', 'D4', ['Ib'], 'ASCII adjust AX after multiplication', adjusted),
  hot('aad', 'D5', ['Ib'], 'ASCII adjust AX before division', adjusted),
];
