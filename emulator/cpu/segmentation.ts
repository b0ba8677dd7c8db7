/** Loading the segment registers, LDTR and TR, with the checks of SDM 3A 5.5 - 5.7 and 2B MOV, LLDT, LTR. */
import type { Failure } from './cold/operands.js';
import { Segment } from './cold/operands.js';
import type { Descriptor } from './descriptors.js';
import {
  dpl,
  isCode,
  isConforming,
  isNull,
  isPresent,
  isReadable,
  isSystem,
  isWritableData,
  markAccessed,
  markBusy,
  readDescriptor,
  rpl,
  selectorError,
  SystemType,
  typeOf,
} from './descriptors.js';
import { generalProtection, segmentNotPresent, stackFault } from './fault.js';
import type { SegmentName } from './layout.js';
import { SEGMENTS } from './layout.js';
import { is64BitMode, isLongMode, isProtectedMode, SegmentAccess } from './registerBits.js';
import type { Processor } from './seams.js';
import type { ProcessorState } from './state.js';

/** Puts a checked descriptor into a segment register. */
export function setSegment(
  state: ProcessorState,
  name: SegmentName,
  selector: number,
  descriptor: Pick<Descriptor, 'access' | 'limit' | 'base'>,
): void {
  const register = state.segments[name];
  register.selector = selector;
  register.base = descriptor.base;
  register.limit = descriptor.limit;
  // Code and data segments in use are accessed.
  register.access = descriptor.access | (isSystem(descriptor.access) ? 0 : 1);
}

/** A register that holds a null selector: every use faults. SS keeps the privilege level (SDM 3C 25.4.1). */
export function setNullSegment(state: ProcessorState, name: SegmentName, selector: number): void {
  const register = state.segments[name];
  const privilege = name === 'ss' ? rpl(selector) << SegmentAccess.DPL_SHIFT : 0;
  register.selector = selector;
  register.base = 0n;
  register.limit = 0;
  register.access = SegmentAccess.UNUSABLE | privilege;
}

/** Real-address mode: the base is the selector times 16, limit and rights stay (SDM 3B 21.1.1). */
export function setRealModeSegment(state: ProcessorState, name: SegmentName, selector: number): void {
  const register = state.segments[name];
  register.selector = selector;
  register.base = BigInt(selector << 4);
}

/** MOV, POP and the load-far-pointer instructions to ES, SS, DS, FS, GS. Nothing has changed when it fails. */
export function loadSegment(processor: Processor, segment: number, selector: number): Failure | undefined {
  const name = SEGMENTS[segment];
  if (!isProtectedMode(processor.state)) {
    setRealModeSegment(processor.state, name, selector);
    return undefined;
  }
  return segment === Segment.SS
    ? loadStackSegment(processor, selector)
    : loadDataSegment(processor, name, selector);
}

function loadDataSegment(processor: Processor, name: SegmentName, selector: number): Failure | undefined {
  const { state } = processor;
  if (isNull(selector)) {
    setNullSegment(state, name, selector);
    return undefined;
  }
  const error = selectorError(selector);
  const descriptor = readDescriptor(processor, selector);
  if (descriptor === 'beyond') return generalProtection(error);
  if (descriptor === 'exited' || 'kind' in descriptor) return descriptor;
  const { access } = descriptor;
  if (!isReadable(access)) return generalProtection(error);
  const privilege = Math.max(rpl(selector), state.cpl);
  if (!isConforming(access) && privilege > dpl(access)) return generalProtection(error);
  if (!isPresent(access)) return segmentNotPresent(error);
  const failure = markAccessed(processor, descriptor);
  if (failure === undefined) setSegment(state, name, selector, descriptor);
  return failure;
}

function loadStackSegment(processor: Processor, selector: number): Failure | undefined {
  const { state } = processor;
  if (isNull(selector)) {
    const allowed = is64BitMode(state) && state.cpl !== 3 && rpl(selector) === state.cpl;
    if (!allowed) return generalProtection();
    setNullSegment(state, 'ss', selector);
    return undefined;
  }
  const descriptor = readStackDescriptor(processor, selector, state.cpl, generalProtection, 0);
  if (descriptor === 'exited' || 'kind' in descriptor) return descriptor;
  const failure = markAccessed(processor, descriptor);
  if (failure === undefined) setSegment(state, 'ss', selector, descriptor);
  return failure;
}

