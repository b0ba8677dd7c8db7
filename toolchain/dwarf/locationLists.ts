import type { ByteReader } from '../elf/byteReader.js';
import { DW_LLE, dwarfName } from './constants.js';
import type { Die } from './die.js';
import type { AddressRange } from './ranges.js';
import type { Unit } from './unit.js';

/** A location expression with the code for which it holds; without a range it holds everywhere. */
export interface LocationEntry {
  readonly range: AddressRange | undefined;
  readonly expression: Uint8Array;
}

/** Whether a location attribute depends on the address: it is a list, not one expression (DWARF 5 2.6). */
export function hasLocationList(die: Die, attribute: number): boolean {
  const value = die.value(attribute);
  return value !== undefined && value.kind !== 'block';
}

/** The expression of a location attribute that holds at an address; undefined when there is none there. */
export function expressionAt(die: Die, attribute: number, address: bigint): Uint8Array | undefined {
  const entries = locationEntries(die, attribute);
  const entry = entries.find(
    ({ range }) => range !== undefined && address >= range.low && address < range.high,
  );
  return (entry ?? entries.find(({ range }) => range === undefined))?.expression;
}

/** All entries of a location attribute. */
export function locationEntries(die: Die, attribute: number): LocationEntry[] {
  const { unit } = die;
  const value = die.value(attribute);
  if (value?.kind === 'block') {
    return [{ range: undefined, expression: value.bytes }];
  }
  if (unit.header.version < 5) {
    const offset = die.sectionOffset(attribute);
    return offset === undefined ? [] : readLocations(unit, offset);
  }
  switch (value?.kind) {
    case 'listIndex':
      return readLocationList(unit, unit.listOffset('.debug_loclists', value.index));
    case 'sectionOffset':
      return readLocationList(unit, value.offset);
    default:
      return [];
  }
}

/** .debug_loc (DWARF 4 2.6.2). */
function readLocations(unit: Unit, offset: number): LocationEntry[] {
  const { addressSize } = unit.header;
  const reader = unit.file.sections.reader('.debug_loc', offset);
  const baseSelection = (1n << BigInt(addressSize * 8)) - 1n;
  const entries: LocationEntry[] = [];
  let base = unit.baseAddress;
  for (;;) {
    const low = reader.unsigned(addressSize);
    const high = reader.unsigned(addressSize);
    if (low === 0n && high === 0n) {
      return entries;
    }
    if (low === baseSelection) {
      base = high;
      continue;
    }
    const expression = reader.block(reader.u16());
    entries.push({ range: { low: base + low, high: base + high }, expression });
  }
}

/** What the head of an entry says: a range (undefined: everywhere) with an expression to follow, or something else. */
type EntryHead = { readonly range: AddressRange | undefined } | { readonly base: bigint } | 'ignored';

/** How each kind of entry is read (DWARF 5 7.7.3). */
const LOCATION_ENTRIES: Readonly<
  Record<number, (reader: ByteReader, unit: Unit, base: bigint) => EntryHead>
> = {
  [DW_LLE.base_addressx]: (reader, unit) => ({ base: unit.address(reader.uleb()) }),
  [DW_LLE.startx_endx]: (reader, unit) => range(unit.address(reader.uleb()), unit.address(reader.uleb())),
  [DW_LLE.startx_length]: (reader, unit) => startLength(unit.address(reader.uleb()), reader),
  [DW_LLE.offset_pair]: (reader, _unit, base) => range(base + reader.ulebBig(), base + reader.ulebBig()),
  [DW_LLE.default_location]: () => ({ range: undefined }),
  [DW_LLE.base_address]: (reader, unit) => ({ base: reader.unsigned(unit.header.addressSize) }),
  [DW_LLE.start_end]: (reader, unit) =>
    range(reader.unsigned(unit.header.addressSize), reader.unsigned(unit.header.addressSize)),
  [DW_LLE.start_length]: (reader, unit) => startLength(reader.unsigned(unit.header.addressSize), reader),
  [DW_LLE.view_pair]: (reader) => {
    reader.skipLeb();
    reader.skipLeb();
    return 'ignored';
  },
};

function range(low: bigint, high: bigint): EntryHead {
  return { range: { low, high } };
}

function startLength(low: bigint, reader: ByteReader): EntryHead {
  return range(low, low + reader.ulebBig());
}

function readLocationList(unit: Unit, offset: number): LocationEntry[] {
  const reader = unit.file.sections.reader('.debug_loclists', offset);
  const entries: LocationEntry[] = [];
  let base = unit.baseAddress;
  for (;;) {
    const start = reader.offset;
    const kind = reader.u8();
    if (kind === DW_LLE.end_of_list) {
      return entries;
    }
    const read = LOCATION_ENTRIES[kind];
    if (read === undefined) {
      throw reader.error(`${dwarfName('DW_LLE', DW_LLE, kind)} is not supported`, start);
    }
    const head = read(reader, unit, base);
    if (head === 'ignored') {
      continue;
    }
    if ('base' in head) {
      base = head.base;
    } else {
      entries.push({ range: head.range, expression: reader.block(reader.uleb()) });
    }
  }
}
