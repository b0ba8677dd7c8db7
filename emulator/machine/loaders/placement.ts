/** Puts bytes into RAM and remembers what is taken. */
import { region } from '../../cpu/layout.js';
import type { LinearMemory } from '../../cpu/state.js';
import type { ElfImage } from './elfImage.js';
import { ImageError } from './imageError.js';

const PAGE = 4096;
export const pageAlign = (address: number): number => Math.ceil(address / PAGE) * PAGE;
const hex = (value: number): string => `0x${value.toString(16)}`;

export class Placement {
  /** First free physical address above everything placed so far. */
  top = 0;

  constructor(
    readonly memory: LinearMemory,
    private readonly imageName: string,
  ) {}

  /** Copies `bytes` to a physical address and zeroes up to `size`; throws ImageError when RAM ends before. */
  put(physicalAddress: number, bytes: Uint8Array, size = bytes.length): void {
    const end = physicalAddress + size;
    if (end > this.memory.ramSize) {
      throw new ImageError(
        this.imageName,
        `needs memory at ${hex(physicalAddress)}-${hex(end - 1)}, but there are only ${hex(this.memory.ramSize)} bytes: give the machine more ("memory")`,
      );
    }
    const at = region.ram + physicalAddress;
    this.memory.u8.set(bytes, at);
    this.memory.u8.fill(0, at + bytes.length, at + size);
    this.top = Math.max(this.top, end);
  }

  /** Places the PT_LOAD segments at their physical addresses. */
  putElf(elf: ElfImage, file: Uint8Array): void {
    for (const segment of elf.segments) {
      const bytes = file.subarray(segment.fileOffset, segment.fileOffset + segment.fileSize);
      this.put(segment.physicalAddress, bytes, segment.memorySize);
    }
  }

  /** Places bytes page-aligned above everything else; answers the physical address. */
  append(bytes: Uint8Array): number {
    const address = pageAlign(this.top);
    this.put(address, bytes);
    return address;
  }
}

/** Physical address of a virtual one by the program headers, before any paging is on; undefined outside the image. */
export function physicalByHeaders(elf: ElfImage, virtualAddress: bigint): number | undefined {
  for (const segment of elf.segments) {
    const offset = virtualAddress - segment.virtualAddress;
    if (offset >= 0n && offset < BigInt(segment.memorySize)) return segment.physicalAddress + Number(offset);
  }
  return undefined;
}
