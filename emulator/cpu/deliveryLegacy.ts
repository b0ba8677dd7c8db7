/** Event delivery in protected mode outside IA-32e mode (SDM 3A 6.12), and in real-address mode (SDM 3B 21.1.4). */
import { cut } from './cold/operands.js';
import { isCode, markAccessed, SystemType } from './descriptors.js';
import { clearFlags } from './deliveryLongMode.js';
import type { Delivery, DeliveryOutcome } from './exceptions.js';
import { generalProtection, invalidTss } from './fault.js';
import { masksInterrupts, readGate, readGateTarget } from './gates.js';
import { Rflags, SegmentAccess } from './registerBits.js';
import type { Processor } from './seams.js';
import { readStackDescriptor, setCodeSegment, setRealModeSegment, setSegment } from './segmentation.js';
import { StackCursor } from './stackCursor.js';
import { innerStack, switchTask } from './taskState.js';

/** Delivers through a 32- or 16-bit gate; nothing of the architectural state has changed when it fails. */
export function deliverProtectedMode(processor: Processor, delivery: Delivery): DeliveryOutcome {
  const { state } = processor;
  if ((state.rflagsSystem & Rflags.VM) !== 0n) {
    return { kind: 'unimplemented', what: 'event delivery in virtual-8086 mode' };
  }
  const gate = readGate(processor, delivery, false);
  if (gate === 'exited' || 'kind' in gate) return gate;
  if (gate.type === SystemType.TASK_GATE) {
    return switchTask(processor, gate.selector, 'taskGate', delivery.event.instructionLength);
  }
  const target = readGateTarget(processor, gate.selector, delivery.ext, false);
  if (target === 'exited' || 'kind' in target) return target;
  const { cpl, descriptor } = target;
  const size = (gate.type & 8) !== 0 ? 4 : 2;
  const inner = cpl < state.cpl ? switchStack(processor, cpl, delivery.ext) : undefined;
  if (inner === 'exited' || (inner && 'kind' in inner)) return inner;

  const stack = inner?.stack ?? StackCursor.current(processor, delivery.ext);
  const frame = [cut(delivery.rflags, size), BigInt(state.csSelector), delivery.returnRip];
  if (inner) frame.unshift(BigInt(state.ssSelector), state.rsp);
  if (delivery.event.errorCode !== undefined) frame.push(BigInt(delivery.event.errorCode));
  for (const value of frame) {
    const failure = stack.push(cut(value, size), size);
    if (failure !== undefined) return failure;
  }
  const offset = cut(gate.offset, size);
  if (isCode(descriptor.access) && Number(offset) > descriptor.limit) return generalProtection(delivery.ext);
  const failure = markAccessed(processor, descriptor);
  if (failure !== undefined) return failure;

  if (inner) setSegment(state, 'ss', inner.selector, inner.descriptor);
  stack.commit();
  setCodeSegment(state, gate.selector, descriptor, cpl);
  state.rip = offset;
  clearFlags(processor, masksInterrupts(gate));
  processor.contextChanged();
  return undefined;
}

/** The stack of an inner privilege level from the TSS; bad ones are #TS (SDM 2A INT n). */
export function switchStack(processor: Processor, cpl: number, ext: number) {
  const pointer = innerStack(processor, cpl, ext);
  if (pointer === 'exited' || 'kind' in pointer) return pointer;
  const { selector } = pointer;
  if ((selector & 0xfffc) === 0) return invalidTss(ext);
  const descriptor = readStackDescriptor(processor, selector, cpl, invalidTss, ext);
  if (descriptor === 'exited' || 'kind' in descriptor) return descriptor;
  const failure = markAccessed(processor, descriptor);
  if (failure !== undefined) return failure;
  const size = (descriptor.access & SegmentAccess.DB) !== 0 ? 4 : 2;
  const error = (selector & 0xfffc) | ext;
  const stack = new StackCursor(processor, descriptor, cut(pointer.pointer, size), size, true, error);
  return { stack, selector, descriptor };
}

/** Through the interrupt vector table: no error codes, no privilege. */
export function deliverRealMode(processor: Processor, delivery: Delivery): DeliveryOutcome {
  const { state } = processor;
  const entry = delivery.event.vector * 4;
  // An entry beyond the limit is #GP; as a second one it becomes #DF and shutdown.
  if (entry + 3 > state.idtrLimit) return generalProtection();
  const vector = processor.linear.read(state.idtrBase + BigInt(entry), 4, true);
  if (typeof vector !== 'bigint') return vector;
  const stack = StackCursor.current(processor);
  for (const value of [delivery.rflags, BigInt(state.csSelector), delivery.returnRip]) {
    const failure = stack.push(cut(value, 2), 2);
    if (failure !== undefined) return failure;
  }
  stack.commit();
  setRealModeSegment(state, 'cs', Number(vector >> 16n));
  state.rip = vector & 0xffffn;
  state.rflagsSystem &= ~(Rflags.IF | Rflags.TF | Rflags.AC | Rflags.RF);
  processor.contextChanged();
  return undefined;
}
