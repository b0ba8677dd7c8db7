/**
 * The journal of guest memory writes that checking code keeps: what lay where before. Entries of 16 bytes: offset in the
 * linear memory, size, old value.
 */
import type { Expression } from '../../wasm/expression.js';
import { i32, i64 } from '../../wasm/expression.js';
import type { FunctionBuilder } from '../../wasm/functionBuilder.js';
import { layout, region } from '../layout.js';
import type { LinearMemory } from '../state.js';

const ZERO = i32.constant(0);
const entry = { place: 0, size: 4, old: 8, length: 16 } as const;

/** Notes what `size` bytes at `host` hold, in pieces of up to 8 bytes. */
export function noteWrite(f: FunctionBuilder, host: Expression, size: number): void {
  for (let offset = 0; offset < size; offset += 8) {
    const piece = Math.min(8, size - offset);
    const at = f.let(i32.load(ZERO, layout.journalEnd));
    f.store32(at, i32.add(host, i32.constant(offset)), entry.place);
    f.store32(at, i32.constant(piece), entry.size);
    f.store64(at, oldValue(host, offset, piece), entry.old);
    f.store32(ZERO, i32.add(at, i32.constant(entry.length)), layout.journalEnd);
  }
}

function oldValue(host: Expression, offset: number, size: number): Expression {
  switch (size) {
    case 1:
      return i64.load8U(host, offset);
    case 2:
      return i64.load16U(host, offset);
    case 4:
      return i64.load32U(host, offset);
    default:
      return i64.load(host, offset);
  }
}

/** The journal as TypeScript sees it. */
export class Journal {
  constructor(private readonly memory: LinearMemory) {}

  begin(): void {
    this.memory.u32[layout.journalEnd >> 2] = region.journal;
  }

  private get end(): number {
    return this.memory.u32[layout.journalEnd >> 2];
  }

  /** The bytes written since `begin`, by offset in the linear memory: as they are now, and as they were. */
  bytes(): Map<number, { readonly now: number; readonly before: number }> {
    const { u8, u32 } = this.memory;
    const found = new Map<number, { now: number; before: number }>();
    for (let at: number = region.journal; at < this.end; at += entry.length) {
      const place = u32[(at + entry.place) >> 2];
      for (let byte = 0; byte < u32[(at + entry.size) >> 2]; byte += 1) {
        // The first entry has what lay there before all of them.
        if (found.has(place + byte)) continue;
        found.set(place + byte, { now: u8[place + byte], before: u8[at + entry.old + byte] });
      }
    }
    return found;
  }

  /** Takes the writes back. */
  undo(): void {
    const { u8, u32 } = this.memory;
    for (let at = this.end - entry.length; at >= region.journal; at -= entry.length) {
      const size = u32[(at + entry.size) >> 2];
      u8.copyWithin(u32[(at + entry.place) >> 2], at + entry.old, at + entry.old + size);
    }
  }
}
