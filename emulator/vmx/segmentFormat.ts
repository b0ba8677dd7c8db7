/** Segment access rights in the format of the VMCS (SDM 3C table 25-2). */

export const AccessRights = {
  ACCESSED: 1 << 0,
  /** Data: writable. Code: readable. */
  WRITABLE_OR_READABLE: 1 << 1,
  CODE: 1 << 3,
  S: 1 << 4,
  P: 1 << 7,
  AVL: 1 << 12,
  L: 1 << 13,
  DB: 1 << 14,
  G: 1 << 15,
  UNUSABLE: 1 << 16,
} as const;

/** Bits 11:8. */
export const ACCESS_RIGHTS_RESERVED_LOW = 0x0f00;
/** Bits 31:17. */
export const ACCESS_RIGHTS_RESERVED_HIGH = 0xfffe_0000;

export const segmentType = (rights: number): number => rights & 0xf;
export const segmentDpl = (rights: number): number => (rights >> 5) & 3;
export const isUsable = (rights: number): boolean => (rights & AccessRights.UNUSABLE) === 0;

/** The limit and the granularity bit agree: byte granularity for limits whose low bits are not all ones, ... */
export const granularityFits = (limit: number, rights: number): boolean => {
  const pages = (rights & AccessRights.G) !== 0;
  if ((limit & 0xfff) !== 0xfff && pages) return false;
  return !(limit >>> 20 !== 0 && !pages);
};

export const SegmentType = {
  DATA_READ_WRITE_ACCESSED: 3,
  DATA_READ_WRITE_EXPAND_DOWN_ACCESSED: 7,
  CODE_EXECUTE_READ_ACCESSED: 11,
  LDT: 2,
  BUSY_16_BIT_TSS: 3,
  BUSY_TSS: 11,
} as const;

/** Type, S, DPL and P together. */
export const FLAT_CODE = SegmentType.CODE_EXECUTE_READ_ACCESSED | AccessRights.S | AccessRights.P;
export const FLAT_DATA = SegmentType.DATA_READ_WRITE_ACCESSED | AccessRights.S | AccessRights.P;
