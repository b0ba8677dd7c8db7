/** The remaining system instructions: MSRs, TLB, caches, HLT, and those that the processor does not offer. */
import type { Fault } from '../fault.js';
import { generalProtection, invalidOpcode } from '../fault.js';
import { Activity, Cr4, isCanonical } from '../registerBits.js';
import type { ColdSemantics } from '../seams.js';
import { Cold } from '../seams.js';
import { operandAddress, readEdxEax, writeEdxEax } from './operands.js';
import { memoryOperand } from './segments.js';
import type { ColdTable } from './semantics.js';
import { notOffered, privileged, retired } from './semantics.js';

const msrNumber = (rcx: bigint): number => Number(rcx & 0xffff_ffffn);

const rdmsr = privileged((processor) => {
  const index = msrNumber(processor.state.rcx);
  const value: bigint | Fault = processor.virtualization.readMsr(index) ?? processor.msrs.read(index);
  if (typeof value !== 'bigint') return value;
  writeEdxEax(processor.state, value);
  return Cold.RETIRED;
});

const wrmsr = privileged((processor) => {
  const { state, virtualization } = processor;
  const index = msrNumber(state.rcx);
  const value = readEdxEax(state);
  const virtualized = virtualization.writeMsr(index, value);
  if (virtualized === undefined) return retired(processor.msrs.write(index, value));
  return virtualized === 'written' ? Cold.RETIRED : virtualized;
});

/** INVLPG of a non-canonical address does nothing (SDM 2A INVLPG). */
const invlpg = privileged((processor, instruction) => {
  const operand = memoryOperand(instruction, 0);
  const linear = operandAddress(processor, instruction, operand, 1, 0);
  if (typeof linear === 'bigint' && isCanonical(linear)) processor.flushTlbPage(linear);
  return Cold.RETIRED;
});

/** There are no caches to write back: memory is always up to date. */
const cacheControl = privileged(() => Cold.RETIRED);

/** No performance counter exists: every number is #GP(0). */
const rdpmc: ColdSemantics = {
  check: ({ state }) => (state.cpl !== 0 && (state.cr4 & Cr4.PCE) === 0n ? generalProtection() : undefined),
  execute: () => generalProtection(),
};

export const systemInstructions: ColdTable = {
  rdmsr,
  wrmsr,
  invlpg,
  invd: cacheControl,
  wbinvd: cacheControl,
  rdpmc,
  hlt: privileged(({ state }) => {
    state.activity = Activity.HLT;
    return Cold.RETIRED;
  }),
  pause: {
    execute: (processor) => {
      processor.yieldTurn();
      return Cold.RETIRED;
    },
  },
  /** Outside system-management mode. */
  rsm: { check: () => invalidOpcode(), execute: () => invalidOpcode() },
  // CPUID offers none of MONITOR, XSAVE, INVPCID, VMFUNC, SVM.
  monitor: notOffered,
  mwait: notOffered,
  xgetbv: notOffered,
  xsetbv: notOffered,
  invpcid: notOffered,
  vmfunc: notOffered,
  vmrun: notOffered,
  vmmcall: notOffered,
  vmload: notOffered,
  vmsave: notOffered,
  stgi: notOffered,
  clgi: notOffered,
  skinit: notOffered,
  invlpga: notOffered,
};
