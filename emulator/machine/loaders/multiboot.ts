/** Multiboot 1 (specification 0.6.96): finding the header, loading the image, the boot information. */
import type { LinearMemory } from '../../cpu/state.js';
import { isElf, readElfImage } from './elfImage.js';
import { ImageError } from './imageError.js';
import { Placement } from './placement.js';

const HEADER_MAGIC = 0x1bad_b002;
const HEADER_SEARCH = 8192;
/** The header carries load addresses of its own: "a.out kludge". */
const HEADER_ADDRESSES = 1 << 16;
/** Requirements in bits 15:0 that a loader must understand or refuse: page alignment, memory information. */
const HEADER_UNDERSTOOD = 0x0003;

const INFO_MEMORY = 1 << 0;
const INFO_COMMAND_LINE = 1 << 2;
const INFO_MODULES = 1 << 3;
const INFO_MEMORY_MAP = 1 << 6;
const INFO_LOADER_NAME = 1 << 9;

const LOW_MEMORY_END = 0xa_0000;
const HIGH_MEMORY = 0x10_0000;
const MMAP_AVAILABLE = 1;

interface MultibootHeader {
  readonly offset: number;
  readonly flags: number;
}

export function findMultibootHeader(image: Uint8Array): MultibootHeader | undefined {
  const view = new DataView(image.buffer, image.byteOffset, image.byteLength);
  const last = Math.min(image.length, HEADER_SEARCH) - 12;
  for (let offset = 0; offset <= last; offset += 4) {
    if (view.getUint32(offset, true) !== HEADER_MAGIC) continue;
    const flags = view.getUint32(offset + 4, true);
    const checksum = view.getUint32(offset + 8, true);
    if (((HEADER_MAGIC + flags + checksum) & 0xffff_ffff) === 0) return { offset, flags };
  }
  return undefined;
}

export interface MultibootProgram {
  readonly name: string;
  readonly image: Uint8Array;
  readonly commandLine: string;
  readonly modules: readonly { readonly name: string; readonly bytes: Uint8Array }[];
}

/** Loads the image, its modules and the boot information; answers the entry point and the information's address. */
export function loadMultiboot(
  memory: LinearMemory,
  program: MultibootProgram,
  header: MultibootHeader,
): { entry: bigint; information: number } {
  const unknown = header.flags & 0xffff & ~HEADER_UNDERSTOOD;
  if (unknown !== 0) {
    throw new ImageError(
      program.name,
      `its multiboot header requires features 0x${unknown.toString(16)} that the loader does not have`,
    );
  }
  const placement = new Placement(memory, program.name);
  const entry = placeImage(placement, program, header);
  const modules = program.modules.map((module) => ({
    name: module.name,
    start: placement.append(module.bytes),
    length: module.bytes.length,
  }));
  const information = placement.append(
    bootInformation(placement.top, memory.ramSize, `${program.name} ${program.commandLine}`.trim(), modules),
  );
  return { entry, information };
}

function placeImage(placement: Placement, program: MultibootProgram, header: MultibootHeader): bigint {
  if (header.flags & HEADER_ADDRESSES) return placeByHeader(placement, program, header);
  if (!isElf(program.image)) {
    throw new ImageError(program.name, 'a multiboot image that is no ELF file and gives no load addresses');
  }
  const elf = readElfImage(program.name, program.image);
  placement.putElf(elf, program.image);
  return elf.entry;
}

/** Section 3.1.3: header_addr, load_addr, load_end_addr, bss_end_addr, entry_addr. */
function placeByHeader(placement: Placement, program: MultibootProgram, header: MultibootHeader): bigint {
  const view = new DataView(program.image.buffer, program.image.byteOffset, program.image.byteLength);
  const [headerAddress, loadAddress, loadEnd, bssEnd, entry] = [12, 16, 20, 24, 28].map((at) =>
    view.getUint32(header.offset + at, true),
  );
  const fileStart = header.offset - (headerAddress - loadAddress);
  const fileEnd = loadEnd === 0 ? program.image.length : fileStart + (loadEnd - loadAddress);
  if (fileStart < 0 || fileEnd > program.image.length) {
    throw new ImageError(program.name, 'the load addresses of its multiboot header lie outside the file');
  }
  const bytes = program.image.subarray(fileStart, fileEnd);
  placement.put(loadAddress, bytes, Math.max(bytes.length, bssEnd === 0 ? 0 : bssEnd - loadAddress));
  return BigInt(entry);
}

/** The information structure (section 3.3) with everything it points to behind it, for a page-aligned address. */
function bootInformation(
  top: number,
  ramSize: number,
  commandLine: string,
  modules: readonly { name: string; start: number; length: number }[],
): Uint8Array {
  const base = Math.ceil(top / 4096) * 4096;
  const bytes = new Uint8Array(
    4096 + commandLine.length + modules.reduce((sum, m) => sum + m.name.length + 64, 0),
  );
  const view = new DataView(bytes.buffer);
  let free = 128;
  const reserve = (size: number): number => {
    const at = free;
    free = Math.ceil((free + size) / 8) * 8;
    return at;
  };
  const text = (value: string): number => {
    const encoded = new TextEncoder().encode(value);
    const at = reserve(encoded.length + 1);
    bytes.set(encoded, at);
    return base + at;
  };
  const put = (at: number, value: number): void => view.setUint32(at, value, true);

  put(0, INFO_MEMORY | INFO_COMMAND_LINE | INFO_MODULES | INFO_MEMORY_MAP | INFO_LOADER_NAME);
  put(4, LOW_MEMORY_END / 1024);
  put(8, (ramSize - HIGH_MEMORY) / 1024);
  put(16, text(commandLine));

  const moduleTable = reserve(modules.length * 16);
  modules.forEach((module, i) => {
    put(moduleTable + i * 16, module.start);
    put(moduleTable + i * 16 + 4, module.start + module.length);
    put(moduleTable + i * 16 + 8, text(module.name));
  });
  put(20, modules.length);
  put(24, base + moduleTable);

  const regions = [
    { start: 0, length: LOW_MEMORY_END },
    { start: HIGH_MEMORY, length: ramSize - HIGH_MEMORY },
  ];
  const memoryMap = reserve(regions.length * 24);
  regions.forEach((area, i) => {
    const at = memoryMap + i * 24;
    put(at, 20);
    view.setBigUint64(at + 4, BigInt(area.start), true);
    view.setBigUint64(at + 12, BigInt(area.length), true);
    put(at + 20, MMAP_AVAILABLE);
  });
  put(44, regions.length * 24);
  put(48, base + memoryMap);
  put(64, text('Hyperstep'));
  return bytes;
}
