/** Gates of the IDT, and the code segments that they lead to. */
import type { Failure } from './cold/operands.js';
import type { Descriptor } from './descriptors.js';
import {
  dpl,
  isCode,
  isConforming,
  isNull,
  isPresent,
  readDescriptor,
  selectorError,
  SystemType,
} from './descriptors.js';
import type { Delivery } from './exceptions.js';
import { generalProtection, segmentNotPresent } from './fault.js';
import { SegmentAccess } from './registerBits.js';
import type { Processor } from './seams.js';

/** A gate descriptor of 8 bytes, or of 16 in IA-32e mode (SDM 3A figures 6-2 and 6-8). */
export interface Gate {
  readonly selector: number;
  readonly offset: bigint;
  readonly type: number;
  /** Interrupt stack table index, 0 for none. */
  readonly ist: number;
}

/** Error code that names an IDT entry: bit 1 is IDT (SDM 3A 6.13). */
const idtError = (delivery: Delivery): number => delivery.event.vector * 8 + 2 + delivery.ext;

/** Reads and checks the IDT entry of an event. */
export function readGate(processor: Processor, delivery: Delivery, wide: boolean): Gate | Failure {
  const { state } = processor;
  const size = wide ? 16 : 8;
  const offset = delivery.event.vector * size;
  if (offset + size - 1 > state.idtrLimit) return generalProtection(idtError(delivery));
  const address = state.idtrBase + BigInt(offset);
  const low = processor.linear.read(address, 8, true);
  if (typeof low !== 'bigint') return low;
  let upper = 0n;
  if (wide) {
    const value = processor.linear.read(address + 8n, 8, true);
    if (typeof value !== 'bigint') return value;
    upper = value & 0xffff_ffffn;
  }

  const access = Number((low >> 40n) & 0xffn);
  const type = access & SegmentAccess.TYPE;
  const system = (access & SegmentAccess.S) === 0;
  if (!system || !isDeliveryGate(type, wide)) return generalProtection(idtError(delivery));
  if (delivery.software && dpl(access) < state.cpl) return generalProtection(idtError(delivery));
  if (!isPresent(access)) return segmentNotPresent(idtError(delivery));
  return {
    selector: Number((low >> 16n) & 0xffffn),
    offset: (low & 0xffffn) | ((low >> 32n) & 0xffff_0000n) | (upper << 32n),
    type,
    ist: wide ? Number((low >> 32n) & 7n) : 0,
  };
}

function isDeliveryGate(type: number, wide: boolean): boolean {
  if (type === SystemType.INTERRUPT_GATE32 || type === SystemType.TRAP_GATE32) return true;
  if (wide) return false;
  return (
    type === SystemType.INTERRUPT_GATE16 || type === SystemType.TRAP_GATE16 || type === SystemType.TASK_GATE
  );
}

/** Interrupt gates mask interrupts; trap gates do not. */
export const masksInterrupts = (gate: Gate): boolean => (gate.type & 1) === 0;

/** The code segment of a gate, with the privilege level that its handler runs at. */
export interface GateTarget {
  readonly descriptor: Descriptor;
  readonly cpl: number;
}

/** Reads and checks the code segment that a gate names; `wide`: it must be a 64-bit one. */
export function readGateTarget(
  processor: Processor,
  selector: number,
  ext: number,
  wide: boolean,
): GateTarget | Failure {
  const { state } = processor;
  if (isNull(selector)) return generalProtection(ext);
  const error = selectorError(selector) | ext;
  const descriptor = readDescriptor(processor, selector);
  if (descriptor === 'beyond') return generalProtection(error);
  if (descriptor === 'exited' || 'kind' in descriptor) return descriptor;
  const { access } = descriptor;
  if (!isCode(access) || dpl(access) > state.cpl) return generalProtection(error);
  const long = (access & SegmentAccess.L) !== 0 && (access & SegmentAccess.DB) === 0;
  if (wide && !long) return generalProtection(error);
  if (!isPresent(access)) return segmentNotPresent(error);
  return { descriptor, cpl: isConforming(access) ? state.cpl : dpl(access) };
}
