/** How the rows of the instruction table are written. */
import type { Flag, InstructionRow, OperandForm } from '../table.js';

type Extra = Partial<Omit<InstructionRow, 'mnemonic' | 'opcode' | 'operands' | 'kind' | 'summary'>>;

const define =
  (kind: 'hot' | 'cold') =>
  (
    mnemonic: string,
    opcode: string,
    operands: readonly OperandForm[],
    summary: string,
    extra: Extra = {},
  ): InstructionRow => ({ mnemonic, opcode, operands, kind, summary, ...extra });

/** A row whose meaning is an emitter in cpu/semantics. */
export const hot = define('hot');
/** A row whose meaning is TypeScript in cpu/cold, vmx or svm. */
export const cold = define('cold');

export const ALL: readonly Flag[] = ['CF', 'PF', 'AF', 'ZF', 'SF', 'OF'];
export const not64 = { modes: 'not64' } as const;
export const only64 = { modes: 'only64' } as const;
