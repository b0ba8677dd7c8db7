/** Far JMP, CALL and RET, with call gates (SDM 3A 5.8, 2A CALL and JMP, 2B RET). */
import type { Failure } from './cold/operands.js';
import { cut, failed } from './cold/operands.js';
import type { Descriptor } from './descriptors.js';
import {
  dpl,
  isCode,
  isConforming,
  isNull,
  isPresent,
  isSystem,
  markAccessed,
  readDescriptor,
  rpl,
  selectorError,
  SystemType,
  typeOf,
} from './descriptors.js';
import { switchStack } from './deliveryLegacy.js';
import { generalProtection, segmentNotPresent } from './fault.js';
import { checkTarget, readReturnCode, readReturnStack, setReturnStack } from './iret.js';
import { isLongMode, isProtectedMode, SegmentAccess } from './registerBits.js';
import type { ColdOutcome, Processor, Unimplemented } from './seams.js';
import { Cold } from './seams.js';
import {
  dropInnerSegments,
  isValidCode,
  setCodeSegment,
  setNullSegment,
  setRealModeSegment,
  setSegment,
} from './segmentation.js';
import { StackCursor } from './stackCursor.js';
import { innerStackPointer64, switchTask } from './taskState.js';

/** A far address: what the operand of a far JMP or CALL holds. */
export interface FarPointer {
  readonly selector: number;
  readonly offset: bigint;
}

/** A call gate (SDM 3A figures 5-8 and 5-9). */
interface CallGate {
  readonly target: Descriptor;
  readonly selector: number;
  readonly offset: bigint;
  readonly size: 2 | 4 | 8;
  readonly parameters: number;
}

/** Where a far JMP or CALL leads: directly to a code segment, or through a call gate. */
type Destination =
  | { readonly kind: 'code'; readonly descriptor: Descriptor }
  | { readonly kind: 'gate'; readonly gate: CallGate };

const isFailed = (answer: object | Failure): answer is Failure | Unimplemented =>
  answer === 'exited' || ('kind' in answer && (answer.kind === 'fault' || answer.kind === 'unimplemented'));

const outcome = (answer: Failure | Unimplemented): ColdOutcome =>
  answer === 'exited' ? Cold.SWITCHED : answer;

/** Far JMP. */
export function jumpFar(processor: Processor, to: FarPointer, size: 2 | 4 | 8): ColdOutcome {
  const { state } = processor;
  if (!isProtectedMode(state)) return goRealMode(processor, to, size);
  const destination = resolve(processor, to.selector, 'jump');
  if (isFailed(destination)) return outcome(destination);
  const { selector, offset, descriptor } = target(destination, to, size);
  const failure = checkTarget(processor, descriptor, offset) ?? markAccessed(processor, descriptor);
  if (failure !== undefined) return failed(failure);
  setCodeSegment(state, selector, descriptor, state.cpl);
  state.rip = offset;
  processor.contextChanged();
  return Cold.JUMPED;
}

/** Far CALL. `next`: RIP behind the instruction. */
export function callFar(processor: Processor, to: FarPointer, size: 2 | 4 | 8, next: bigint): ColdOutcome {
  const { state } = processor;
  if (!isProtectedMode(state)) {
    const stack = StackCursor.current(processor);
    const failure = stack.push(BigInt(state.csSelector), size) ?? stack.push(cut(next, size), size);
    if (failure !== undefined) return failed(failure);
    stack.commit();
    return goRealMode(processor, to, size);
  }
  const destination = resolve(processor, to.selector, 'call');
  if (isFailed(destination)) return outcome(destination);
  const { selector, offset, descriptor } = target(destination, to, size);
  const inner = !isConforming(descriptor.access) && dpl(descriptor.access) < state.cpl;
  if (destination.kind === 'gate' && inner) return callInner(processor, destination.gate, next);

  const pushSize = destination.kind === 'gate' ? destination.gate.size : size;
  const stack = StackCursor.current(processor);
  const failure =
    stack.push(BigInt(state.csSelector), pushSize) ??
    stack.push(cut(next, pushSize), pushSize) ??
    checkTarget(processor, descriptor, offset) ??
    markAccessed(processor, descriptor);
  if (failure !== undefined) return failed(failure);
  stack.commit();
  setCodeSegment(state, selector, descriptor, state.cpl);
  state.rip = offset;
  processor.contextChanged();
  return Cold.JUMPED;
}

