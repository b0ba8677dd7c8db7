/** The form of an instruction intercept: one row for each instruction that can cause a VM exit. */
import type { Instruction } from '../../isa/instruction.js';
import type { VmxContext } from '../context.js';
import type { ExitCause } from '../exit.js';

/** What a row adds to the cause of the exit. */
export type CauseDetails = Partial<Omit<ExitCause, 'reason' | 'instructionLength'>>;

export interface Intercept {
  /** Names of semantics in the instruction table. */
  readonly instructions: readonly string[];
  readonly reason: number;
  readonly section: string;
  /** One sentence for hover text: when the instruction exits. */
  readonly sentence: string;
  /** Does it exit now? 'exited': reading its operand already made another VM exit. */
  readonly exits: (context: VmxContext, instruction: Instruction) => boolean | 'exited';
  readonly details?: (context: VmxContext, instruction: Instruction) => CauseDetails;
}

export const always = (): boolean => true;

/** The key of an instruction in tables of semantics. */
export const semanticsName = (instruction: Instruction): string =>
  instruction.row.semantics ?? instruction.row.mnemonic;
