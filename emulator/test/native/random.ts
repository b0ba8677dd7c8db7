/** Deterministic random numbers for tests. */

/** xorshift32: the same seed gives the same numbers. */
export class Random {
  private state: number;

  constructor(seed: number) {
    this.state = (seed ^ 0x9e37_79b9) >>> 0 || 1;
    for (let index = 0; index < 8; index += 1) this.next();
  }

  /** 32 random bits, unsigned. */
  next(): number {
    let x = this.state;
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    this.state = x >>> 0;
    return this.state;
  }

  /** A number below `limit`. */
  below(limit: number): number {
    return this.next() % limit;
  }

  /** True once in `n` times. */
  oneIn(n: number): boolean {
    return this.below(n) === 0;
  }

  pick<Item>(items: readonly Item[]): Item {
    return items[this.below(items.length)];
  }

  next64(): bigint {
    return (BigInt(this.next()) << 32n) | BigInt(this.next());
  }

  /** A 64-bit operand: random, small, or at the edge of an operand size. */
  operand(): bigint {
    switch (this.below(6)) {
      case 0:
        return BigInt(this.below(256));
      case 1: {
        const edge = 1n << BigInt(this.pick([7, 8, 15, 16, 31, 32, 63]));
        return BigInt.asUintN(64, edge + BigInt(this.below(5) - 2));
      }
      case 2:
        return BigInt.asUintN(64, -BigInt(this.below(256)));
      case 3:
        return this.next64() >> BigInt(this.below(64));
      default:
        return this.next64();
    }
  }
}
