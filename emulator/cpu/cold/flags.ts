/** Instructions on RFLAGS beyond the arithmetic flags: CLI, STI, POPF, CLAC, STAC. */
import { generalProtection, invalidOpcode } from '../fault.js';
import { readRflags, writeRflags } from '../flags.js';
import { Cr0, Interruptibility, ioPrivilegeLevel, Rflags, RFLAGS_IOPL } from '../registerBits.js';
import type { ColdOutcome, Processor, Unimplemented } from '../seams.js';
import { Cold } from '../seams.js';
import { StackCursor } from '../stackCursor.js';
import { failed } from './operands.js';
import type { Check, ColdTable } from './semantics.js';

/** CPL must not be greater than IOPL (SDM 2A CLI, 2B STI); VME and PVI are not offered. */
const atIoPrivilegeLevel: Check = ({ state }) =>
  state.cpl > ioPrivilegeLevel(state) ? generalProtection() : undefined;

/** Alignment checking is the one use of AC that the machine lacks: it stops instead of not faulting. */
export function alignmentCheckWanted(processor: Processor): Unimplemented | undefined {
  const { state } = processor;
  const wanted = state.cpl === 3 && (state.rflagsSystem & Rflags.AC) !== 0n && (state.cr0 & Cr0.AM) !== 0n;
  return wanted
    ? { kind: 'unimplemented', what: 'alignment checking (CR0.AM, RFLAGS.AC at CPL 3)' }
    : undefined;
}

const POPPED =
  Rflags.CF | Rflags.PF | Rflags.AF | Rflags.ZF | Rflags.SF | Rflags.TF | Rflags.DF | Rflags.OF | Rflags.NT;

/** POPF, POPFD, POPFQ (SDM 2B table 4-16): IF and IOPL only with the privilege, RF always cleared. */
function popFlags(processor: Processor, size: 2 | 4 | 8): ColdOutcome {
  const { state } = processor;
  if ((state.rflagsSystem & Rflags.VM) !== 0n)
    return { kind: 'unimplemented', what: 'POPF in virtual-8086 mode' };
  const stack = StackCursor.current(processor);
  const value = stack.pop(size);
  if (typeof value !== 'bigint') return failed(value);
  let mask = POPPED | (size === 2 ? 0n : Rflags.AC | Rflags.ID);
  if (state.cpl <= ioPrivilegeLevel(state)) mask |= Rflags.IF;
  if (state.cpl === 0) mask |= RFLAGS_IOPL;
  stack.commit();
  writeRflags(state, ((readRflags(state) & ~mask) | (value & mask)) & ~Rflags.RF);
  processor.system.selectBank();
  return alignmentCheckWanted(processor) ?? Cold.RETIRED;
}

/** CLAC, STAC: supervisor accesses to user pages under SMAP. */
const alignmentFlag = (set: boolean): ColdTable[string] => ({
  check: ({ state }) => (state.cpl === 0 ? undefined : invalidOpcode()),
  execute: ({ state, system }) => {
    state.rflagsSystem = set ? state.rflagsSystem | Rflags.AC : state.rflagsSystem & ~Rflags.AC;
    system.selectBank();
    return Cold.RETIRED;
  },
});

export const flagInstructions: ColdTable = {
  cli: {
    check: atIoPrivilegeLevel,
    execute: ({ state }) => {
      state.rflagsSystem &= ~Rflags.IF;
      return Cold.RETIRED;
    },
  },
  sti: {
    check: atIoPrivilegeLevel,
    execute: ({ state }) => {
      // Interrupts stay blocked for one instruction when IF was clear (SDM 3A 6.8.1).
      if ((state.rflagsSystem & Rflags.IF) === 0n) state.interruptibility |= Interruptibility.STI;
      state.rflagsSystem |= Rflags.IF;
      return Cold.RETIRED;
    },
  },
  popf: { execute: (processor, instruction) => popFlags(processor, instruction.operandSize) },
  clac: alignmentFlag(false),
  stac: alignmentFlag(true),
};
