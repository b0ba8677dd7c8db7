/** The index of the last element for which `isBefore` holds, in an array where it holds for a leading part; or -1. */
export function lastIndexWhere<T>(sorted: readonly T[], isBefore: (element: T) => boolean): number {
  let low = 0;
  let high = sorted.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (isBefore(sorted[middle])) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return low - 1;
}

export function compareBigints(left: bigint, right: bigint): number {
  return left < right ? -1 : left > right ? 1 : 0;
}

/** Ranges with a value, looked up by address; ranges may nest or overlap. */
export class RangeMap<T> {
  private readonly entries: { readonly low: bigint; readonly high: bigint; readonly value: T }[];
  /** For each entry the highest end of it and all before: where a search backwards can stop. */
  private readonly reach: bigint[] = [];

  constructor(entries: Iterable<{ low: bigint; high: bigint; value: T }>) {
    this.entries = [...entries].sort(
      (a, b) => compareBigints(a.low, b.low) || compareBigints(b.high, a.high),
    );
    let reach = 0n;
    for (const { high } of this.entries) {
      reach = high > reach ? high : reach;
      this.reach.push(reach);
    }
  }

  /** The values of all ranges that contain the address, the one that starts last first. */
  at(address: bigint): T[] {
    const found: T[] = [];
    let index = lastIndexWhere(this.entries, ({ low }) => low <= address);
    for (; index >= 0 && this.reach[index] > address; index--) {
      if (this.entries[index].high > address) {
        found.push(this.entries[index].value);
      }
    }
    return found;
  }
}
