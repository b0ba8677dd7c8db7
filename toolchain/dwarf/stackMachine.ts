import { ByteReader } from '../elf/byteReader.js';
import { DW_OP, dwarfName } from './constants.js';
import { OPERATIONS } from './stackOperations.js';
import { INTEGER_TYPES, Unavailable } from './stackTypes.js';
import type { StackType, StackValue } from './stackTypes.js';

/** What an expression may ask of its surroundings. Each throws Unavailable when it cannot answer. */
export interface ExpressionEnvironment {
  readonly addressSize: number;
  register(dwarfNumber: number): bigint;
  readMemory(address: bigint, size: number): Uint8Array;
  /** DW_OP_call_frame_cfa */
  cfa(): bigint;
  /** DW_OP_fbreg */
  frameBase(): bigint;
  /** DW_OP_entry_value: the value of an expression as it was when the function was entered. */
  entryValue(expression: Uint8Array): bigint;
  /** DW_OP_addrx, DW_OP_constx */
  indexedAddress(index: number): bigint;
  /** The base type at an offset of the unit, for typed operations (DWARF 5 2.5.1). */
  baseType(unitOffset: number): StackType;
}

/** Where an expression says that a value is. Sizes are in bits. */
export type Place =
  | { readonly kind: 'memory'; readonly address: bigint }
  | { readonly kind: 'register'; readonly register: number }
  | { readonly kind: 'value'; readonly value: bigint }
  | { readonly kind: 'bytes'; readonly bytes: Uint8Array }
  | { readonly kind: 'pieces'; readonly pieces: readonly PlacePiece[] }
  | { readonly kind: 'optimizedOut'; readonly reason: string };

export interface PlacePiece {
  readonly bitSize: number;
  /** The piece's first bit within `location`. */
  readonly bitOffset: number;
  readonly location: Place;
}

/** A branch backwards makes a loop; no compiler writes one this long. */
const MAX_OPERATIONS = 10_000;

/** The state of an evaluation (DWARF 5 2.5). */
export class StackMachine {
  readonly stack: StackValue[] = [];
  /** Set by an operation that ends a location description without using the stack. */
  place: Place | undefined;
  private readonly pieces: PlacePiece[] = [];

  constructor(
    readonly reader: ByteReader,
    readonly environment: ExpressionEnvironment,
  ) {}

  /** An untyped value, or one of a base type, wrapped to its size. */
  push(value: bigint, type: StackType = this.genericType): void {
    const wrapped = type.signed ? BigInt.asIntN(type.size * 8, value) : BigInt.asUintN(type.size * 8, value);
    this.stack.push({ value: wrapped, type });
  }

  pop(): StackValue {
    const value = this.stack.pop();
    if (value === undefined) {
      throw this.reader.error('the expression takes a value from an empty stack');
    }
    return value;
  }

  /** The entry `depth` below the top. */
  peek(depth: number): StackValue {
    const value = this.stack.at(-1 - depth);
    if (value === undefined) {
      throw this.reader.error(`the expression's stack has no entry ${depth}`);
    }
    return value;
  }

  /** The value as an address. */
  popAddress(): bigint {
    return BigInt.asUintN(this.environment.addressSize * 8, this.pop().value);
  }

  get genericType(): StackType {
    return INTEGER_TYPES[this.environment.addressSize];
  }

  jump(distance: number): void {
    const target = this.reader.offset + distance;
    if (target < 0 || target > this.reader.end) {
      throw this.reader.error('a branch out of the expression');
    }
    this.reader.offset = target;
  }

  /** DW_OP_piece, DW_OP_bit_piece: what was described since the last piece (DWARF 5 2.6.1.2). */
  endPiece(bitSize: number, bitOffset: number): void {
    this.pieces.push({ bitSize, bitOffset, location: this.currentPlace() });
    this.place = undefined;
    this.stack.length = 0;
  }

  run(): Place {
    for (let count = 0; !this.reader.atEnd; count++) {
      if (count === MAX_OPERATIONS) {
        throw this.reader.error(`the expression does not end within ${MAX_OPERATIONS} operations`);
      }
      const start = this.reader.offset;
      const opcode = this.reader.u8();
      const operation = OPERATIONS[opcode];
      if (operation === undefined) {
        throw new Unavailable(`${dwarfName('DW_OP', DW_OP, opcode)} at byte ${start} is not supported`);
      }
      operation(this, opcode);
    }
    return this.pieces.length > 0 ? { kind: 'pieces', pieces: this.pieces } : this.currentPlace();
  }

  private currentPlace(): Place {
    if (this.place !== undefined) {
      return this.place;
    }
    return this.stack.length === 0
      ? { kind: 'optimizedOut', reason: 'optimized out' }
      : { kind: 'memory', address: this.popAddress() };
  }
}

/** Evaluates a location description; what the frame cannot give makes it optimized out, with the reason. */
export function evaluateLocation(expression: Uint8Array, environment: ExpressionEnvironment): Place {
  try {
    return new StackMachine(new ByteReader(expression, 'DWARF expression'), environment).run();
  } catch (error) {
    if (error instanceof Unavailable) {
      return { kind: 'optimizedOut', reason: error.message };
    }
    throw error;
  }
}

/** Evaluates an expression for the value it leaves on the stack. Throws Unavailable when the frame cannot give it. */
export function evaluateValue(
  expression: Uint8Array,
  environment: ExpressionEnvironment,
  initial?: bigint,
): bigint {
  const machine = new StackMachine(new ByteReader(expression, 'DWARF expression'), environment);
  if (initial !== undefined) {
    machine.push(initial);
  }
  const place = machine.run();
  switch (place.kind) {
    case 'memory':
      return place.address;
    case 'value':
      return place.value;
    case 'register':
      return environment.register(place.register);
    default:
      throw new Unavailable(
        place.kind === 'optimizedOut' ? place.reason : 'the expression has no single value',
      );
  }
}
