/** The meaning of every hot instruction, by its semantics name. */
import { arithmetic } from './arithmetic.js';
import { bit } from './bit.js';
import { branch } from './branch.js';
import type { Emitter } from './emitter.js';
import { move } from './move.js';
import { multiply } from './multiply.js';
import { shiftAndRotate } from './shift.js';
import { stack } from './stack.js';
import { string } from './string.js';
import { vector } from './vector.js';

/** Emits the meaning of an instruction. */
export type Semantics = (e: Emitter) => void;

export const semantics: ReadonlyMap<string, Semantics> = new Map(
  Object.entries({
    ...arithmetic,
    ...bit,
    ...branch,
    ...move,
    ...multiply,
    ...shiftAndRotate,
    ...stack,
    ...string,
    ...vector,
  }),
);

/** Instructions that leave to another place: they end a block. Repeated string instructions do too. */
export const branches: ReadonlySet<string> = new Set(Object.keys(branch));

/** Instructions that use the stack. */
export const usesStack: ReadonlySet<string> = new Set([...Object.keys(stack), 'call', 'callIndirect', 'ret']);

/** Shifts whose immediate count may be 0, which leaves the flags. */
export const shifts: ReadonlySet<string> = new Set(Object.keys(shiftAndRotate));
