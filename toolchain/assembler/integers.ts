/** Writes the low `size` bytes of a number, little endian. */
export function writeInteger(bytes: Uint8Array, offset: number, size: number, value: bigint): void {
  if (size <= 4) {
    let rest = Number(BigInt.asIntN(32, value));
    for (let index = 0; index < size; index++) {
      bytes[offset + index] = rest;
      rest >>= 8;
    }
    return;
  }
  let rest = BigInt.asUintN(size * 8, value);
  for (let index = 0; index < size; index++) {
    bytes[offset + index] = Number(rest & 0xffn);
    rest >>= 8n;
  }
}
