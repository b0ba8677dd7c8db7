import { littleEndian, toLittleEndian } from '../dwarf/bytes.js';
import { Unavailable } from '../dwarf/stackTypes.js';
import type { Location, Piece } from './location.js';
import type { MachineContext } from './machineContext.js';
import { memoryOf, registerOf } from './unwinder.js';

/** How a debugger changes the stopped machine. Each returns false when it cannot. */
export interface MachineWriter {
  writeMemory(address: bigint, bytes: Uint8Array): boolean;
  writeRegister(dwarfNumber: number, value: bigint): boolean;
}

/**
 * The location of `bitSize` bits that start `bitOffset` bits into the value at a location. `isBitField` keeps the width in
 * it, even when the bits are whole bytes: the type of the value is wider.
 */
export function partOf(
  location: Location,
  bitOffset: number,
  bitSize: number,
  isBitField: boolean,
): Location {
  switch (location.kind) {
    case 'memory': {
      const address = location.address + BigInt(Math.floor(bitOffset / 8));
      const whole: Location = { kind: 'memory', address };
      return isBitField
        ? { kind: 'pieces', pieces: [{ bitSize, bitOffset: bitOffset % 8, location: whole }] }
        : whole;
    }
    case 'optimizedOut':
      return location;
    case 'pieces':
      return { kind: 'pieces', pieces: piecesBetween(location.pieces, bitOffset, bitOffset + bitSize) };
    default:
      return { kind: 'pieces', pieces: [{ bitSize, bitOffset, location }] };
  }
}

function piecesBetween(pieces: readonly Piece[], low: number, high: number): Piece[] {
  const result: Piece[] = [];
  let start = 0;
  for (const piece of pieces) {
    const from = Math.max(start, low);
    const to = Math.min(start + piece.bitSize, high);
    if (from < to) {
      result.push({ ...piece, bitSize: to - from, bitOffset: piece.bitOffset + from - start });
    }
    start += piece.bitSize;
  }
  return result;
}

/** The bytes at a location. Throws Unavailable, with the reason, when they are lost or cannot be read. */
export function readBytes(location: Location, size: number, machine: MachineContext): Uint8Array {
  return location.kind === 'memory'
    ? memoryOf(machine, location.address, size)
    : toLittleEndian(readBits(location, 0, size * 8, machine), size);
}

/** How many bits a location has for a value of `size` bytes: fewer when it is a bit field. */
export function bitsAt(location: Location, size: number): number {
  return location.kind === 'pieces'
    ? location.pieces.reduce((sum, piece) => sum + piece.bitSize, 0)
    : size * 8;
}

function readBits(location: Location, bitOffset: number, bitSize: number, machine: MachineContext): bigint {
  const mask = (1n << BigInt(bitSize)) - 1n;
  const shift = BigInt(bitOffset);
  switch (location.kind) {
    case 'memory': {
      const bytes = memoryOf(machine, location.address, Math.ceil((bitOffset + bitSize) / 8));
      return (littleEndian(bytes) >> shift) & mask;
    }
    case 'register':
      return (registerOf(machine, location.register) >> shift) & mask;
    case 'value':
      return (location.value >> shift) & mask;
    case 'bytes':
      return (littleEndian(location.bytes) >> shift) & mask;
    case 'pieces': {
      let value = 0n;
      let position = 0n;
      for (const piece of location.pieces) {
        value |= readBits(piece.location, piece.bitOffset, piece.bitSize, machine) << position;
        position += BigInt(piece.bitSize);
      }
      return (value >> shift) & mask;
    }
    case 'optimizedOut':
      throw new Unavailable(location.reason);
  }
}

/** Stores bytes at a location. Throws Unavailable when it is not in the machine or the machine refuses. */
export function writeBytes(
  location: Location,
  bytes: Uint8Array,
  machine: MachineContext,
  writer: MachineWriter,
): void {
  if (location.kind === 'memory') {
    if (!writer.writeMemory(location.address, bytes)) {
      throw new Unavailable(`cannot write memory at 0x${location.address.toString(16)}`);
    }
    return;
  }
  writeBits(location, 0, bitsAt(location, bytes.length), littleEndian(bytes), machine, writer);
}

function writeBits(
  location: Location,
  bitOffset: number,
  bitSize: number,
  value: bigint,
  machine: MachineContext,
  writer: MachineWriter,
): void {
  const insert = (old: bigint): bigint => {
    const mask = ((1n << BigInt(bitSize)) - 1n) << BigInt(bitOffset);
    return (old & ~mask) | ((value << BigInt(bitOffset)) & mask);
  };
  switch (location.kind) {
    case 'memory': {
      const size = Math.ceil((bitOffset + bitSize) / 8);
      const changed = insert(littleEndian(memoryOf(machine, location.address, size)));
      writeBytes(location, toLittleEndian(changed, size), machine, writer);
      return;
    }
    case 'register': {
      // The rest of the register is kept, as x86 keeps it for 8- and 16-bit operands; 32-bit ones clear it (SDM 1 3.4.1.1).
      const old = bitOffset === 0 && bitSize === 32 ? 0n : registerOf(machine, location.register);
      if (!writer.writeRegister(location.register, insert(old))) {
        throw new Unavailable('the register of this frame cannot be changed');
      }
      return;
    }
    case 'pieces': {
      let rest = value;
      for (const piece of location.pieces) {
        writeBits(piece.location, piece.bitOffset, piece.bitSize, rest, machine, writer);
        rest >>= BigInt(piece.bitSize);
      }
      return;
    }
    case 'optimizedOut':
      throw new Unavailable(location.reason);
    default:
      throw new Unavailable('the value has no place in the machine, so it cannot be changed');
  }
}
