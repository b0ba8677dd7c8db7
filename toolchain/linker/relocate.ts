import type { Diagnostic } from '../diagnostic.js';
import { R_386, R_X86_64, SHF, STB } from '../elf/constants.js';
import type { ObjectFile, Relocation } from '../elf/objectFile.js';
import { relocationType } from '../elf/relocationTypes.js';
import type { RelocationType } from '../elf/relocationTypes.js';
import { describeOffset, errorIn, placeAt } from './messages.js';
import type { InputSection, OutputSection, Program } from './resolve.js';

/** Where a symbol of an object ends up. */
export interface ResolvedSymbol {
  readonly name: string;
  readonly address: bigint;
  readonly size: bigint;
}

/** The global offset table of a static program: addresses that code loads instead of computing them. */
export class GlobalOffsetTable {
  readonly slots = new Map<string, number>();
  /** Its section, once the program has one. */
  section: InputSection | undefined;

  constructor(private readonly entryBytes: 4 | 8) {}

  get size(): number {
    return this.slots.size * this.entryBytes;
  }

  add(key: string): void {
    if (!this.slots.has(key)) this.slots.set(key, this.slots.size * this.entryBytes);
  }

  get address(): bigint {
    return this.section?.output ? this.section.output.address + BigInt(this.section.offset) : 0n;
  }

  entryAddress(key: string): bigint {
    return this.address + BigInt(this.slots.get(key)!);
  }
}

const GOT_VALUES: ReadonlySet<RelocationType['value']> = new Set([
  'gotEntryRelative',
  'gotEntry',
  'threadOffsetEntry',
]);
const GOT_BASE_VALUES: ReadonlySet<RelocationType['value']> = new Set(['gotOffset', 'gotRelative']);

/** One entry for each symbol: an address and an offset from the thread pointer are different entries. */
export function gotKey(object: ObjectFile, relocation: Relocation, value: RelocationType['value']): string {
  const symbol = object.symbols[relocation.symbol];
  const scope = symbol.binding === STB.LOCAL ? `${object.name}#${relocation.symbol}` : symbol.name;
  return `${value === 'threadOffsetEntry' ? 'tp' : 'address'} ${scope}`;
}

/** Does the program need a GOT? Fills it with the entries that its relocations want. */
export function collectGot(program: Program, got: GlobalOffsetTable): boolean {
  let isNeeded = false;
  for (const object of program.objects) {
    const kept = program.sections.get(object)!;
    object.sections.forEach(({ relocations, flags, bytes }, index) => {
      if (!kept[index] || !(flags & SHF.ALLOC)) return;
      for (const relocation of relocations) {
        const value = relocationType(object.bits, relocation.type)?.value;
        if (!value || relocation.symbol < 0) continue;
        if (GOT_BASE_VALUES.has(value)) isNeeded = true;
        if (!GOT_VALUES.has(value)) continue;
        isNeeded = true;
        if (!canRelax(program, object, relocation, bytes)) got.add(gotKey(object, relocation, value));
      }
    });
  }
  return isNeeded;
}

/** x86-64 psABI B.2: `mov foo@GOTPCREL(%rip), %reg` becomes `lea`, indirect calls and jumps become direct. */
function canRelax(program: Program, object: ObjectFile, relocation: Relocation, bytes: Uint8Array): boolean {
  const { type, offset, symbol } = relocation;
  if (object.bits !== 64 || (type !== R_X86_64.GOTPCRELX && type !== R_X86_64.REX_GOTPCRELX)) return false;
  const { name, binding } = object.symbols[symbol];
  if (binding !== STB.LOCAL && !program.definitions.has(name)) return false;
  const [opcode, modrm] = [bytes[offset - 2], bytes[offset - 1]];
  return opcode === 0x8b || (opcode === 0xff && (modrm === 0x15 || modrm === 0x25));
}

/** Writes the relaxed instruction; returns what the relocation is then. */
function relax(bytes: Uint8Array, { offset }: Relocation): 'relative' | 'jump' {
  const opcode = bytes[offset - 2];
  if (opcode === 0x8b) {
    bytes[offset - 2] = 0x8d;
    return 'relative';
  }
  if (bytes[offset - 1] === 0x15) {
    // call *foo@GOTPCREL(%rip) is one byte longer than call foo: a prefix fills it.
    bytes.set([0x67, 0xe8], offset - 2);
    return 'relative';
  }
  bytes[offset - 2] = 0xe9;
  bytes[offset + 3] = 0x90;
  return 'jump';
}

