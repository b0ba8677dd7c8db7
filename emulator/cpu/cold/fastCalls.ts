/** SYSCALL, SYSRET, SYSENTER, SYSEXIT: flat segments without reading descriptors (SDM 3A 5.8.7 and 5.8.8). */
import { generalProtection, invalidOpcode } from '../fault.js';
import { readRflags, writeRflags } from '../flags.js';
import {
  Efer,
  is64BitMode,
  isCanonical,
  isLongMode,
  isProtectedMode,
  Rflags,
  SegmentAccess,
} from '../registerBits.js';
import type { ColdOutcome, ColdSemantics, Processor } from '../seams.js';
import { Cold } from '../seams.js';
import { setSegment } from '../segmentation.js';
import { alignmentCheckWanted } from './flags.js';
import { cut } from './operands.js';
import type { Check, ColdTable } from './semantics.js';
import { all, atPrivilegeLevel0, nextRip } from './semantics.js';

const CODE = 0xb | SegmentAccess.S | SegmentAccess.P | SegmentAccess.G;
const CODE64 = CODE | SegmentAccess.L;
const CODE32 = CODE | SegmentAccess.DB;
const DATA = 0x3 | SegmentAccess.S | SegmentAccess.P | SegmentAccess.G | SegmentAccess.DB;

const flatSegment = (access: number) => ({ access, limit: 0xffff_ffff, base: 0n });

/** Loads flat CS and SS at a privilege level. The selectors' RPL becomes that level. */
function setFlatSegments(
  processor: Processor,
  cs: number,
  ss: number,
  codeAccess: number,
  cpl: number,
): void {
  const { state } = processor;
  const privilege = cpl << SegmentAccess.DPL_SHIFT;
  setSegment(state, 'cs', (cs & 0xfffc) | cpl, flatSegment(codeAccess | privilege));
  setSegment(state, 'ss', (ss & 0xfffc) | cpl, flatSegment(DATA | privilege));
  state.cpl = cpl;
  processor.contextChanged();
}

/** #UD unless IA32_EFER.SCE is set, in 64-bit mode. */
const syscallEnabled: Check = ({ state }) =>
  (state.efer & Efer.SCE) !== 0n && is64BitMode(state) ? undefined : invalidOpcode();

const syscall: ColdSemantics = {
  check: syscallEnabled,
  execute: (processor, instruction) => {
    const { state } = processor;
    const flags = readRflags(state);
    state.rcx = nextRip(instruction);
    state.r11 = flags & ~Rflags.RF;
    writeRflags(state, (flags & ~state.fmask & ~Rflags.RF) | Rflags.FIXED);
    state.rip = state.lstar;
    const selector = Number((state.star >> 32n) & 0xffffn);
    setFlatSegments(processor, selector, selector + 8, CODE64, 0);
    return Cold.JUMPED;
  },
};

/** Bits of R11 that SYSRET loads (SDM 2B SYSRET). */
const SYSRET_FLAGS = 0x3c_7fd7n;

const sysret: ColdSemantics = {
  check: all(syscallEnabled, atPrivilegeLevel0),
  execute: (processor, instruction) => {
    const { state } = processor;
    const wide = instruction.operandSize === 8;
    if (wide && !isCanonical(state.rcx)) return generalProtection();
    state.rip = wide ? state.rcx : cut(state.rcx, 4);
    writeRflags(processor.state, (state.r11 & SYSRET_FLAGS) | Rflags.FIXED);
    const selector = Number((state.star >> 48n) & 0xffffn);
    setFlatSegments(processor, selector + (wide ? 16 : 0), selector + 8, wide ? CODE64 : CODE32, 3);
    return alignmentCheckWanted(processor) ?? Cold.JUMPED;
  },
};

/** IA32_SYSENTER_CS selects no segment. */
const sysenterUnset = (processor: Processor): boolean => (processor.state.sysenterCs & 0xfffcn) === 0n;

const sysenter: ColdSemantics = {
  check: (processor) =>
    !isProtectedMode(processor.state) || sysenterUnset(processor) ? generalProtection() : undefined,
  execute: (processor) => {
    const { state } = processor;
    const long = isLongMode(state);
    state.rflagsSystem &= ~(Rflags.VM | Rflags.IF);
    state.rsp = long ? state.sysenterEsp : cut(state.sysenterEsp, 4);
    state.rip = long ? state.sysenterEip : cut(state.sysenterEip, 4);
    const selector = Number(state.sysenterCs & 0xffffn);
    setFlatSegments(processor, selector, selector + 8, long ? CODE64 : CODE32, 0);
    return Cold.JUMPED;
  },
};

function sysexit(processor: Processor, wide: boolean): ColdOutcome {
  const { state } = processor;
  if (wide && !(isCanonical(state.rcx) && isCanonical(state.rdx))) return generalProtection();
  state.rsp = wide ? state.rcx : cut(state.rcx, 4);
  state.rip = wide ? state.rdx : cut(state.rdx, 4);
  const selector = Number(state.sysenterCs & 0xffffn) + (wide ? 32 : 16);
  setFlatSegments(processor, selector, selector + 8, wide ? CODE64 : CODE32, 3);
  return Cold.JUMPED;
}

export const fastCallInstructions: ColdTable = {
  syscall,
  sysret,
  sysenter,
  sysexit: {
    check: (processor) => {
      const { state } = processor;
      const allowed = isProtectedMode(state) && !sysenterUnset(processor) && state.cpl === 0;
      return allowed ? undefined : generalProtection();
    },
    execute: (processor, instruction) => sysexit(processor, instruction.operandSize === 8),
  },
};
