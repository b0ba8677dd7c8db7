/** The record of a predecoded instruction: 32 bytes in the arena. */
import { region } from '../layout.js';

export const RECORD_SIZE = 32;

/** Byte offsets of a record's fields. */
export const field = {
  /** u16: case of the switch. */
  handler: 0,
  /** u16: shape number, which is also the index of the shape's function in the table. */
  shape: 2,
  /** u16: state offsets of up to two register operands (the byte of AH is its register's offset + 1). */
  register0: 4,
  register1: 6,
  /** u16: a third register operand (the CL of SHLD), which excludes an immediate. */
  register2: 16,
  /** u16: state offsets of base and index, of the `zero` field where there is none. */
  base: 8,
  index: 10,
  /** u8: shift count of the index. */
  scale: 12,
  /** u8: length of the instruction. */
  length: 13,
  /** u8: instructions from this one to the end of its block, this one included. 0: not an instruction. */
  remaining: 14,
  /** i64: immediate operand, or 64-bit absolute address. */
  immediate: 16,
  /** u32: records that a branch leads to. A block's end without a branch uses the second. */
  taken: 16,
  next: 20,
  /** i32: displacement of a memory operand; a second immediate (ENTER). */
  displacement: 24,
  /** u16: offset of the instruction in its linear page. */
  start: 28,
  /** u16: state offset of the base of the memory operand's segment. */
  segmentBase: 30,
} as const;

/** Cases of the switch that are not instruction shapes. */
export const Handler = {
  /** A link that is not resolved yet. `immediate`: owner record and the byte offset of the field to set. */
  LINK: 0,
  /** Goes to `next`: the end of a block without a branch. */
  NEXT: 1,
  /** Goes to the RIP in `immediate`, through the jump cache. */
  FAR: 2,
  /** Leaves to TypeScript, which knows why: cold instruction, fault, breakpoint, unimplemented. */
  EVENT: 3,
  /** Leaves because a truncated block ends here. */
  STOP: 4,
  /** Calls the function of the shape. */
  CALL: 5,
  /** A compiled region can be entered here: see `regionRecord`. */
  REGION: 6,
  /** The first case that is an instruction. */
  FIRST_SHAPE: 7,
} as const;

/** Why the generated code came back to TypeScript. RIP is that of `exitRecord`, which was not executed. */
export const ExitCode = {
  /** The next block is longer than the budget left. */
  BUDGET: 0,
  EVENT: 1,
  /** A TLB tag did not match: `accessAddress`, `accessInfo` (size << 8 | Access bits). */
  MISS: 2,
  LINK: 3,
  /** No jump cache entry for RIP. */
  LOOKUP: 4,
  /** The instruction raises the vector in `accessInfo`, error code 0 if it has one. */
  RAISE: 5,
  /** `prepare` or a segment check failed. */
  REFUSED: 6,
  STOP: 7,
  /** A region can be entered here, and is to be checked. */
  REGION: 8,
} as const;

/**
 * Jump cache entry: key (RIP with the generation mixed in), record, offset of RIP in its page; function and entry of the
 * compiled region there, function 0 when there is none or nobody has looked.
 */
export const jumpCacheEntry = { key: 0, record: 8, start: 12, function: 16, entry: 20, size: 32 } as const;
export const JUMP_CACHE_ENTRIES = 0x8000;
/**
 * Where the generation of the jump cache stands (u64, shifted to the 16 bits above the 48 that canonical addresses
 * differ in): keys are RIP xor this, so that a new generation voids all entries.
 */
export const JUMP_CACHE_GENERATION = region.jumpCache + JUMP_CACHE_ENTRIES * jumpCacheEntry.size;
export const GENERATION_SHIFT = 48;
export const GENERATIONS = 0x1_0000;

/** Fields of the register operands, in their order. */
export const REGISTER_FIELDS = [field.register0, field.register1, field.register2] as const;