/**
 * Descriptor of a stack segment for privilege level `cpl`. `fault` makes the exception of a bad one: #GP for loads, #TS
 * for stacks from a TSS; `ext` is the EXT bit of its error code.
 */
export function readStackDescriptor(
  processor: Processor,
  selector: number,
  cpl: number,
  fault: (errorCode: number) => Failure,
  ext: number,
): Descriptor | Failure {
  const error = selectorError(selector) | ext;
  const descriptor = readDescriptor(processor, selector);
  if (descriptor === 'beyond') return fault(error);
  if (descriptor === 'exited' || 'kind' in descriptor) return descriptor;
  const { access } = descriptor;
  const privileged = rpl(selector) === cpl && dpl(access) === cpl;
  if (!privileged || !isWritableData(access)) return fault(error);
  if (!isPresent(access)) return stackFault(error);
  return descriptor;
}

/**
 * Puts a code segment into CS at privilege level `cpl`. `wideSegment` consequences (64-bit or not) take effect with
 * the `contextChanged` that the caller must do.
 */
export function setCodeSegment(
  state: ProcessorState,
  selector: number,
  descriptor: Descriptor,
  cpl: number,
): void {
  setSegment(state, 'cs', (selector & 0xfffc) | cpl, descriptor);
  state.cpl = cpl;
}

/** In IA-32e mode CS.L and CS.D must not both be set (SDM 3A 5.2.1). */
export const isValidCode = (state: ProcessorState, access: number): boolean => {
  const both = SegmentAccess.L | SegmentAccess.DB;
  return isCode(access) && !(isLongMode(state) && (access & both) === both);
};

/** Would this code descriptor make 64-bit mode? */
export const makes64BitMode = (state: ProcessorState, access: number): boolean =>
  isLongMode(state) && (access & SegmentAccess.L) !== 0;

/** After a return to an outer level: data segments it may not use become null (SDM 3A 5.8.6). */
export function dropInnerSegments(state: ProcessorState): void {
  for (const name of ['es', 'ds', 'fs', 'gs'] as const) {
    const { access } = state.segments[name];
    if ((access & SegmentAccess.UNUSABLE) !== 0) continue;
    if (!isConforming(access) && dpl(access) < state.cpl) setNullSegment(state, name, 0);
  }
}

/** LLDT. */
export function loadLdtr(processor: Processor, selector: number): Failure | undefined {
  const { state } = processor;
  if (isNull(selector)) {
    setNullSegment(state, 'ldtr', selector);
    return undefined;
  }
  const descriptor = readSystemDescriptor(processor, selector, [SystemType.LDT]);
  if (descriptor === 'exited' || 'kind' in descriptor) return descriptor;
  setSegment(state, 'ldtr', selector, descriptor);
  return undefined;
}

/** LTR: the TSS becomes busy. */
export function loadTaskRegister(processor: Processor, selector: number): Failure | undefined {
  const { state } = processor;
  if (isNull(selector)) return generalProtection();
  const available = isLongMode(state) ? [SystemType.TSS32] : [SystemType.TSS16, SystemType.TSS32];
  const descriptor = readSystemDescriptor(processor, selector, available);
  if (descriptor === 'exited' || 'kind' in descriptor) return descriptor;
  const failure = markBusy(processor, descriptor);
  if (failure !== undefined) return failure;
  setSegment(state, 'tr', selector, { ...descriptor, access: descriptor.access | 2 });
  return undefined;
}

function readSystemDescriptor(
  processor: Processor,
  selector: number,
  types: readonly number[],
): Descriptor | Failure {
  const error = selectorError(selector);
  // Only the GDT holds LDT and TSS descriptors.
  if ((selector & 4) !== 0) return generalProtection(error);
  const descriptor = readDescriptor(processor, selector, true);
  if (descriptor === 'beyond') return generalProtection(error);
  if (descriptor === 'exited' || 'kind' in descriptor) return descriptor;
  if (!isSystem(descriptor.access) || !types.includes(typeOf(descriptor.access)))
    return generalProtection(error);
  if (!isPresent(descriptor.access)) return segmentNotPresent(error);
  return descriptor;
}
