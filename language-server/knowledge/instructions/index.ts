import { arithmetic } from './arithmetic.js';
import { control } from './control.js';
import { logic } from './logic.js';
import { move } from './move.js';
import { stackAndStrings } from './stack.js';
import { system } from './system.js';
import type { InstructionText } from './text.js';
import { virtualization } from './virtualization.js';

export interface InstructionDescription {
  readonly title: string;
  readonly operation: string;
  readonly privilege: string | undefined;
}

const ALL: readonly InstructionText[] = [
  ...arithmetic,
  ...logic,
  ...move,
  ...control,
  ...stackAndStrings,
  ...system,
  ...virtualization,
];

const byMnemonic = new Map<string, InstructionDescription>(
  ALL.flatMap(([mnemonics, title, operation, privilege]) =>
    mnemonics.split(' ').map((mnemonic) => [mnemonic, { title, operation, privilege }] as const),
  ),
);

/** What an instruction does, by its Intel mnemonic; undefined for what is not described here (SIMD, x87). */
export const descriptionOf = (mnemonic: string): InstructionDescription | undefined =>
  byMnemonic.get(mnemonic);

/** Every mnemonic that is described. */
export const describedMnemonics = (): Iterable<string> => byMnemonic.keys();
