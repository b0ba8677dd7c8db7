/** Event delivery in IA-32e mode (SDM 3A 6.14). */
import { markAccessed } from './descriptors.js';
import type { Delivery, DeliveryOutcome } from './exceptions.js';
import { generalProtection } from './fault.js';
import { masksInterrupts, readGate, readGateTarget } from './gates.js';
import { isCanonical, Rflags, SegmentAccess } from './registerBits.js';
import type { Processor } from './seams.js';
import { setCodeSegment, setNullSegment } from './segmentation.js';
import { StackCursor } from './stackCursor.js';
import { innerStackPointer64, interruptStackPointer } from './taskState.js';

const FLAT_STACK = { base: 0n, limit: 0xffff_ffff, access: SegmentAccess.DB };

/** Delivers through a 64-bit gate; nothing of the architectural state has changed when it fails. */
export function deliverLongMode(processor: Processor, delivery: Delivery): DeliveryOutcome {
  const { state } = processor;
  const gate = readGate(processor, delivery, true);
  if (gate === 'exited' || 'kind' in gate) return gate;
  const target = readGateTarget(processor, gate.selector, delivery.ext, true);
  if (target === 'exited' || 'kind' in target) return target;
  const { cpl, descriptor } = target;
  const changesPrivilege = cpl < state.cpl;

  let top: bigint;
  if (gate.ist !== 0 || changesPrivilege) {
    const read =
      gate.ist !== 0
        ? interruptStackPointer(processor, gate.ist, delivery.ext)
        : innerStackPointer64(processor, cpl, delivery.ext);
    if (typeof read !== 'bigint') return read;
    top = read;
  } else {
    top = state.rsp;
  }

  // The frame is aligned to 16 bytes and always holds SS:RSP (SDM 3A 6.14.2).
  const stack = new StackCursor(processor, FLAT_STACK, top & ~0xfn, 8, cpl !== 3, delivery.ext);
  const { errorCode } = delivery.event;
  const frame = [
    BigInt(state.ssSelector),
    state.rsp,
    delivery.rflags,
    BigInt(state.csSelector),
    delivery.returnRip,
  ];
  if (errorCode !== undefined) frame.push(BigInt(errorCode));
  for (const value of frame) {
    const failure = stack.push(value, 8);
    if (failure !== undefined) return failure;
  }
  if (!isCanonical(gate.offset)) return generalProtection(delivery.ext);
  const failure = markAccessed(processor, descriptor);
  if (failure !== undefined) return failure;

  if (changesPrivilege) setNullSegment(state, 'ss', cpl);
  setCodeSegment(state, gate.selector, descriptor, cpl);
  state.rsp = stack.pointer;
  state.rip = gate.offset;
  clearFlags(processor, masksInterrupts(gate));
  processor.contextChanged();
  return undefined;
}

/** SDM 3A 6.12.1.3: TF, NT, RF and VM are cleared by every gate, IF by interrupt gates. */
export function clearFlags(processor: Processor, interruptFlag: boolean): void {
  const cleared = Rflags.TF | Rflags.NT | Rflags.RF | Rflags.VM | (interruptFlag ? Rflags.IF : 0n);
  processor.state.rflagsSystem &= ~cleared;
}