/** Far RET, releasing `parameters` bytes. */
export function returnFar(processor: Processor, size: 2 | 4 | 8, parameters: number): ColdOutcome {
  const { state } = processor;
  const stack = StackCursor.current(processor);
  const rip = stack.pop(size);
  if (typeof rip !== 'bigint') return failed(rip);
  const cs = stack.pop(size);
  if (typeof cs !== 'bigint') return failed(cs);
  const selector = Number(cs & 0xffffn);
  stack.release(parameters);
  if (!isProtectedMode(state)) {
    stack.commit();
    return goRealMode(processor, { selector, offset: rip }, size);
  }
  const code = readReturnCode(processor, selector);
  if (code === 'exited' || 'kind' in code) return failed(code);
  const failure =
    rpl(selector) > state.cpl
      ? returnOuter(processor, stack, selector, code, rip, size, parameters)
      : returnSameLevel(processor, stack, selector, code, rip);
  if (failure !== undefined) return failed(failure);
  processor.contextChanged();
  return Cold.JUMPED;
}

function returnSameLevel(
  processor: Processor,
  stack: StackCursor,
  selector: number,
  code: Descriptor,
  rip: bigint,
): Failure | undefined {
  const failure = checkTarget(processor, code, rip) ?? markAccessed(processor, code);
  if (failure !== undefined) return failure;
  stack.commit();
  setCodeSegment(processor.state, selector, code, processor.state.cpl);
  processor.state.rip = rip;
  return undefined;
}

function returnOuter(
  processor: Processor,
  stack: StackCursor,
  selector: number,
  code: Descriptor,
  rip: bigint,
  size: 2 | 4 | 8,
  parameters: number,
): Failure | undefined {
  const rsp = stack.pop(size);
  if (typeof rsp !== 'bigint') return rsp;
  const ss = stack.pop(size);
  if (typeof ss !== 'bigint') return ss;
  const stackSelector = Number(ss & 0xffffn);
  const segment = readReturnStack(processor, stackSelector, rpl(selector), code);
  if (segment === 'exited' || (segment && 'kind' in segment)) return segment;
  const failure = checkTarget(processor, code, rip) ?? markAccessed(processor, code);
  if (failure !== undefined) return failure;
  setCodeSegment(processor.state, selector, code, rpl(selector));
  setReturnStack(processor, stackSelector, segment, rsp + BigInt(parameters));
  processor.state.rip = rip;
  dropInnerSegments(processor.state);
  return undefined;
}

function goRealMode(processor: Processor, to: FarPointer, size: 2 | 4 | 8): ColdOutcome {
  const { state } = processor;
  const offset = cut(to.offset, size);
  if (Number(offset) > state.csLimit) return generalProtection();
  setRealModeSegment(state, 'cs', to.selector);
  state.rip = offset;
  processor.contextChanged();
  return Cold.JUMPED;
}

/** Selector, offset and code segment that a destination comes to. */
function target(destination: Destination, to: FarPointer, size: 2 | 4 | 8) {
  if (destination.kind === 'gate') {
    const { selector, offset, target: descriptor } = destination.gate;
    return { selector, offset, descriptor };
  }
  return { selector: to.selector, offset: cut(to.offset, size), descriptor: destination.descriptor };
}

/** Reads and checks what the selector of a far JMP or CALL names. */
function resolve(
  processor: Processor,
  selector: number,
  how: 'jump' | 'call',
): Destination | Failure | Unimplemented {
  const { state } = processor;
  if (isNull(selector)) return generalProtection();
  const error = selectorError(selector);
  const descriptor = readDescriptor(processor, selector);
  if (descriptor === 'beyond') return generalProtection(error);
  if (descriptor === 'exited' || 'kind' in descriptor) return descriptor;
  const { access } = descriptor;
  if (isSystem(access)) return resolveSystem(processor, descriptor, how);

  if (!isValidCode(state, access)) return generalProtection(error);
  const privileged = isConforming(access)
    ? dpl(access) <= state.cpl
    : rpl(selector) <= state.cpl && dpl(access) === state.cpl;
  if (!privileged) return generalProtection(error);
  if (!isPresent(access)) return segmentNotPresent(error);
  return { kind: 'code', descriptor };
}

