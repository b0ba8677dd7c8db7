/** Every instruction the machine knows. */
import type { InstructionRow } from '../table.js';
import { arithmetic } from './arithmetic.js';
import { bit } from './bit.js';
import { branch } from './branch.js';
import { flag } from './flag.js';
import { move } from './move.js';
import { sse } from './sse.js';
import { stack } from './stack.js';
import { string_ } from './string.js';
import { system } from './system.js';
import { svmInstructions, vmxInstructions } from './virtualization.js';

export const instructionRows: readonly InstructionRow[] = [
  ...arithmetic,
  ...bit,
  ...move,
  ...sse,
  ...stack,
  ...branch,
  ...string_,
  ...flag,
  ...system,
  ...vmxInstructions,
  ...svmInstructions,
];
