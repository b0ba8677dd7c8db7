import type { ByteReader } from '../elf/byteReader.js';
import { DW_AT, DW_RLE, dwarfName } from './constants.js';
import type { Die } from './die.js';
import type { Unit } from './unit.js';

/** Addresses from `low` up to, not including, `high`. */
export interface AddressRange {
  readonly low: bigint;
  readonly high: bigint;
}

/**
 * The code of an entry: DW_AT_low_pc with DW_AT_high_pc, or DW_AT_ranges (DWARF 5 2.17), without empty ranges. The first
 * range is the one that the entry lists first, which for a function is its main part.
 */
export function rangesOf(die: Die): AddressRange[] {
  const ranges = die.has(DW_AT.ranges) ? listedRanges(die) : contiguousRange(die);
  return ranges.filter(({ low, high }) => low < high);
}

function contiguousRange(die: Die): AddressRange[] {
  const low = die.address(DW_AT.low_pc);
  const high = die.address(DW_AT.high_pc);
  const length = die.constant(DW_AT.high_pc);
  if (low === undefined || (high === undefined && length === undefined)) {
    return [];
  }
  return [{ low, high: high ?? low + length! }];
}

function listedRanges(die: Die): AddressRange[] {
  const { unit } = die;
  const value = die.value(DW_AT.ranges);
  if (unit.header.version < 5) {
    const offset = die.sectionOffset(DW_AT.ranges);
    return offset === undefined ? [] : readRanges(unit, offset);
  }
  switch (value?.kind) {
    case 'listIndex':
      return readRangeList(unit, unit.listOffset('.debug_rnglists', value.index));
    case 'sectionOffset':
      return readRangeList(unit, value.offset);
    default:
      return [];
  }
}

/** .debug_ranges (DWARF 4 2.17.3): pairs of addresses; the largest address as the first one sets the base. */
function readRanges(unit: Unit, offset: number): AddressRange[] {
  const { addressSize } = unit.header;
  const reader = unit.file.sections.reader('.debug_ranges', offset);
  const baseSelection = (1n << BigInt(addressSize * 8)) - 1n;
  const ranges: AddressRange[] = [];
  let base = unit.baseAddress;
  for (;;) {
    const low = reader.unsigned(addressSize);
    const high = reader.unsigned(addressSize);
    if (low === 0n && high === 0n) {
      return ranges;
    }
    if (low === baseSelection) {
      base = high;
    } else {
      ranges.push({ low: base + low, high: base + high });
    }
  }
}

type ListEntry = AddressRange | { readonly base: bigint };

/** How each kind of entry is read (DWARF 5 7.25). */
const RANGE_ENTRIES: Readonly<Record<number, (reader: ByteReader, unit: Unit, base: bigint) => ListEntry>> = {
  [DW_RLE.base_addressx]: (reader, unit) => ({ base: unit.address(reader.uleb()) }),
  [DW_RLE.startx_endx]: (reader, unit) => ({
    low: unit.address(reader.uleb()),
    high: unit.address(reader.uleb()),
  }),
  [DW_RLE.startx_length]: (reader, unit) => startLength(unit.address(reader.uleb()), reader),
  [DW_RLE.offset_pair]: (reader, _unit, base) => ({
    low: base + reader.ulebBig(),
    high: base + reader.ulebBig(),
  }),
  [DW_RLE.base_address]: (reader, unit) => ({ base: reader.unsigned(unit.header.addressSize) }),
  [DW_RLE.start_end]: (reader, unit) => ({
    low: reader.unsigned(unit.header.addressSize),
    high: reader.unsigned(unit.header.addressSize),
  }),
  [DW_RLE.start_length]: (reader, unit) => startLength(reader.unsigned(unit.header.addressSize), reader),
};

function startLength(low: bigint, reader: ByteReader): AddressRange {
  return { low, high: low + reader.ulebBig() };
}

function readRangeList(unit: Unit, offset: number): AddressRange[] {
  const reader = unit.file.sections.reader('.debug_rnglists', offset);
  const ranges: AddressRange[] = [];
  let base = unit.baseAddress;
  for (;;) {
    const start = reader.offset;
    const kind = reader.u8();
    if (kind === DW_RLE.end_of_list) {
      return ranges;
    }
    const read = RANGE_ENTRIES[kind];
    if (read === undefined) {
      throw reader.error(`${dwarfName('DW_RLE', DW_RLE, kind)} is not supported`, start);
    }
    const entry = read(reader, unit, base);
    if ('base' in entry) {
      base = entry.base;
    } else {
      ranges.push(entry);
    }
  }
}
