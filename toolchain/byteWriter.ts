/** Little-endian bytes that grow. */
export class ByteWriter {
  private buffer = new Uint8Array(256);
  private view = new DataView(this.buffer.buffer);
  length = 0;

  private reserve(count: number): number {
    const at = this.length;
    this.length += count;
    if (this.length > this.buffer.length) {
      const grown = new Uint8Array(Math.max(this.length, this.buffer.length * 2));
      grown.set(this.buffer);
      this.buffer = grown;
      this.view = new DataView(grown.buffer);
    }
    return at;
  }

  u8(...values: number[]): this {
    const at = this.reserve(values.length);
    values.forEach((value, index) => this.view.setUint8(at + index, value));
    return this;
  }

  u16(value: number): this {
    const at = this.reserve(2);
    this.view.setUint16(at, value, true);
    return this;
  }

  u32(value: number): this {
    const at = this.reserve(4);
    this.view.setUint32(at, value, true);
    return this;
  }

  u64(value: bigint): this {
    const at = this.reserve(8);
    this.view.setBigUint64(at, BigInt.asUintN(64, value), true);
    return this;
  }

  /** An address of the width that the file has. */
  address(value: bigint, bytes: 4 | 8): this {
    return bytes === 8 ? this.u64(value) : this.u32(Number(BigInt.asUintN(32, value)));
  }

  bytes(values: Uint8Array): this {
    const at = this.reserve(values.length);
    this.buffer.set(values, at);
    return this;
  }

  /** A string with its terminating zero. */
  string(text: string): this {
    return this.bytes(new TextEncoder().encode(text)).u8(0);
  }

  uleb(value: number | bigint): this {
    let rest = BigInt(value);
    do {
      const low = Number(rest & 0x7fn);
      rest >>= 7n;
      this.u8(rest === 0n ? low : low | 0x80);
    } while (rest !== 0n);
    return this;
  }

  sleb(value: number | bigint): this {
    let rest = BigInt(value);
    for (;;) {
      const low = Number(rest & 0x7fn);
      rest >>= 7n;
      const isLast = (rest === 0n && (low & 0x40) === 0) || (rest === -1n && (low & 0x40) !== 0);
      this.u8(isLast ? low : low | 0x80);
      if (isLast) return this;
    }
  }

  /** Zeros up to the next multiple of `alignment`. */
  align(alignment: number): this {
    const padding = (alignment - (this.length % alignment)) % alignment;
    this.reserve(padding);
    return this;
  }

  patchU32(at: number, value: number): this {
    this.view.setUint32(at, value, true);
    return this;
  }

  take(): Uint8Array {
    return this.buffer.slice(0, this.length);
  }
}
