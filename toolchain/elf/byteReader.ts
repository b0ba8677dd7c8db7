/** A file that breaks its format. The message names the section and the offset in it. */
export class FormatError extends Error {
  constructor(
    readonly section: string,
    readonly offset: number,
    readonly reason: string,
  ) {
    super(`${section}+0x${offset.toString(16)}: ${reason}`);
    this.name = 'FormatError';
  }
}

const utf8 = new TextDecoder();

/**
 * Reads little-endian fields from a section, one after the other. Reading past the end throws a FormatError, so no
 * loop over a malformed section can run for ever as long as each round reads something.
 */
export class ByteReader {
  private readonly view: DataView;

  constructor(
    readonly bytes: Uint8Array,
    /** Named in errors. */
    readonly section: string,
    public offset = 0,
    readonly end = bytes.length,
  ) {
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    if (offset < 0 || end > bytes.length || offset > end) {
      throw new FormatError(section, offset, `outside the section, which has ${bytes.length} bytes`);
    }
  }

  get atEnd(): boolean {
    return this.offset >= this.end;
  }

  error(reason: string, offset = this.offset): FormatError {
    return new FormatError(this.section, offset, reason);
  }

  /** A reader of `length` bytes from here; this one continues after them. */
  slice(length: number): ByteReader {
    const start = this.take(length);
    return new ByteReader(this.bytes, this.section, start, start + length);
  }

  skip(length: number): void {
    this.take(length);
  }

  /** A view of the next bytes, not a copy. */
  block(length: number): Uint8Array {
    const start = this.take(length);
    return this.bytes.subarray(start, start + length);
  }

  u8(): number {
    return this.bytes[this.take(1)];
  }

  s8(): number {
    return this.view.getInt8(this.take(1));
  }

  u16(): number {
    return this.view.getUint16(this.take(2), true);
  }

  s16(): number {
    return this.view.getInt16(this.take(2), true);
  }

  u24(): number {
    const low = this.u16();
    return low | (this.u8() << 16);
  }

  u32(): number {
    return this.view.getUint32(this.take(4), true);
  }

  s32(): number {
    return this.view.getInt32(this.take(4), true);
  }

  u64(): bigint {
    return this.view.getBigUint64(this.take(8), true);
  }

  s64(): bigint {
    return this.view.getBigInt64(this.take(8), true);
  }

  /** An unsigned integer of 1, 2, 4 or 8 bytes. */
  unsigned(size: number): bigint {
    switch (size) {
      case 1:
        return BigInt(this.u8());
      case 2:
        return BigInt(this.u16());
      case 4:
        return BigInt(this.u32());
      case 8:
        return this.u64();
      default:
        throw this.error(`an integer of ${size} bytes`);
    }
  }

  /** A 64-bit offset or size, as a number: no file that fits in memory has one beyond 2^53. */
  u64AsNumber(): number {
    const start = this.offset;
    const value = this.u64();
    if (value > BigInt(Number.MAX_SAFE_INTEGER)) {
      throw this.error(`0x${value.toString(16)} is no offset`, start);
    }
    return Number(value);
  }

  /** ULEB128 (DWARF 5 7.6) that must fit a number. */
  uleb(): number {
    const start = this.offset;
    let value = 0;
    let scale = 1;
    for (;;) {
      const byte = this.u8();
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) {
        break;
      }
      scale *= 128;
      if (this.offset - start > 10) {
        throw this.error('a LEB128 number longer than 10 bytes', start);
      }
    }
    if (value > Number.MAX_SAFE_INTEGER) {
      throw this.error('a LEB128 number beyond 2^53', start);
    }
    return value;
  }

  ulebBig(): bigint {
    return BigInt.asUintN(64, this.leb().value);
  }

  slebBig(): bigint {
    const { value, bits, negative } = this.leb();
    return BigInt.asIntN(64, negative ? value - (1n << BigInt(bits)) : value);
  }

  /** SLEB128 that must fit a number. */
  sleb(): number {
    const value = Number(this.slebBig());
    if (!Number.isSafeInteger(value)) {
      throw this.error('a LEB128 number beyond 2^53');
    }
    return value;
  }

  skipLeb(): void {
    while (this.u8() >= 0x80) {
      // Every round reads a byte.
    }
  }

  /** A NUL-terminated UTF-8 string; the NUL is consumed. */
  string(): string {
    const start = this.offset;
    this.skipString();
    return utf8.decode(this.bytes.subarray(start, this.offset - 1));
  }

  skipString(): void {
    const terminator = this.bytes.indexOf(0, this.offset);
    if (terminator < 0 || terminator >= this.end) {
      throw this.error('a string without its terminating NUL');
    }
    this.offset = terminator + 1;
  }

  private leb(): { value: bigint; bits: number; negative: boolean } {
    const start = this.offset;
    let value = 0n;
    for (let bits = 0; ;) {
      const byte = this.u8();
      value |= BigInt(byte & 0x7f) << BigInt(bits);
      bits += 7;
      if (byte < 0x80) {
        return { value, bits, negative: (byte & 0x40) !== 0 };
      }
      if (this.offset - start > 10) {
        throw this.error('a LEB128 number longer than 10 bytes', start);
      }
    }
  }

  private take(length: number): number {
    const start = this.offset;
    if (!(length >= 0) || start + length > this.end) {
      throw this.error(`${length} bytes are needed, ${this.end - start} are left`);
    }
    this.offset = start + length;
    return start;
  }
}
