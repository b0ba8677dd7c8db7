import { ByteReader } from '../elf/byteReader.js';
import type { ElfFile, Section } from '../elf/elfFile.js';
import { DW_EH_PE } from './constants.js';
import { readInitialLength, readOffset } from './sections.js';

/** A Common Information Entry (DWARF 5 6.4.1). */
export interface CommonEntry {
  readonly codeAlignment: bigint;
  readonly dataAlignment: bigint;
  readonly returnAddressRegister: number;
  readonly addressSize: number;
  readonly isSignalFrame: boolean;
  /** How the addresses of its FDEs are encoded, DW_EH_PE_*. */
  readonly pointerEncoding: number;
  readonly hasAugmentationData: boolean;
  readonly instructions: ByteReader;
}

/** A Frame Description Entry: how to unwind from the code between `low` and `high`. */
export interface FrameEntry {
  readonly low: bigint;
  readonly high: bigint;
  readonly common: CommonEntry;
  readonly instructions: ByteReader;
}

type FrameSection = '.eh_frame' | '.debug_frame';

/** All frame description entries of .debug_frame and .eh_frame. */
export function readFrameEntries(elf: ElfFile): FrameEntry[] {
  return [...readSection(elf, '.debug_frame'), ...readSection(elf, '.eh_frame')];
}

function readSection(elf: ElfFile, name: FrameSection): FrameEntry[] {
  const section = elf.section(name);
  if (section === undefined) {
    return [];
  }
  const content = elf.contentOf(section);
  const reader = new ByteReader(content, name);
  const commonEntries = new Map<number, CommonEntry>();
  const entries: FrameEntry[] = [];
  while (!reader.atEnd) {
    const { length, offsetSize } = readInitialLength(reader);
    // A zero length ends .eh_frame (LSB 5, 10.6.1); linkers leave such words inside it, too, so go on.
    if (length === 0) {
      continue;
    }
    const body = reader.slice(length);
    const idOffset = body.offset;
    const id = name === '.eh_frame' ? body.u32() : readOffsetOrMark(body, offsetSize);
    if (isCommonId(name, id)) {
      continue;
    }
    const commonOffset = name === '.eh_frame' ? idOffset - id : id;
    let common = commonEntries.get(commonOffset);
    if (common === undefined) {
      common = readCommonEntry(elf, content, name, commonOffset);
      commonEntries.set(commonOffset, common);
    }
    entries.push(readFrameEntry(body, common, section));
  }
  return entries;
}

/** The id of a CIE in the 64-bit format is all ones, which is no offset: it reads as -1, as the 32-bit one. */
function readOffsetOrMark(reader: ByteReader, offsetSize: 4 | 8): number {
  if (offsetSize === 8) {
    const id = reader.u64();
    return id === 0xffff_ffff_ffff_ffffn ? -1 : Number(id);
  }
  const id = readOffset(reader, offsetSize);
  return id === 0xffff_ffff ? -1 : id;
}

function isCommonId(name: FrameSection, id: number): boolean {
  return name === '.eh_frame' ? id === 0 : id === -1;
}

function readCommonEntry(elf: ElfFile, content: Uint8Array, name: FrameSection, offset: number): CommonEntry {
  const outer = new ByteReader(content, name, offset);
  const { length, offsetSize } = readInitialLength(outer);
  const reader = outer.slice(length);
  if (!isCommonId(name, name === '.eh_frame' ? reader.u32() : readOffsetOrMark(reader, offsetSize))) {
    throw reader.error('an FDE refers to this as its CIE, but it is none', offset);
  }
  const version = reader.u8();
  if (![1, 3, 4].includes(version)) {
    throw reader.error(`CIE version ${version} is not supported`, offset);
  }
  const augmentation = reader.string();
  let addressSize = elf.bits / 8;
  if (version >= 4) {
    addressSize = reader.u8();
    reader.skip(1); // segment_selector_size
  }
  const codeAlignment = reader.ulebBig();
  const dataAlignment = reader.slebBig();
  const returnAddressRegister = version === 1 ? reader.u8() : reader.uleb();
  const data = readAugmentation(reader, augmentation, addressSize);
  return { codeAlignment, dataAlignment, returnAddressRegister, addressSize, ...data, instructions: reader };
}

