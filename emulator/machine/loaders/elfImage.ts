/** What a loader needs of an ELF file: class, machine, entry, PT_LOAD segments (System V gABI, chapters 4 and 5). */
import { ImageError } from './imageError.js';

export interface ElfSegment {
  readonly fileOffset: number;
  readonly virtualAddress: bigint;
  readonly physicalAddress: number;
  readonly fileSize: number;
  readonly memorySize: number;
}

export interface ElfImage {
  readonly bits: 32 | 64;
  readonly entry: bigint;
  readonly segments: readonly ElfSegment[];
}

const EM_386 = 3;
const EM_X86_64 = 62;
const ET_EXEC = 2;
const PT_LOAD = 1;

export function isElf(bytes: Uint8Array): boolean {
  return (
    bytes.length >= 4 && bytes[0] === 0x7f && bytes[1] === 0x45 && bytes[2] === 0x4c && bytes[3] === 0x46
  );
}

/** Reads the headers; throws ImageError for a file that is no x86 executable. */
export function readElfImage(name: string, bytes: Uint8Array): ElfImage {
  if (!isElf(bytes)) throw new ImageError(name, `not an ELF file (it starts with ${firstBytes(bytes)})`);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  try {
    return readHeaders(name, view, bytes.length);
  } catch (error) {
    if (error instanceof RangeError) throw new ImageError(name, 'the ELF file is cut short');
    throw error;
  }
}

function readHeaders(name: string, view: DataView, fileLength: number): ElfImage {
  const bits = view.getUint8(4) === 2 ? 64 : 32;
  if (view.getUint8(5) !== 1) throw new ImageError(name, 'a big-endian ELF file');
  const machine = view.getUint16(18, true);
  if (machine !== EM_386 && machine !== EM_X86_64) {
    throw new ImageError(name, `an ELF file for another machine (e_machine ${machine}), not x86`);
  }
  const type = view.getUint16(16, true);
  if (type !== ET_EXEC) {
    const kind =
      type === 1
        ? 'a relocatable object: link it first'
        : type === 3
          ? 'position independent: link it with -no-pie'
          : `of type ${type}`;
    throw new ImageError(name, `not a static executable but ${kind}`);
  }
  const word = (offset64: number, offset32: number): bigint =>
    bits === 64 ? view.getBigUint64(offset64, true) : BigInt(view.getUint32(offset32, true));
  const entry = word(0x18, 0x18);
  const headerOffset = Number(word(0x20, 0x1c));
  const headerSize = view.getUint16(bits === 64 ? 0x36 : 0x2a, true);
  const headerCount = view.getUint16(bits === 64 ? 0x38 : 0x2c, true);
  const segments: ElfSegment[] = [];
  for (let i = 0; i < headerCount; i++) {
    const at = headerOffset + i * headerSize;
    if (view.getUint32(at, true) !== PT_LOAD) continue;
    const segment: ElfSegment = {
      fileOffset: Number(word(at + 0x08, at + 0x04)),
      virtualAddress: word(at + 0x10, at + 0x08),
      physicalAddress: Number(word(at + 0x18, at + 0x0c)),
      fileSize: Number(word(at + 0x20, at + 0x10)),
      memorySize: Number(word(at + 0x28, at + 0x14)),
    };
    if (segment.fileOffset + segment.fileSize > fileLength)
      throw new ImageError(name, 'the ELF file is cut short');
    if (segment.memorySize > 0) segments.push(segment);
  }
  if (segments.length === 0)
    throw new ImageError(name, 'the ELF file has nothing to load (no PT_LOAD segment)');
  return { bits, entry, segments };
}

function firstBytes(bytes: Uint8Array): string {
  if (bytes.length === 0) return 'nothing: it is empty';
  return [...bytes.subarray(0, 4)].map((byte) => byte.toString(16).padStart(2, '0')).join(' ');
}
