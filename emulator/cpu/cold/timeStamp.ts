/** The time-stamp counter (SDM 3B 18.17): virtual nanoseconds, adjusted, and offset in VMX non-root operation. */
import { generalProtection } from '../fault.js';
import { Cr4 } from '../registerBits.js';
import type { Processor } from '../seams.js';
import { Cold } from '../seams.js';
import { writeEdxEax, writeOperand } from './operands.js';
import type { Check, ColdTable } from './semantics.js';
import { retired } from './semantics.js';

/** SDM 3C 25.6.5: the TSC multiplier is a fixed-point number. */
const TSC_MULTIPLIER_FRACTION_BITS = 48n;

/** What RDTSC reads. */
export function readTimeStampCounter(processor: Processor): bigint {
  const { state, clock } = processor;
  const counter = BigInt.asUintN(64, BigInt(Math.floor(clock.now)) + state.tscAdjust);
  const scaled =
    state.tscMultiplier === 0n ? counter : (counter * state.tscMultiplier) >> TSC_MULTIPLIER_FRACTION_BITS;
  return BigInt.asUintN(64, scaled + state.tscOffset);
}

/** WRMSR to IA32_TIME_STAMP_COUNTER moves IA32_TSC_ADJUST by the same amount. */
export function writeTimeStampCounter(processor: Processor, value: bigint): void {
  const { state, clock, apic } = processor;
  state.tscAdjust = BigInt.asUintN(64, value - BigInt(Math.floor(clock.now)));
  apic.tscMoved(state.tscAdjust);
}

const timeStampAllowed: Check = ({ state }) =>
  (state.cr4 & Cr4.TSD) !== 0n && state.cpl !== 0 ? generalProtection() : undefined;

export const timeStampInstructions: ColdTable = {
  /** IA32_TSC_AUX without the TSC (SDM 2B RDPID). */
  rdpid: {
    execute: (processor, instruction) =>
      retired(writeOperand(processor, instruction, 0, processor.state.tscAux & 0xffff_ffffn)),
  },
  rdtsc: {
    check: timeStampAllowed,
    execute: (processor) => {
      writeEdxEax(processor.state, readTimeStampCounter(processor));
      return Cold.RETIRED;
    },
  },
  rdtscp: {
    check: timeStampAllowed,
    execute: (processor) => {
      const { state } = processor;
      writeEdxEax(state, readTimeStampCounter(processor));
      state.rcx = state.tscAux & 0xffff_ffffn;
      return Cold.RETIRED;
    },
  },
};
