import { decodeFloat } from './floats.js';
import type { MachineContext } from './machineContext.js';
import type { ArrayType, EnumType, StructType, Type } from './types.js';
import { stripped, typeName } from './types.js';
import { elementValue, integerOf, isFloat, memberValue, namedMembers } from './values.js';
import type { Value } from './values.js';

export interface FormatOptions {
  /** Integers in hexadecimal; pointers always are. */
  readonly hex?: boolean;
  /** The name of the code or data at an address, for pointers: `kvm_emulate_hypercall`, `table+16`. */
  readonly symbolName?: (address: bigint) => string | undefined;
}

/** How much of a string, struct or array is shown in one line. */
const MAX_STRING = 200;
const MAX_ELEMENTS = 16;
const MAX_MEMBERS = 8;
const MAX_DEPTH = 2;

/** A value in one line, as gdb prints it: `42`, `104 'h'`, `GREEN`, `0x4010 "hello"`, `{next = 0x0, v = 1}`. */
export function formatValue(value: Value, machine: MachineContext, options: FormatOptions = {}): string {
  return formatAt(value, machine, options, 0);
}

function formatAt(value: Value, machine: MachineContext, options: FormatOptions, depth: number): string {
  if (value.problem !== undefined) {
    return `<${value.problem}>`;
  }
  const type = stripped(value.type);
  switch (type.kind) {
    case 'base':
      return formatBase(value, type.encoding, type.byteSize, options);
    case 'enum':
      return formatEnum(type, integerOf(value));
    case 'pointer':
      return formatPointer(value, type.target, machine, options);
    case 'array':
      return formatArray(value, type, machine, options, depth);
    case 'void':
      return 'void';
    case 'function':
      return `{${typeName(type)}} ${value.location.kind === 'memory' ? formatAddress(value.location.address, options) : ''}`.trimEnd();
    default:
      return formatStruct(value, type, machine, options, depth);
  }
}

function formatBase(value: Value, encoding: string, byteSize: number, options: FormatOptions): string {
  if (isFloat(value.type)) {
    return String(decodeFloat(value.bytes!));
  }
  if (encoding === 'complexFloat') {
    const half = byteSize / 2;
    const [real, imaginary] = [value.bytes!.subarray(0, half), value.bytes!.subarray(half)].map(decodeFloat);
    return `${real} + ${imaginary}i`;
  }
  const integer = integerOf(value);
  if (encoding === 'boolean' && integer <= 1n) {
    return integer === 0n ? 'false' : 'true';
  }
  const digits = options.hex === true ? hex(integer, byteSize) : integer.toString();
  const isChar = byteSize === 1 && (encoding === 'signedChar' || encoding === 'unsignedChar');
  return isChar ? `${digits} '${escape(Number(integer & 0xffn), "'")}'` : digits;
}

function hex(integer: bigint, byteSize: number): string {
  return `0x${BigInt.asUintN(byteSize * 8, integer).toString(16)}`;
}

/** The enumerator, or a combination of flags, or the bare number. */
function formatEnum(type: EnumType, value: bigint): string {
  const exact = type.enumerators.find((enumerator) => enumerator.value === value);
  if (exact !== undefined) {
    return exact.name;
  }
  const names: string[] = [];
  let rest = value;
  for (const { name, value: flag } of type.enumerators) {
    if (flag > 0n && (flag & (flag - 1n)) === 0n && (rest & flag) !== 0n) {
      names.push(name);
      rest &= ~flag;
    }
  }
  return names.length > 0 && rest === 0n ? names.join(' | ') : value.toString();
}

function formatPointer(value: Value, target: Type, machine: MachineContext, options: FormatOptions): string {
  const address = integerOf(value);
  const text = formatAddress(address, options);
  if (!isCharacter(target) || address === 0n) {
    return text;
  }
  const string = readString(address, machine);
  return string === undefined ? text : `0x${address.toString(16)} ${string}`;
}

function formatAddress(address: bigint, options: FormatOptions): string {
  const name = address === 0n ? undefined : options.symbolName?.(address);
  return `0x${address.toString(16)}${name === undefined ? '' : ` <${name}>`}`;
}

function formatArray(
  value: Value,
  type: ArrayType,
  machine: MachineContext,
  options: FormatOptions,
  depth: number,
): string {
  const count = type.count ?? 0;
  if (isCharacter(type.element) && value.location.kind === 'memory') {
    return readString(value.location.address, machine, type.count ?? MAX_STRING) ?? '<cannot read memory>';
  }
  if (depth >= MAX_DEPTH) {
    return '{...}';
  }
  const shown = Math.min(count, MAX_ELEMENTS);
  const elements: string[] = [];
  for (let index = 0; index < shown; index++) {
    elements.push(formatAt(elementValue(value, type.element, index, machine), machine, options, depth + 1));
  }
  return `{${elements.join(', ')}${shown < count ? ', ...' : ''}}`;
}

function formatStruct(
  value: Value,
  type: StructType,
  machine: MachineContext,
  options: FormatOptions,
  depth: number,
): string {
  if (type.byteSize === undefined) {
    return '<incomplete type>';
  }
  if (depth >= MAX_DEPTH) {
    return '{...}';
  }
  const members = namedMembers(type);
  const shown = members.slice(0, MAX_MEMBERS).map((member) => {
    return `${member.name} = ${formatAt(memberValue(value, member, machine), machine, options, depth + 1)}`;
  });
  return `{${shown.join(', ')}${shown.length < members.length ? ', ...' : ''}}`;
}

function isCharacter(type: Type): boolean {
  const plain = stripped(type);
  return plain.kind === 'base' && (plain.encoding === 'signedChar' || plain.encoding === 'unsignedChar');
}

/** The string at an address up to its NUL, quoted; undefined when its first byte cannot be read. */
export function readString(address: bigint, machine: MachineContext, limit = MAX_STRING): string | undefined {
  let text = '';
  for (let length = 0; length < Math.min(limit, MAX_STRING); length++) {
    const byte = machine.readMemory(address + BigInt(length), 1)?.[0];
    if (byte === undefined) {
      return length === 0 ? undefined : `"${text}"...`;
    }
    if (byte === 0) {
      return `"${text}"`;
    }
    text += escape(byte, '"');
  }
  return limit > MAX_STRING ? `"${text}"...` : `"${text}"`;
}

const ESCAPES: Readonly<Record<number, string>> = {
  0: '\\0',
  7: '\\a',
  8: '\\b',
  9: '\\t',
  10: '\\n',
  11: '\\v',
  12: '\\f',
  13: '\\r',
  92: '\\\\',
};

/** A byte as it stands in a C literal; what is not ASCII as three octal digits, as gdb shows it. */
function escape(byte: number, quote: string): string {
  const special = ESCAPES[byte];
  if (special !== undefined) {
    return special;
  }
  if (byte < 0x20 || byte > 0x7e) {
    return `\\${byte.toString(8).padStart(3, '0')}`;
  }
  const character = String.fromCharCode(byte);
  return character === quote ? `\\${character}` : character;
}
