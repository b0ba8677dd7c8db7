/** Segment descriptors: reading them from the GDT and LDT, and what their bits say (SDM 3A 3.4.5 and 5.8.3). */
import type { Failure } from './cold/operands.js';
import { SegmentAccess, isLongMode } from './registerBits.js';
import type { Processor } from './seams.js';

/** A descriptor as it stands in its table. */
export interface Descriptor {
  readonly selector: number;
  /** Linear address of the entry. */
  readonly address: bigint;
  readonly low: number;
  readonly high: number;
  /** The access rights in the format of the VMCS (SDM 3C table 25-2). */
  readonly access: number;
  /** Bytes, with G applied. */
  readonly limit: number;
  /** For the 16-byte system descriptors of IA-32e mode all 64 bits. */
  readonly base: bigint;
}

/** Types of system descriptors, SDM 3A table 3-2. */
export const SystemType = {
  TSS16: 1,
  LDT: 2,
  TSS16_BUSY: 3,
  CALL_GATE16: 4,
  TASK_GATE: 5,
  INTERRUPT_GATE16: 6,
  TRAP_GATE16: 7,
  TSS32: 9,
  TSS32_BUSY: 11,
  CALL_GATE32: 12,
  INTERRUPT_GATE32: 14,
  TRAP_GATE32: 15,
} as const;

const TABLE_INDICATOR = 4;

/** Selector without RPL: what error codes hold. */
export const selectorError = (selector: number): number => selector & 0xfffc;
export const isNull = (selector: number): boolean => (selector & 0xfffc) === 0;
export const rpl = (selector: number): number => selector & 3;

export const dpl = (access: number): number => (access >> SegmentAccess.DPL_SHIFT) & 3;
export const isPresent = (access: number): boolean => (access & SegmentAccess.P) !== 0;
export const isSystem = (access: number): boolean => (access & SegmentAccess.S) === 0;
export const typeOf = (access: number): number => access & SegmentAccess.TYPE;
export const isCode = (access: number): boolean => !isSystem(access) && (access & 8) !== 0;
export const isConforming = (access: number): boolean => isCode(access) && (access & 4) !== 0;
export const isReadable = (access: number): boolean =>
  !isSystem(access) && (!isCode(access) || (access & 2) !== 0);
export const isWritableData = (access: number): boolean =>
  !isSystem(access) && !isCode(access) && (access & 2) !== 0;

/**
 * Reads the descriptor that a selector names; 'beyond' when its table has no such entry. System descriptors of IA-32e
 * mode are 16 bytes: `wideSystem` reads the upper half of the base as well.
 */
export function readDescriptor(
  processor: Processor,
  selector: number,
  wideSystem = false,
): Descriptor | 'beyond' | Failure {
  const { state } = processor;
  const local = (selector & TABLE_INDICATOR) !== 0;
  if (local && (state.ldtrAccess & SegmentAccess.UNUSABLE) !== 0) return 'beyond';
  const tableBase = local ? state.ldtrBase : state.gdtrBase;
  const tableLimit = local ? state.ldtrLimit : state.gdtrLimit;
  const offset = selector & 0xfff8;
  if (offset + 7 > tableLimit) return 'beyond';
  const address = BigInt.asUintN(isLongMode(state) ? 64 : 32, tableBase + BigInt(offset));
  const raw = processor.linear.read(address, 8, true);
  if (typeof raw !== 'bigint') return raw;
  const descriptor = decodeDescriptor(selector, address, raw);
  if (!wideSystem || !isLongMode(state) || !isSystem(descriptor.access)) return descriptor;

  if (offset + 15 > tableLimit) return 'beyond';
  const upper = processor.linear.read(address + 8n, 8, true);
  if (typeof upper !== 'bigint') return upper;
  // The type field of the upper half must be 0 (SDM 3A figure 7-4).
  if (((upper >> 40n) & 0x1fn) !== 0n) return 'beyond';
  return { ...descriptor, base: descriptor.base | ((upper & 0xffff_ffffn) << 32n) };
}

/** Takes the eight bytes of a descriptor apart (SDM 3A figure 3-8). */
export function decodeDescriptor(selector: number, address: bigint, raw: bigint): Descriptor {
  const low = Number(raw & 0xffff_ffffn);
  const high = Number(raw >> 32n);
  const access = (high >>> 8) & 0xf0ff;
  const units = (high & 0xf_0000) | (low & 0xffff);
  const limit = (access & SegmentAccess.G) !== 0 ? ((units << 12) | 0xfff) >>> 0 : units;
  const base = BigInt(((low >>> 16) | ((high & 0xff) << 16) | (high & 0xff00_0000)) >>> 0);
  return { selector, address, low, high, access, limit, base };
}

/** Sets the accessed bit of a code or data descriptor in its table, if it is clear. */
export function markAccessed(processor: Processor, descriptor: Descriptor): Failure | undefined {
  return setTypeBits(processor, descriptor, 1);
}

/** Sets the busy bit of a TSS descriptor in its table. */
export function markBusy(processor: Processor, descriptor: Descriptor): Failure | undefined {
  return setTypeBits(processor, descriptor, 2);
}

function setTypeBits(processor: Processor, descriptor: Descriptor, bits: number): Failure | undefined {
  if ((descriptor.access & bits) === bits) return undefined;
  const typeByte = BigInt((descriptor.high >>> 8) & 0xff) | BigInt(bits);
  return processor.linear.write(descriptor.address + 5n, 1, typeByte, true);
}
