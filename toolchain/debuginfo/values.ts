import { littleEndian, toLittleEndian } from '../dwarf/bytes.js';
import { Unavailable } from '../dwarf/stackTypes.js';
import { decodeFloat, encodeFloat } from './floats.js';
import type { Location } from './location.js';
import type { MachineContext } from './machineContext.js';
import { bitsAt, partOf, readBytes } from './storage.js';
import type { Member, StructType, Type } from './types.js';
import { sizeOf, stripped } from './types.js';

/** A value of a type at a location. Scalars are read at once; structs and arrays are read by their children. */
export interface Value {
  readonly type: Type;
  readonly location: Location;
  /** The value of a scalar in the layout of its type; undefined for structs, arrays, functions, or when it is lost. */
  readonly bytes: Uint8Array | undefined;
  /** Why there is no value: `optimized out`, `cannot read memory at 0x10`. */
  readonly problem: string | undefined;
}

/** Reads the value of a type at a location. Never throws for what the machine cannot give: that is its `problem`. */
export function readValue(type: Type, location: Location, machine: MachineContext): Value {
  const plain = stripped(type);
  if (location.kind === 'optimizedOut') {
    return { type, location, bytes: undefined, problem: location.reason };
  }
  if (!isScalar(plain)) {
    return { type, location, bytes: undefined, problem: undefined };
  }
  const size = sizeOf(plain)!;
  try {
    return {
      type,
      location,
      bytes: extend(readBytes(location, size, machine), plain, location),
      problem: undefined,
    };
  } catch (error) {
    if (error instanceof Unavailable) {
      return { type, location, bytes: undefined, problem: error.message };
    }
    throw error;
  }
}

/** All bytes of a value, of a struct or array too. Throws Unavailable when they are lost. */
export function bytesOf(value: Value, size: number, machine: MachineContext): Uint8Array {
  return value.bytes ?? readBytes(value.location, size, machine);
}

/** A computed value, without a place. */
export function rvalue(type: Type, bytes: Uint8Array): Value {
  return { type, location: { kind: 'bytes', bytes }, bytes, problem: undefined };
}

/** Integers, pointers, enumerations and floating point: what is read as one number. */
export function isScalar(type: Type): boolean {
  return ['base', 'pointer', 'enum'].includes(stripped(type).kind);
}

export function isFloat(type: Type): boolean {
  const plain = stripped(type);
  return plain.kind === 'base' && plain.encoding === 'float';
}

export function isSigned(type: Type): boolean {
  const plain = stripped(type);
  return plain.kind === 'base'
    ? plain.encoding === 'signed' || plain.encoding === 'signedChar'
    : plain.kind === 'enum' && plain.signed;
}

/** The number of an integer, pointer or enumeration, signed as its type. Throws Unavailable when there is none. */
export function integerOf(value: Value): bigint {
  if (value.bytes === undefined) {
    throw new Unavailable(value.problem ?? 'not a number');
  }
  if (isFloat(value.type)) {
    return BigInt(Math.trunc(finite(decodeFloat(value.bytes))));
  }
  const unsigned = littleEndian(value.bytes);
  return isSigned(value.type) ? BigInt.asIntN(value.bytes.length * 8, unsigned) : unsigned;
}

/** The number of any scalar, in double precision. */
export function numberOf(value: Value): number {
  return isFloat(value.type) && value.bytes !== undefined
    ? decodeFloat(value.bytes)
    : Number(integerOf(value));
}

/** The bytes of a number as a value of a scalar type, converted as C's assignment does (C17 6.3.1). */
export function encodeScalar(type: Type, value: bigint | number): Uint8Array {
  const plain = stripped(type);
  const size = sizeOf(plain);
  if (!isScalar(plain) || size === undefined) {
    throw new Unavailable('not a scalar type');
  }
  if (isFloat(plain)) {
    return encodeFloat(Number(value), size);
  }
  const integer = typeof value === 'bigint' ? value : BigInt(Math.trunc(finite(value)));
  if (plain.kind === 'base' && plain.encoding === 'boolean') {
    return toLittleEndian(value ? 1n : 0n, size);
  }
  return toLittleEndian(integer, size);
}

/** The value of a member of a struct or union. */
export function memberValue(value: Value, member: Member, machine: MachineContext): Value {
  const bit = member.byteOffset * 8 + (member.bitField?.bitOffset ?? 0);
  const bitSize = member.bitField?.bitSize ?? (sizeOf(member.type) ?? 0) * 8;
  return readValue(member.type, partOf(value.location, bit, bitSize, member.bitField !== undefined), machine);
}

/** The member of that name, also of an anonymous struct or union inside. */
export function findMember(type: StructType, name: string): Member | undefined {
  for (const member of type.members) {
    if (member.name === name) {
      return member;
    }
    const inner = member.name === undefined ? stripped(member.type) : undefined;
    const found = inner !== undefined && isStruct(inner) ? findMember(inner, name) : undefined;
    if (found !== undefined) {
      return shifted(found, member.byteOffset);
    }
  }
  return undefined;
}

/** The members that an expression can name: those of anonymous structs and unions stand in their place. */
export function namedMembers(type: StructType): Member[] {
  return type.members.flatMap((member) => {
    const inner = stripped(member.type);
    if (member.name !== undefined || !isStruct(inner)) {
      return member.name === undefined ? [] : [member];
    }
    return namedMembers(inner).map((found) => shifted(found, member.byteOffset));
  });
}

export function isStruct(type: Type): type is StructType {
  return type.kind === 'struct' || type.kind === 'union' || type.kind === 'class';
}

/** Element `index` of an array. */
export function elementValue(value: Value, element: Type, index: number, machine: MachineContext): Value {
  const bitSize = (sizeOf(element) ?? 0) * 8;
  return readValue(element, partOf(value.location, index * bitSize, bitSize, false), machine);
}

/** What a pointer points to. */
export function dereference(pointer: Value, machine: MachineContext): Value {
  const plain = stripped(pointer.type);
  if (plain.kind !== 'pointer') {
    throw new Unavailable('not a pointer');
  }
  return readValue(plain.target, { kind: 'memory', address: integerOf(pointer) }, machine);
}

/** A bit field is narrower than its type: its sign is extended. */
function extend(bytes: Uint8Array, type: Type, location: Location): Uint8Array {
  const bits = bitsAt(location, bytes.length);
  return bits >= bytes.length * 8 || !isSigned(type)
    ? bytes
    : toLittleEndian(BigInt.asIntN(bits, littleEndian(bytes)), bytes.length);
}

/** A member as seen from the struct around its own; getters of the type stay lazy. */
function shifted(member: Member, byteOffset: number): Member {
  return {
    name: member.name,
    byteOffset: member.byteOffset + byteOffset,
    bitField: member.bitField,
    get type() {
      return member.type;
    },
  };
}

function finite(value: number): number {
  if (!Number.isFinite(value)) {
    throw new Unavailable(`${value} is not an integer`);
  }
  return value;
}
