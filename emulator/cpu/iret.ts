/** IRET in protected mode, IA-32e mode and real-address mode (SDM 2A IRET). */
import type { Failure } from './cold/operands.js';
import { cut, failed } from './cold/operands.js';
import type { Descriptor } from './descriptors.js';
import {
  dpl,
  isConforming,
  isNull,
  isPresent,
  markAccessed,
  readDescriptor,
  rpl,
  selectorError,
} from './descriptors.js';
import { generalProtection, segmentNotPresent } from './fault.js';
import { readRflags, writeRflags } from './flags.js';
import {
  Interruptibility,
  ioPrivilegeLevel,
  is64BitMode,
  isCanonical,
  isLongMode,
  isProtectedMode,
  Rflags,
  RFLAGS_IOPL,
  SegmentAccess,
} from './registerBits.js';
import type { ColdOutcome, Processor } from './seams.js';
import { Cold } from './seams.js';
import {
  dropInnerSegments,
  isValidCode,
  makes64BitMode,
  readStackDescriptor,
  setCodeSegment,
  setNullSegment,
  setRealModeSegment,
  setSegment,
} from './segmentation.js';
import { StackCursor } from './stackCursor.js';
import { switchTask } from './taskState.js';

/** IRET, IRETD, IRETQ. `size`: operand size in bytes. */
export function returnFromInterrupt(processor: Processor, size: 2 | 4 | 8): ColdOutcome {
  const { state } = processor;
  if (isProtectedMode(state)) {
    if ((state.rflagsSystem & Rflags.VM) !== 0n)
      return { kind: 'unimplemented', what: 'IRET in virtual-8086 mode' };
    if ((state.rflagsSystem & Rflags.NT) !== 0n) {
      // A return to the previous task; IA-32e mode has none.
      return isLongMode(state) ? generalProtection() : taskReturn(processor);
    }
  }
  const stack = StackCursor.current(processor);
  const rip = stack.pop(size);
  if (typeof rip !== 'bigint') return failed(rip);
  const cs = stack.pop(size);
  if (typeof cs !== 'bigint') return failed(cs);
  const flags = stack.pop(size);
  if (typeof flags !== 'bigint') return failed(flags);
  const selector = Number(cs & 0xffffn);

  if (!isProtectedMode(state)) return returnInRealMode(processor, stack, rip, selector, flags, size);
  if ((flags & Rflags.VM) !== 0n && size === 4 && state.cpl === 0 && !isLongMode(state)) {
    return { kind: 'unimplemented', what: 'IRET to virtual-8086 mode' };
  }
  const code = readReturnCode(processor, selector);
  if (code === 'exited' || 'kind' in code) return failed(code);
  const outer = rpl(selector) > state.cpl;
  // 64-bit mode pops SS:RSP whatever the privilege level (SDM 3A 6.14.3).
  const failure =
    outer || is64BitMode(state)
      ? returnWithStack(processor, stack, { rip, selector, flags, code, size })
      : returnSameLevel(processor, stack, { rip, selector, flags, code, size });
  if (failure !== undefined) return failed(failure);
  state.interruptibility &= ~Interruptibility.NMI;
  processor.contextChanged();
  return Cold.JUMPED;
}

/** NT is set: back to the task that the TSS's first field names. */
function taskReturn(processor: Processor): ColdOutcome {
  const link = processor.linear.read(processor.state.trBase, 2, true);
  if (typeof link !== 'bigint') return failed(link);
  const outcome = switchTask(processor, Number(link), 'iret', processor.engine.instruction?.length ?? 0);
  return outcome === 'exited' ? Cold.SWITCHED : outcome;
}

/** What IRET popped first, checked. */
interface Return {
  readonly rip: bigint;
  readonly selector: number;
  readonly flags: bigint;
  readonly code: Descriptor;
  readonly size: 2 | 4 | 8;
}

/** Code segment of a return: at the CPL of the selector's RPL, which is not inner (SDM 2A IRET, RET). */
export function readReturnCode(processor: Processor, selector: number): Descriptor | Failure {
  const { state } = processor;
  if (isNull(selector)) return generalProtection();
  const error = selectorError(selector);
  const descriptor = readDescriptor(processor, selector);
  if (descriptor === 'beyond') return generalProtection(error);
  if (descriptor === 'exited' || 'kind' in descriptor) return descriptor;
  const { access } = descriptor;
  if (!isValidCode(state, access) || rpl(selector) < state.cpl) return generalProtection(error);
  const privileged = isConforming(access) ? dpl(access) <= rpl(selector) : dpl(access) === rpl(selector);
  if (!privileged) return generalProtection(error);
  if (!isPresent(access)) return segmentNotPresent(error);
  return descriptor;
}