function resolveSystem(
  processor: Processor,
  descriptor: Descriptor,
  how: 'jump' | 'call',
): Destination | Failure | Unimplemented {
  const { state } = processor;
  const error = selectorError(descriptor.selector);
  const type = typeOf(descriptor.access);
  const long = isLongMode(state);
  const isGate = type === SystemType.CALL_GATE32 || (type === SystemType.CALL_GATE16 && !long);
  const isTask = type === SystemType.TASK_GATE || type === SystemType.TSS16 || type === SystemType.TSS32;
  if (!isGate && (long || !isTask)) return generalProtection(error);
  const { access } = descriptor;
  if (dpl(access) < state.cpl || dpl(access) < rpl(descriptor.selector)) return generalProtection(error);
  if (!isPresent(access)) return segmentNotPresent(error);
  if (isTask) {
    const gate = type === SystemType.TASK_GATE;
    const selector = gate ? descriptor.low >>> 16 : descriptor.selector;
    return switchTask(processor, selector, how, processor.engine.instruction?.length ?? 0);
  }
  const gate = readCallGate(processor, descriptor, how);
  return isFailed(gate) ? gate : { kind: 'gate', gate };
}

function readCallGate(
  processor: Processor,
  descriptor: Descriptor,
  how: 'jump' | 'call',
): CallGate | Failure {
  const { state } = processor;
  const long = isLongMode(state);
  let offset = BigInt(((descriptor.high & 0xffff_0000) | (descriptor.low & 0xffff)) >>> 0);
  if (long) {
    const wide = readDescriptor(processor, descriptor.selector, true);
    // The second half lies beyond the table, or its type is not 0.
    if (wide === 'beyond') return generalProtection(selectorError(descriptor.selector));
    if (wide === 'exited' || 'kind' in wide) return wide;
    offset |= (wide.base >> 32n) << 32n;
  }
  const selector = descriptor.low >>> 16;
  if (isNull(selector)) return generalProtection();
  const error = selectorError(selector);
  const target = readDescriptor(processor, selector);
  if (target === 'beyond') return generalProtection(error);
  if (target === 'exited' || 'kind' in target) return target;
  const { access } = target;
  if (!isCode(access) || dpl(access) > state.cpl) return generalProtection(error);
  // Only CALL may go to an inner level.
  if (how === 'jump' && !isConforming(access) && dpl(access) !== state.cpl) return generalProtection(error);
  const is64 = (access & SegmentAccess.L) !== 0 && (access & SegmentAccess.DB) === 0;
  if (long && !is64) return generalProtection(error);
  if (!isPresent(access)) return segmentNotPresent(error);
  const narrow = typeOf(descriptor.access) === SystemType.CALL_GATE16;
  return {
    target,
    selector,
    offset: narrow ? cut(offset, 2) : offset,
    size: long ? 8 : narrow ? 2 : 4,
    parameters: long ? 0 : descriptor.high & 0x1f,
  };
}

/** A call through a gate to an inner level: the stack switches and the parameters go along (SDM 3A 5.8.5). */
function callInner(processor: Processor, gate: CallGate, next: bigint): ColdOutcome {
  const { state } = processor;
  const cpl = dpl(gate.target.access);
  const old = StackCursor.current(processor);
  const parameters: bigint[] = [];
  for (let i = 0; i < gate.parameters; i++) {
    const parameter = old.pop(gate.size);
    if (typeof parameter !== 'bigint') return failed(parameter);
    parameters.unshift(parameter);
  }
  const inner = gate.size === 8 ? innerStack64(processor, cpl) : switchStack(processor, cpl, 0);
  if (inner === 'exited' || 'kind' in inner) return failed(inner);
  const frame = [BigInt(state.ssSelector), state.rsp, ...parameters, BigInt(state.csSelector), next];
  for (const value of frame) {
    const failure = inner.stack.push(cut(value, gate.size), gate.size);
    if (failure !== undefined) return failed(failure);
  }
  const failure = checkTarget(processor, gate.target, gate.offset) ?? markAccessed(processor, gate.target);
  if (failure !== undefined) return failed(failure);
  if (inner.descriptor) setSegment(state, 'ss', inner.selector, inner.descriptor);
  else setNullSegment(state, 'ss', inner.selector);
  setCodeSegment(state, gate.selector, gate.target, cpl);
  inner.stack.commit();
  state.rip = gate.offset;
  processor.contextChanged();
  return Cold.JUMPED;
}

function innerStack64(processor: Processor, cpl: number) {
  const pointer = innerStackPointer64(processor, cpl, 0);
  if (typeof pointer !== 'bigint') return pointer;
  const flat = { base: 0n, limit: 0xffff_ffff, access: SegmentAccess.DB };
  const stack = new StackCursor(processor, flat, pointer, 8, true, 0);
  return { stack, selector: cpl, descriptor: undefined };
}
