/** LDMXCSR and STMXCSR (SDM 1 10.2.3). */
import { deviceNotAvailable, generalProtection, invalidOpcode } from '../fault.js';
import { Cr0, Cr4 } from '../registerBits.js';
import { Cold } from '../seams.js';
import { failed, readOperand, writeOperand } from './operands.js';
import type { Check, ColdTable } from './semantics.js';
import { retired } from './semantics.js';

/** MXCSR after reset: all exceptions masked. */
export const MXCSR_RESET = 0x1f80;
/** Bits 31:16 are reserved. */
const MXCSR_MASK = 0xffffn;

const vectorsEnabled: Check = ({ state }) => {
  if ((state.cr0 & Cr0.EM) !== 0n || (state.cr4 & Cr4.OSFXSR) === 0n) return invalidOpcode();
  return (state.cr0 & Cr0.TS) !== 0n ? deviceNotAvailable() : undefined;
};

export const mxcsrInstructions: ColdTable = {
  ldmxcsr: {
    check: vectorsEnabled,
    execute: (processor, instruction) => {
      const value = readOperand(processor, instruction, 0);
      if (typeof value !== 'bigint') return failed(value);
      if ((value & ~MXCSR_MASK) !== 0n) return generalProtection();
      processor.state.mxcsr = Number(value);
      return Cold.RETIRED;
    },
  },
  stmxcsr: {
    check: vectorsEnabled,
    execute: (processor, instruction) =>
      retired(writeOperand(processor, instruction, 0, BigInt(processor.state.mxcsr))),
  },
};
