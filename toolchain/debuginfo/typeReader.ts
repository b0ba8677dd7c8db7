import { ByteReader } from '../elf/byteReader.js';
import { DW_AT, DW_ATE, DW_OP, DW_TAG, dwarfName } from '../dwarf/constants.js';
import type { Die } from '../dwarf/die.js';
import type { ArrayType, Encoding, EnumType, FunctionType, Member, StructType, Type } from './types.js';
import { sizeOf } from './types.js';
import { TYPE_KEYWORDS } from './unitSummary.js';

/** Finds the definition of a type that a unit only declares: by its key, `struct kvm_vcpu`. */
export type DefinitionFinder = (key: string) => Die | undefined;

const VOID: Type = { kind: 'void' };

const ENCODINGS: Readonly<Record<number, Encoding>> = {
  [DW_ATE.address]: 'unsigned',
  [DW_ATE.boolean]: 'boolean',
  [DW_ATE.complex_float]: 'complexFloat',
  [DW_ATE.float]: 'float',
  [DW_ATE.signed]: 'signed',
  [DW_ATE.signed_char]: 'signedChar',
  [DW_ATE.unsigned]: 'unsigned',
  [DW_ATE.unsigned_char]: 'unsignedChar',
  [DW_ATE.UTF]: 'unsigned',
};

const QUALIFIERS: Readonly<Record<number, 'const' | 'volatile' | 'restrict' | '_Atomic'>> = {
  [DW_TAG.const_type]: 'const',
  [DW_TAG.volatile_type]: 'volatile',
  [DW_TAG.restrict_type]: 'restrict',
  [DW_TAG.atomic_type]: '_Atomic',
};

/** Turns type entries into types. An entry always gives the same object. */
export class TypeReader {
  private readonly types = new Map<string, Type>();

  constructor(private readonly findDefinition: DefinitionFinder) {}

  /** The type of an entry that has one (DW_AT_type, here or at its origin); void without it. */
  typeOf(die: Die): Type {
    return this.read(die.withAttribute(DW_AT.type)?.reference(DW_AT.type));
  }

  /** The type that an entry describes. */
  read(die: Die | undefined): Type {
    if (die === undefined) {
      return VOID;
    }
    const key = `${die.unit.header.section}${die.offset}`;
    let type = this.types.get(key);
    if (type === undefined) {
      type = this.convert(die);
      this.types.set(key, type);
    }
    return type;
  }

  private convert(die: Die): Type {
    switch (die.tag) {
      case DW_TAG.base_type:
        return baseType(die);
      case DW_TAG.pointer_type:
      case DW_TAG.reference_type:
      case DW_TAG.rvalue_reference_type:
        return this.lazyTarget({
          kind: 'pointer' as const,
          byteSize: die.number(DW_AT.byte_size) ?? die.unit.header.addressSize,
          die,
        });
      case DW_TAG.typedef:
        return this.lazyTarget({ kind: 'typedef' as const, name: die.name ?? '?', die });
      case DW_TAG.const_type:
      case DW_TAG.volatile_type:
      case DW_TAG.restrict_type:
      case DW_TAG.atomic_type:
        return this.lazyTarget({ kind: 'qualified' as const, qualifier: QUALIFIERS[die.tag], die });
      case DW_TAG.structure_type:
      case DW_TAG.class_type:
      case DW_TAG.union_type:
        return this.structType(die);
      case DW_TAG.enumeration_type:
        return this.enumType(die);
      case DW_TAG.array_type:
        return this.arrayType(die);
      case DW_TAG.subroutine_type:
      case DW_TAG.subprogram:
        return this.functionType(die);
      case DW_TAG.unspecified_type:
        return VOID;
      default:
        throw die.unit
          .reader(die.offset)
          .error(`${dwarfName('DW_TAG', DW_TAG, die.tag)} as a type is not supported`);
    }
  }

  /** The same object with `die` replaced by a `target` that is read on first use: types may contain themselves. */
  private lazyTarget<T extends { readonly die: Die }>(parts: T): Omit<T, 'die'> & { readonly target: Type } {
    const { die, ...rest } = parts;
    const read = (): Type => this.typeOf(die);
    return {
      ...rest,
      get target() {
        return read();
      },
    };
  }

  private structType(declared: Die): StructType {
    const die = this.definitionOf(declared);
    let members: readonly Member[] | undefined;
    const readMembers = (): readonly Member[] =>
      die.childrenTagged(DW_TAG.member).flatMap((child) => this.member(child));
    return {
      kind: die.tag === DW_TAG.union_type ? 'union' : die.tag === DW_TAG.class_type ? 'class' : 'struct',
      name: die.name,
      byteSize: die.number(DW_AT.byte_size),
      get members() {
        members ??= readMembers();
        return members;
      },
    };
  }

  /** The definition of a type that the unit declares: in the type unit it refers to, or by its name in another unit. */
  private definitionOf(die: Die): Die {
    const name = die.flag(DW_AT.declaration) ? die.string(DW_AT.name) : undefined;
    const named = name === undefined ? undefined : this.findDefinition(TYPE_KEYWORDS[die.tag] + name);
    return die.reference(DW_AT.signature) ?? named ?? die;
  }