export interface RelocationContext {
  readonly program: Program;
  readonly got: GlobalOffsetTable;
  /** The end of the thread's initialised data, from which thread offsets count back; undefined without one. */
  readonly threadEnd: bigint | undefined;
  readonly threadStart: bigint | undefined;
  readonly diagnostics: Diagnostic[];
  /** Undefined, with a diagnostic, when the symbol is not there. */
  resolve(
    object: ObjectFile,
    symbol: number,
    relocation: Relocation,
    section: number,
  ): ResolvedSymbol | undefined;
}

/** Copies an input section to the output's bytes and applies its relocations. */
export function relocateInput(input: InputSection, output: Uint8Array, context: RelocationContext): void {
  const { object, index } = input;
  const part = output.subarray(input.offset, input.offset + input.size);
  part.set(input.bytes);
  const base = (input.output as OutputSection).address + BigInt(input.offset);
  for (const relocation of object.sections[index].relocations) {
    applyRelocation(input, part, base, relocation, context);
  }
}

function applyRelocation(
  input: InputSection,
  bytes: Uint8Array,
  base: bigint,
  relocation: Relocation,
  context: RelocationContext,
): void {
  const { object, index } = input;
  const { program, got, diagnostics } = context;
  const fail = (message: string): void => {
    const place = placeAt(object, index, relocation.offset);
    const where = place.line > 0 ? '' : `${describeOffset(object, index, relocation.offset)}: `;
    diagnostics.push(errorIn(place, where + message));
  };
  const type = relocationType(object.bits, relocation.type);
  if (!type) {
    fail(`relocation type ${relocation.type} is not supported in a static link`);
    return;
  }
  if (type.value === 'none') return;
  if (relocation.offset + type.size > bytes.length) {
    fail(`relocation ${type.name} outside of its section`);
    return;
  }
  const symbol = context.resolve(object, relocation.symbol, relocation, index);
  if (!symbol) return;
  const place = base + BigInt(relocation.offset);
  let { addend } = relocation;
  let target = symbol.address;
  switch (type.value) {
    case 'absolute':
      break;
    case 'relative':
      target -= place;
      break;
    case 'gotEntryRelative':
      if (canRelax(program, object, relocation, input.bytes)) {
        const isJump = relax(bytes, relocation) === 'jump';
        // The jump's displacement stands one byte earlier.
        target -= isJump ? place - 1n : place;
        if (isJump) {
          write(bytes, relocation.offset - 1, 4, target + addend);
          return;
        }
        break;
      }
      target = got.entryAddress(gotKey(object, relocation, type.value)) - place;
      break;
    case 'gotEntry':
      target = got.entryAddress(gotKey(object, relocation, type.value));
      // Without a base register the field is the entry's address (i386 psABI 4.4.1, R_386_GOT32X).
      if (!(relocation.type === R_386.GOT32X && (bytes[relocation.offset - 1] & 0xc7) === 0x05))
        target -= got.address;
      break;
    case 'gotOffset':
      target -= got.address;
      break;
    case 'gotRelative':
      target = got.address - place;
      break;
    case 'size':
      target = symbol.size;
      break;
    case 'threadOffset':
    case 'moduleThreadOffset':
    case 'threadOffsetEntry': {
      const origin = type.value === 'moduleThreadOffset' ? context.threadStart : context.threadEnd;
      if (origin === undefined) {
        fail(`relocation ${type.name} against '${symbol.name}', but there is no thread storage`);
        return;
      }
      if (type.value === 'threadOffsetEntry')
        target = got.entryAddress(gotKey(object, relocation, type.value)) - place;
      else target -= origin;
    }
  }
  const value = target + addend;
  addend = BigInt.asIntN(64, value);
  if (!fits(addend, type)) {
    fail(
      `'${symbol.name}' is out of reach: 0x${BigInt.asUintN(64, addend).toString(16)} does not fit the ${type.size * 8} bits of ${type.name}`,
    );
    return;
  }
  write(bytes, relocation.offset, type.size, addend);
}

function fits(value: bigint, { size, range }: RelocationType): boolean {
  const bits = size * 8;
  const isSigned = BigInt.asIntN(bits, value) === value;
  const isUnsigned = BigInt.asUintN(bits, value) === value;
  switch (range) {
    case 'none':
      return true;
    case 'signed':
      return isSigned;
    case 'unsigned':
      return isUnsigned;
    case 'either':
      return isSigned || isUnsigned;
  }
}

/** Writes the low bytes of a number. */
export function write(bytes: Uint8Array, offset: number, size: number, value: bigint): void {
  let rest = BigInt.asUintN(size * 8, value);
  for (let index = 0; index < size; index++) {
    bytes[offset + index] = Number(rest & 0xffn);
    rest >>= 8n;
  }
}
