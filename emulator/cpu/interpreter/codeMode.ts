/** The mode of the processor as far as decoded code depends on it. */
import { layout } from '../layout.js';
import { Cr0, Efer, SegmentAccess } from '../registerBits.js';
import type { SegmentUse } from '../semantics/shape.js';
import type { LinearMemory } from '../state.js';
import type { CodeMode } from './shapeOf.js';

const [ES, SS, DS] = [0, 2, 3];
const FLAT_LIMIT = 0xffff_ffff;
const CODE = 8;
const WRITABLE = 2;
const EXPAND_DOWN = 4;

/** Can every 32-bit offset be read and written without looking at the segment? */
function isFlat(memory: LinearMemory, segment: number): boolean {
  const access = memory.u32[(layout.esAccess >> 2) + segment];
  const base = (layout.esBase >> 2) + 2 * segment;
  const usable = (access & SegmentAccess.UNUSABLE) === 0;
  const data = (access & (CODE | WRITABLE | EXPAND_DOWN)) === WRITABLE;
  const limit = memory.u32[(layout.esLimit >> 2) + segment];
  return usable && data && limit === FLAT_LIMIT && memory.u32[base] === 0;
}

/** The key of 64-bit mode. */
export const LONG_MODE_KEY = 1;

/** A number that is equal exactly when the modes are (CS base aside, which `codeBase` tells). */
export function modeKey(memory: LinearMemory): number {
  const { u32 } = memory;
  const code = u32[layout.csAccess >> 2];
  const long = (u32[layout.efer >> 2] & Number(Efer.LMA)) !== 0;
  if (long && (code & SegmentAccess.L) !== 0) return LONG_MODE_KEY;
  const stack = u32[layout.ssAccess >> 2];
  const bits = [
    (code & SegmentAccess.DB) !== 0,
    (stack & SegmentAccess.DB) !== 0,
    u32[layout.csLimit >> 2] !== FLAT_LIMIT,
    isFlat(memory, ES),
    isFlat(memory, SS),
    isFlat(memory, DS),
  ];
  return bits.reduce((key, bit, position) => (bit ? key | (2 << position) : key), 0);
}

const BASED_SEGMENTS: readonly SegmentUse[] = ['flat', 'flat', 'flat', 'flat', 'based', 'based'];

/** The mode that a key of `modeKey` stands for. */
export function modeOfKey(key: number): CodeMode {
  if (key === LONG_MODE_KEY) return { width: 64, stackSize: 8, segments: BASED_SEGMENTS, codeChecked: false };
  const bit = (position: number) => (key & (2 << position)) !== 0;
  const use = (position: number): SegmentUse => (bit(position) ? 'flat' : 'checked');
  return {
    width: bit(0) ? 32 : 16,
    stackSize: bit(1) ? 4 : 2,
    codeChecked: bit(2),
    segments: [use(3), 'checked', use(4), use(5), 'checked', 'checked'],
  };
}

/** Is an access within a segment, and of a kind that the segment allows (SDM 3A 5.3, 5.5)? Outside 64-bit mode. */
export function segmentAllows(
  memory: LinearMemory,
  segment: number,
  offset: number,
  size: number,
  write: boolean,
): boolean {
  const { u32 } = memory;
  const access = u32[(layout.esAccess >> 2) + segment];
  const limit = u32[(layout.esLimit >> 2) + segment];
  const first = offset >>> 0;
  const last = first + size - 1;
  const code = (access & CODE) !== 0;
  if ((u32[layout.cr0 >> 2] & Number(Cr0.PE)) !== 0) {
    if ((access & SegmentAccess.UNUSABLE) !== 0) return false;
    if (write && (code || (access & WRITABLE) === 0)) return false;
    // Bit 1 of a code segment: readable.
    if (!write && code && (access & WRITABLE) === 0) return false;
  }
  if (code || (access & EXPAND_DOWN) === 0) return last <= limit;
  return first > limit && last <= ((access & SegmentAccess.DB) !== 0 ? 0xffff_ffff : 0xffff);
}
