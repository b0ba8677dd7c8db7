/** Initialized bytes of an ELF executable by virtual address. */
import { PT } from '../../toolchain/elf/constants.js';
import type { ElfFile } from '../../toolchain/elf/elfFile.js';

/** The program header whose memory holds `address`. */
export function segmentAt(elf: ElfFile, address: bigint) {
  return elf.programHeaders.find(
    (header) =>
      header.type === PT.LOAD &&
      address >= header.virtualAddress &&
      address < header.virtualAddress + header.memorySize,
  );
}

/** `length` bytes at a virtual address as the file initializes them (zeros beyond the file); undefined outside. */
export function initialBytes(elf: ElfFile, address: bigint, length: number): Uint8Array | undefined {
  const segment = segmentAt(elf, address);
  if (!segment || address + BigInt(length) > segment.virtualAddress + segment.memorySize) return undefined;
  const start = Number(address - segment.virtualAddress);
  const bytes = new Uint8Array(length);
  const inFile = Math.max(0, Math.min(length, segment.fileSize - start));
  const from = segment.offset + start;
  bytes.set(elf.bytes.subarray(from, from + inFile));
  return bytes;
}

/** Physical address by the program headers: before the host has page tables. */
export function physicalAddress(elf: ElfFile, address: bigint): number | undefined {
  const segment = segmentAt(elf, address);
  return segment && Number(segment.physicalAddress + (address - segment.virtualAddress));
}

/** A little-endian 64-bit word. */
export function wordAt(bytes: Uint8Array, offset: number): bigint {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength).getBigUint64(offset, true);
}

/** Characters up to the terminating zero. */
export function cString(elf: ElfFile, address: bigint): string {
  let text = '';
  for (let at = address; ; at++) {
    const byte = initialBytes(elf, at, 1)?.[0];
    if (!byte) return text;
    text += String.fromCharCode(byte);
  }
}