/** LSB 5, 10.6.1.1.1: letters after `z` say what the augmentation data holds. */
function readAugmentation(
  reader: ByteReader,
  augmentation: string,
  addressSize: number,
): Pick<CommonEntry, 'isSignalFrame' | 'pointerEncoding' | 'hasAugmentationData'> {
  let isSignalFrame = false;
  let pointerEncoding: number = DW_EH_PE.absptr;
  if (augmentation === '') {
    return { isSignalFrame, pointerEncoding, hasAugmentationData: false };
  }
  // GNU as marks a signal frame (`.cfi_signal_frame`) in .debug_frame so: without `z` and without data.
  if (augmentation === 'S') {
    return { isSignalFrame: true, pointerEncoding, hasAugmentationData: false };
  }
  if (!augmentation.startsWith('z')) {
    throw reader.error(`CIE augmentation "${augmentation}" is not supported`);
  }
  const data = reader.slice(reader.uleb());
  for (const letter of augmentation.slice(1)) {
    if (letter === 'R') {
      pointerEncoding = data.u8();
    } else if (letter === 'L') {
      data.skip(1);
    } else if (letter === 'P') {
      readEncoded(data, data.u8(), addressSize, 0n);
    } else if (letter === 'S') {
      isSignalFrame = true;
    } else {
      // The length of the data is known, so what follows an unknown letter is skipped.
      break;
    }
  }
  return { isSignalFrame, pointerEncoding, hasAugmentationData: true };
}

function readFrameEntry(reader: ByteReader, common: CommonEntry, section: Section): FrameEntry {
  const { pointerEncoding, addressSize } = common;
  const low = readEncoded(reader, pointerEncoding, addressSize, section.address);
  // The length has the format of the address, but is relative to nothing.
  const length = readEncoded(reader, pointerEncoding & 0x0f, addressSize, 0n);
  if (common.hasAugmentationData) {
    reader.skip(reader.uleb());
  }
  const mask = (1n << BigInt(addressSize * 8)) - 1n;
  return { low: low & mask, high: (low + length) & mask, common, instructions: reader };
}

/** How the low four bits of an encoding say that a pointer is stored. */
const POINTER_FORMATS: Readonly<Record<number, (reader: ByteReader, addressSize: number) => bigint>> = {
  [DW_EH_PE.absptr]: (reader, addressSize) => reader.unsigned(addressSize),
  [DW_EH_PE.uleb128]: (reader) => reader.ulebBig(),
  [DW_EH_PE.udata2]: (reader) => BigInt(reader.u16()),
  [DW_EH_PE.udata4]: (reader) => BigInt(reader.u32()),
  [DW_EH_PE.udata8]: (reader) => reader.u64(),
  [DW_EH_PE.sleb128]: (reader) => reader.slebBig(),
  [DW_EH_PE.sdata2]: (reader) => BigInt(reader.s16()),
  [DW_EH_PE.sdata4]: (reader) => BigInt(reader.s32()),
  [DW_EH_PE.sdata8]: (reader) => reader.s64(),
};

function readEncoded(
  reader: ByteReader,
  encoding: number,
  addressSize: number,
  sectionAddress: bigint,
): bigint {
  if (encoding === DW_EH_PE.omit) {
    return 0n;
  }
  const place = sectionAddress + BigInt(reader.offset);
  const read = POINTER_FORMATS[encoding & 0x0f];
  const base = encoding & 0x70;
  if (read === undefined || (base !== 0 && base !== DW_EH_PE.pcrel)) {
    throw reader.error(`pointer encoding 0x${encoding.toString(16)} is not supported`);
  }
  const value = read(reader, addressSize);
  return base === DW_EH_PE.pcrel ? value + place : value;
}