  /** None for a static member of a C++ class, which is a variable elsewhere. */
  private member(die: Die): Member[] {
    if (die.flag(DW_AT.external) || die.flag(DW_AT.declaration)) {
      return [];
    }
    const name = die.string(DW_AT.name);
    const bitSize = die.number(DW_AT.bit_size);
    const byteOffset = memberOffset(die);
    const typeOf = (): Type => this.typeOf(die);
    const position =
      bitSize === undefined
        ? { byteOffset, bitField: undefined }
        : bitFieldPosition(die, byteOffset, bitSize, sizeOf(typeOf()) ?? 0);
    return [
      {
        name,
        ...position,
        get type() {
          return typeOf();
        },
      },
    ];
  }

  private enumType(declared: Die): EnumType {
    const die = this.definitionOf(declared);
    const enumerators = die.childrenTagged(DW_TAG.enumerator).map((child) => ({
      name: child.name ?? '?',
      value: child.constant(DW_AT.const_value) ?? 0n,
    }));
    const underlying = die.has(DW_AT.type) ? this.typeOf(die) : undefined;
    const signed =
      underlying?.kind === 'base'
        ? underlying.encoding === 'signed' || underlying.encoding === 'signedChar'
        : enumerators.some(({ value }) => value < 0n);
    return { kind: 'enum', name: die.name, byteSize: die.number(DW_AT.byte_size) ?? 4, signed, enumerators };
  }

  /** One subrange for each dimension, the outermost first (DWARF 5 5.5). */
  private arrayType(die: Die): Type {
    const counts = die.childrenTagged(DW_TAG.subrange_type, DW_TAG.enumeration_type).map(elementCount);
    const read = (): Type => this.typeOf(die);
    let type: Type | undefined;
    for (const count of (counts.length === 0 ? [undefined] : counts).reverse()) {
      type = type === undefined ? lazyArray(read, count) : { kind: 'array', element: type, count };
    }
    return type!;
  }

  private functionType(die: Die): FunctionType {
    const returnType = (): Type => this.typeOf(die);
    const parameters = (): Type[] =>
      die.childrenTagged(DW_TAG.formal_parameter).map((child) => this.typeOf(child));
    return {
      kind: 'function',
      get returnType() {
        return returnType();
      },
      get parameters() {
        return parameters();
      },
      variadic: die.childrenTagged(DW_TAG.unspecified_parameters).length > 0,
    };
  }
}

function lazyArray(read: () => Type, count: number | undefined): ArrayType {
  return {
    kind: 'array',
    get element() {
      return read();
    },
    count,
  };
}

function baseType(die: Die): Type {
  const encoding = ENCODINGS[die.number(DW_AT.encoding) ?? DW_ATE.unsigned] ?? 'unsigned';
  return { kind: 'base', name: die.name ?? '?', byteSize: die.number(DW_AT.byte_size) ?? 0, encoding };
}

/** DW_AT_data_member_location: a constant, or in DWARF 2 the expression that adds it to the address of the struct. */
function memberOffset(die: Die): number {
  const block = die.block(DW_AT.data_member_location);
  if (block === undefined) {
    return die.number(DW_AT.data_member_location) ?? 0;
  }
  const reader = new ByteReader(block, 'DW_AT_data_member_location');
  if (reader.u8() !== DW_OP.plus_uconst) {
    throw die.unit.reader(die.offset).error('a member at an offset that is not constant is not supported');
  }
  return reader.uleb();
}

/**
 * DW_AT_data_bit_offset counts from the start of the struct. The older DW_AT_bit_offset counts from the most significant
 * bit of the storage unit down to the field's own (DWARF 3 5.6.6).
 */
function bitFieldPosition(
  die: Die,
  byteOffset: number,
  bitSize: number,
  typeSize: number,
): Pick<Member, 'byteOffset' | 'bitField'> {
  const dataBitOffset = die.number(DW_AT.data_bit_offset);
  const bitOffset = die.constant(DW_AT.bit_offset);
  let bit = byteOffset * 8;
  if (dataBitOffset !== undefined) {
    bit = dataBitOffset;
  } else if (bitOffset !== undefined) {
    const storageBits = (die.number(DW_AT.byte_size) ?? typeSize) * 8;
    // gcc writes negative offsets of fields that cross their storage unit in an unsigned form.
    bit += storageBits - Number(BigInt.asIntN(32, bitOffset)) - bitSize;
  }
  return { byteOffset: Math.floor(bit / 8), bitField: { bitOffset: bit % 8, bitSize } };
}

function elementCount(die: Die): number | undefined {
  const count = die.constant(DW_AT.count);
  if (count !== undefined) {
    return Number(BigInt.asIntN(64, count));
  }
  const upper = die.constant(DW_AT.upper_bound);
  if (upper === undefined) {
    return undefined;
  }
  // The bound of `int a[0]` is -1, in whatever width the compiler chose.
  const bound = upper === 0xffff_ffffn ? -1n : BigInt.asIntN(64, upper);
  return Number(bound - (die.constant(DW_AT.lower_bound) ?? 0n) + 1n);
}
