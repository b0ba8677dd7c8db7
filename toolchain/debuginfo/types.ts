// The C types of a program as its debug information describes them. A type refers to others through getters
// that resolve on first use, so recursive types (a list node) are ordinary objects.

/** How the bits of a base type are read (DWARF 5 7.8, DW_ATE_*). */
export type Encoding =
  'signed' | 'unsigned' | 'signedChar' | 'unsignedChar' | 'boolean' | 'float' | 'complexFloat';

export interface VoidType {
  readonly kind: 'void';
}

export interface BaseType {
  readonly kind: 'base';
  readonly name: string;
  readonly byteSize: number;
  readonly encoding: Encoding;
}

export interface PointerType {
  readonly kind: 'pointer';
  readonly byteSize: number;
  readonly target: Type;
}

export interface Member {
  /** Undefined for an anonymous struct or union, whose members count as members of the containing type. */
  readonly name: string | undefined;
  readonly type: Type;
  /** Bytes from the start of the containing type; for a bit field, of the byte its lowest bit lies in. */
  readonly byteOffset: number;
  /** Set for a bit field only: its lowest bit within the byte at `byteOffset` (0..7) and its width. */
  readonly bitField: { readonly bitOffset: number; readonly bitSize: number } | undefined;
}

export interface StructType {
  readonly kind: 'struct' | 'union' | 'class';
  readonly name: string | undefined;
  /** Undefined when the program declares the type but no compilation unit defines it. */
  readonly byteSize: number | undefined;
  readonly members: readonly Member[];
}

export interface ArrayType {
  readonly kind: 'array';
  /** The element type; of `int a[2][3]` that is `int[3]`. */
  readonly element: Type;
  /** Undefined for `[]`: a flexible array member, or a bound that is not a constant. */
  readonly count: number | undefined;
}

export interface EnumType {
  readonly kind: 'enum';
  readonly name: string | undefined;
  readonly byteSize: number;
  readonly signed: boolean;
  readonly enumerators: readonly { readonly name: string; readonly value: bigint }[];
}

export interface TypedefType {
  readonly kind: 'typedef';
  readonly name: string;
  readonly target: Type;
}

export interface QualifiedType {
  readonly kind: 'qualified';
  readonly qualifier: 'const' | 'volatile' | 'restrict' | '_Atomic';
  readonly target: Type;
}

export interface FunctionType {
  readonly kind: 'function';
  readonly returnType: Type;
  readonly parameters: readonly Type[];
  readonly variadic: boolean;
}

export type Type =
  | VoidType
  | BaseType
  | PointerType
  | StructType
  | ArrayType
  | EnumType
  | TypedefType
  | QualifiedType
  | FunctionType;

/** The type without typedefs and qualifiers around it. */
export function stripped(type: Type): Exclude<Type, TypedefType | QualifiedType> {
  let current = type;
  // A cycle of typedefs is impossible in C; a malformed file can still contain one.
  for (let depth = 0; depth < 100; depth++) {
    if (current.kind !== 'typedef' && current.kind !== 'qualified') {
      return current;
    }
    current = current.target;
  }
  throw new Error(`the type ${type.kind === 'typedef' ? type.name : type.kind} is defined by itself`);
}

/** The size in bytes, as C's sizeof counts it; undefined for void, functions, incomplete types and `[]`. */
export function sizeOf(type: Type): number | undefined {
  const plain = stripped(type);
  switch (plain.kind) {
    case 'void':
    case 'function':
      return undefined;
    case 'array': {
      const elementSize = sizeOf(plain.element);
      return plain.count === undefined || elementSize === undefined ? undefined : plain.count * elementSize;
    }
    default:
      return plain.byteSize;
  }
}

/** The type as C writes it: `const struct list_head *`, `int (*)(int, char *)`, `char[2][3]`. */
export function typeName(type: Type): string {
  return declare(type, '').trimEnd();
}

/** A declaration of `name` with this type, in C's inside-out syntax. */
export function declare(type: Type, name: string): string {
  switch (type.kind) {
    case 'pointer': {
      const inner = stripQualifiers(type.target);
      const wrapped = inner.kind === 'array' || inner.kind === 'function' ? `(*${name})` : `*${name}`;
      return declare(type.target, wrapped);
    }
    case 'array':
      return declare(type.element, `${name}[${type.count ?? ''}]`);
    case 'function': {
      const parameters = type.parameters.map(typeName);
      if (type.variadic) {
        parameters.push('...');
      }
      return declare(type.returnType, `${name}(${parameters.length === 0 ? 'void' : parameters.join(', ')})`);
    }
    case 'qualified':
      if (stripQualifiers(type.target).kind === 'pointer') {
        return declare(type.target, name === '' ? type.qualifier : `${type.qualifier} ${name}`);
      }
      return `${type.qualifier} ${declare(type.target, name)}`;
    default:
      return join(plainName(type), name);
  }
}

function join(left: string, right: string): string {
  return right === '' || right.startsWith('[') ? left + right : `${left} ${right}`;
}

function stripQualifiers(type: Type): Type {
  return type.kind === 'qualified' ? stripQualifiers(type.target) : type;
}

function plainName(type: VoidType | BaseType | StructType | EnumType | TypedefType): string {
  switch (type.kind) {
    case 'void':
      return 'void';
    case 'base':
    case 'typedef':
      return type.name;
    default:
      return `${type.kind} ${type.name ?? '{...}'}`;
  }
}