/** Is the return address inside the code segment, or canonical? */
export function checkTarget(processor: Processor, code: Descriptor, rip: bigint): Failure | undefined {
  const inside = makes64BitMode(processor.state, code.access) ? isCanonical(rip) : Number(rip) <= code.limit;
  return inside ? undefined : generalProtection();
}

function returnSameLevel(processor: Processor, stack: StackCursor, to: Return): Failure | undefined {
  const { state } = processor;
  const failure = checkTarget(processor, to.code, to.rip) ?? markAccessed(processor, to.code);
  if (failure !== undefined) return failure;
  stack.commit();
  loadFlags(processor, to.flags, to.size);
  setCodeSegment(state, to.selector, to.code, state.cpl);
  state.rip = to.rip;
  return undefined;
}

function returnWithStack(processor: Processor, stack: StackCursor, to: Return): Failure | undefined {
  const { state } = processor;
  const rsp = stack.pop(to.size);
  if (typeof rsp !== 'bigint') return rsp;
  const ss = stack.pop(to.size);
  if (typeof ss !== 'bigint') return ss;
  const cpl = rpl(to.selector);
  const stackSelector = Number(ss & 0xffffn);
  const segment = readReturnStack(processor, stackSelector, cpl, to.code);
  if (segment === 'exited' || (segment && 'kind' in segment)) return segment;
  const failure = checkTarget(processor, to.code, to.rip) ?? markAccessed(processor, to.code);
  if (failure !== undefined) return failure;

  const outer = cpl > state.cpl;
  loadFlags(processor, to.flags, to.size);
  setCodeSegment(state, to.selector, to.code, cpl);
  setReturnStack(processor, stackSelector, segment, rsp);
  state.rip = to.rip;
  if (outer) dropInnerSegments(state);
  return undefined;
}

/** SS of a return to privilege level `cpl`; undefined: a null selector that 64-bit mode allows. */
export function readReturnStack(
  processor: Processor,
  selector: number,
  cpl: number,
  code: Descriptor,
): Descriptor | undefined | Failure {
  if (isNull(selector)) {
    const allowed = makes64BitMode(processor.state, code.access) && cpl !== 3 && rpl(selector) === cpl;
    return allowed ? undefined : generalProtection();
  }
  const descriptor = readStackDescriptor(processor, selector, cpl, generalProtection, 0);
  if (descriptor === 'exited' || 'kind' in descriptor) return descriptor;
  return markAccessed(processor, descriptor) ?? descriptor;
}

/** Makes a popped stack current; the new CS counts already. */
export function setReturnStack(
  processor: Processor,
  selector: number,
  segment: Descriptor | undefined,
  pointer: bigint,
): void {
  const { state } = processor;
  if (segment) setSegment(state, 'ss', selector, segment);
  else setNullSegment(state, 'ss', selector);
  if (is64BitMode(state)) state.rsp = pointer;
  else if ((state.ssAccess & SegmentAccess.DB) !== 0) state.rsp = cut(pointer, 4);
  else state.rsp = (state.rsp & ~0xffffn) | cut(pointer, 2);
}

function returnInRealMode(
  processor: Processor,
  stack: StackCursor,
  rip: bigint,
  selector: number,
  flags: bigint,
  size: 2 | 4 | 8,
): ColdOutcome {
  const { state } = processor;
  if (Number(rip) > state.csLimit) return generalProtection();
  stack.commit();
  loadFlags(processor, flags, size);
  setRealModeSegment(state, 'cs', selector);
  state.rip = rip;
  state.interruptibility &= ~Interruptibility.NMI;
  processor.contextChanged();
  return Cold.JUMPED;
}

const ALWAYS =
  Rflags.CF | Rflags.PF | Rflags.AF | Rflags.ZF | Rflags.SF | Rflags.OF | Rflags.TF | Rflags.DF | Rflags.NT;
const WIDE = Rflags.RF | Rflags.AC | Rflags.ID;

/** RFLAGS as IRET pops them: what the old CPL may change (SDM 2A IRET). */
function loadFlags(processor: Processor, value: bigint, size: 2 | 4 | 8): void {
  const { state } = processor;
  let mask = ALWAYS | (size === 2 ? 0n : WIDE);
  if (state.cpl <= ioPrivilegeLevel(state)) mask |= Rflags.IF;
  if (state.cpl === 0) mask |= RFLAGS_IOPL | (size === 2 ? 0n : Rflags.VIF | Rflags.VIP);
  const old = readRflags(processor.state);
  writeRflags(processor.state, (old & ~mask) | (value & mask));
}
