/** Watchpoints of the debugger: ranges of linear memory whose pages are withheld from the fast path. */
import { Access } from './seams.js';

export interface Watchpoint {
  readonly id: number;
  readonly address: bigint;
  readonly length: number;
  readonly access: 'read' | 'write' | 'readWrite';
}

/** An access that touched watched bytes. */
export interface WatchHit {
  readonly id: number;
  /** Linear address and size of the access. */
  readonly address: bigint;
  readonly size: number;
  readonly access: 'read' | 'write';
  /** The operand's bytes before the access and, for a write, after it; little-endian. */
  readonly before: Uint8Array;
  after: Uint8Array | undefined;
}

/** Page number of a linear address, as it comes in int32 halves: exact in a JS number. */
const linearPage = (low: number, high: number): number => (high >>> 0) * 0x10_0000 + (low >>> 12);

export class Watchpoints {
  private all: readonly Watchpoint[] = [];
  /** Access bits withheld, by linear page number. Empty when nothing is watched. */
  private readonly pages = new Map<number, number>();
  private readonly found: WatchHit[] = [];

  /** Replaces all watchpoints. The caller flushes the TLBs. */
  replace(watchpoints: readonly Watchpoint[]): void {
    this.all = watchpoints;
    this.pages.clear();
    this.found.length = 0;
    for (const { address, length, access } of watchpoints) {
      // An instruction that reads and writes an operand is checked against the tag for writes alone.
      const withheld = access === 'write' ? Access.WRITE : Access.READ | Access.WRITE;
      const last = BigInt.asUintN(64, address + BigInt(Math.max(length, 1) - 1)) >> 12n;
      for (let page = address >> 12n; page <= last; page++) {
        const key = Number(page);
        this.pages.set(key, (this.pages.get(key) ?? 0) | withheld);
      }
    }
  }

  get active(): boolean {
    return this.pages.size !== 0;
  }

  /** The Access bits that the fast path must not make on this page. */
  withheld(low: number, high: number): number {
    return this.active ? (this.pages.get(linearPage(low, high)) ?? 0) : 0;
  }

  /** Records the watchpoints that an access of `size` bytes touches. `bytes`: the operand before the access. */
  note(low: number, high: number, size: number, access: number, bytes: () => Uint8Array): void {
    const address = (BigInt(high >>> 0) << 32n) | BigInt(low >>> 0);
    for (const watchpoint of this.all) {
      if (address + BigInt(size) <= watchpoint.address) continue;
      if (address >= watchpoint.address + BigInt(watchpoint.length)) continue;
      const write = (access & Access.WRITE) !== 0 && watchpoint.access !== 'read';
      const read = (access & Access.READ) !== 0 && watchpoint.access !== 'write';
      if (!write && !read) continue;
      const kind = write ? 'write' : 'read';
      this.found.push({ id: watchpoint.id, address, size, access: kind, before: bytes(), after: undefined });
    }
  }

  /** The prepared write was made: what hits of it now see. */
  noteWritten(bytes: () => Uint8Array): void {
    for (const hit of this.found) {
      if (hit.access === 'write' && hit.after === undefined) hit.after = bytes();
    }
  }

  /** Were watched bytes touched since `take` or `discard`? */
  get hit(): boolean {
    return this.found.length !== 0;
  }

  /** Hands the hits out and forgets them. */
  take(): readonly WatchHit[] {
    return this.found.splice(0);
  }

  /** The instruction faulted after the access: it did not happen. */
  discard(): void {
    this.found.length = 0;
  }
}
