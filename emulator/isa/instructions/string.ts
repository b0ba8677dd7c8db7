/** String instructions: REP prefixes apply to these only. */
import type { InstructionRow, OperandForm } from '../table.js';
import { ALL, cold, hot } from './define.js';

type Sized = readonly [suffix: string, opcode: string];
const sizes = (byte: number): readonly Sized[] => {
  const hex = (value: number) => value.toString(16).toUpperCase();
  return [
    ['b', hex(byte)],
    ['w', `o16 ${hex(byte + 1)}`],
    ['d', `o32 ${hex(byte + 1)}`],
    ['q', `o64 ${hex(byte + 1)}`],
  ];
};

const element = (form: string, suffix: string): OperandForm =>
  (suffix === 'b' ? form.replace('v', 'b').replace('rAX', 'AL') : form) as OperandForm;

const string = (
  stem: string,
  byte: number,
  operands: readonly string[],
  summary: string,
  extra: Partial<InstructionRow> = {},
): InstructionRow[] =>
  sizes(byte).map(([suffix, opcode]) =>
    hot(
      stem + suffix,
      opcode,
      operands.map((form) => element(form, suffix)),
      summary,
      { semantics: stem, ...extra },
    ),
  );

const port = { privilege: 'iopl' } as const;

export const string_: readonly InstructionRow[] = [
  ...string('movs', 0xa4, ['Yv', 'Xv'], 'Copies an element from DS:rSI to ES:rDI'),
  ...string('cmps', 0xa6, ['Xv', 'Yv'], 'Compares the elements at DS:rSI and ES:rDI', { writes: ALL }),
  ...string('stos', 0xaa, ['Yv', 'rAX'], 'Stores the accumulator at ES:rDI'),
  ...string('lods', 0xac, ['rAX', 'Xv'], 'Loads the accumulator from DS:rSI'),
  ...string('scas', 0xae, ['rAX', 'Yv'], 'Compares the accumulator with the element at ES:rDI', {
    writes: ALL,
  }),
  cold('insb', '6C', ['Yb', 'DX'], 'Reads port DX to ES:rDI', { ...port, semantics: 'ins' }),
  cold('insw', 'o16 6D', ['Yz', 'DX'], 'Reads port DX to ES:rDI', { ...port, semantics: 'ins' }),
  cold('insd', '6D', ['Yz', 'DX'], 'Reads port DX to ES:rDI', { ...port, semantics: 'ins' }),
  cold('outsb', '6E', ['DX', 'Xb'], 'Writes the element at DS:rSI to port DX', {
    ...port,
    semantics: 'outs',
  }),
  cold('outsw', 'o16 6F', ['DX', 'Xz'], 'Writes the element at DS:rSI to port DX', {
    ...port,
    semantics: 'outs',
  }),
  cold('outsd', '6F', ['DX', 'Xz'], 'Writes the element at DS:rSI to port DX', {
    ...port,
    semantics: 'outs',
  }),
];
