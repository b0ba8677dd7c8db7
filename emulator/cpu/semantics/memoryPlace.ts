/** Places in the linear memory, and the fast path to guest memory through the TLB. */
import type { Expression } from '../../wasm/expression.js';
import { i32, i64 } from '../../wasm/expression.js';
import { v128 } from '../../wasm/vector.js';
import type { FunctionBuilder } from '../../wasm/functionBuilder.js';
import { noteWrite } from '../compiler/journal.js';
import { TLB_ENTRIES, TLB_ENTRY_SIZE, tlbEntry } from '../layout.js';
import { Access } from '../seams.js';
import type { MemoryPlace, Place } from './emitter.js';

/** A place in the linear memory at `address` + `offset`. */
export function memoryAt(f: FunctionBuilder, address: Expression, offset: number, size: number): Place {
  switch (size) {
    case 1:
      return { get: () => i32.load8U(address, offset), set: (value) => f.store8(address, value, offset) };
    case 2:
      return { get: () => i32.load16U(address, offset), set: (value) => f.store16(address, value, offset) };
    case 4:
      return { get: () => i32.load(address, offset), set: (value) => f.store32(address, value, offset) };
    case 16:
      return { get: () => v128.load(address, offset), set: (value) => f.storeVector(address, value, offset) };
    default:
      return { get: () => i64.load(address, offset), set: (value) => f.store64(address, value, offset) };
  }
}

export interface FastAccess {
  /** Bound linear address, i64. */
  readonly linear: Expression;
  readonly size: number;
  readonly access: number;
  /** Writes are noted in the journal. */
  readonly journal: boolean;
}

/** An access whose TLB tag must be that of the page that holds its last byte; `miss` leaves the instruction. */
export function tlbAccess(
  f: FunctionBuilder,
  bank: Expression,
  { linear, size, access, journal }: FastAccess,
  miss: () => void,
): MemoryPlace {
  const tag = (access & Access.WRITE) !== 0 ? tlbEntry.tagWrite : tlbEntry.tagRead;
  const page = Math.log2(4096) - Math.log2(TLB_ENTRY_SIZE);
  const index = i32.and(
    i32.shrU(i32.wrap(linear), i32.constant(page)),
    i32.constant((TLB_ENTRIES - 1) * TLB_ENTRY_SIZE),
  );
  const entry = f.let(i32.add(index, bank));
  const last = i64.add(linear, i64.constant(size - 1));
  const wanted = i64.and(last, i64.constant(-4096));
  f.unlikely(i64.ne(i64.load(entry, tag), wanted), miss);
  const host = f.let(i32.add(i32.wrap(linear), i32.load(entry, tlbEntry.addend)));
  if (journal && (access & Access.WRITE) !== 0) noteWrite(f, host, size);
  return {
    ...memoryAt(f, host, 0, size),
    part: (offset, partSize) => memoryAt(f, host, offset, partSize),
    finish: () => undefined,
    host,
  };
}
