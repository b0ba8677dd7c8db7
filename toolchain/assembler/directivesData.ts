import type { Assembly } from './assembly.js';
import type { DirectiveArguments } from './directiveArguments.js';
import { decodeString } from './directiveArguments.js';
import type { Directive } from './directives.js';
import { constantValue } from './expression.js';
import { fitsEither } from './encode.js';
import { extendedPrecision } from './extendedPrecision.js';
import { writeInteger } from './integers.js';
import type { Fixup } from './sections.js';
import { AssemblyError } from './source.js';

/** `.byte` and its like: numbers of `size` bytes, little endian. `.` is where each number stands. */
function integers(size: Fixup['size']): Directive {
  return (assembly, args) => {
    if (args.reader.atEnd()) return;
    do emitInteger(assembly, args, size);
    while (args.reader.accept(','));
    args.end();
  };
}

function emitInteger(assembly: Assembly, args: DirectiveArguments, size: Fixup['size']): void {
  const { source } = args;
  const expression = args.expression();
  const bytes = new Uint8Array(size);
  const value = constantValue(expression);
  if (value === undefined) {
    const range = size >= 8 ? 'truncate' : 'warn';
    assembly.emitBytes(source, bytes, [{ offset: 0, size, expression, relative: 'no', range }]);
    return;
  }
  if (!fitsEither(value, size * 8)) {
    const message = `value 0x${value.toString(16)} truncated to ${size * 8} bits`;
    assembly.diagnostics.report('warning', source, message, expression.start, expression.end);
  }
  writeInteger(bytes, 0, size, value);
  assembly.emitBytes(source, bytes);
}

/** `.float`, `.double`. */
function floats(size: 4 | 8): Directive {
  return (assembly, args) => {
    const parts = args.parts();
    const view = new DataView(new ArrayBuffer(size * parts.length));
    parts.forEach(({ text, start, end }, index) => {
      const value = Number(text.replace(/^0[fdFD]/, ''));
      if (text === '' || Number.isNaN(value))
        throw new AssemblyError(`bad floating-point number '${text}'`, start, end);
      if (size === 4) view.setFloat32(index * size, value, true);
      else view.setFloat64(index * size, value, true);
    });
    assembly.emitBytes(args.source, new Uint8Array(view.buffer));
  };
}

/** `.ascii`, `.asciz`: several strings, adjacent ones joined. */
function strings(terminator: readonly number[]): Directive {
  return (assembly, args) => {
    const bytes: number[] = [];
    const { reader } = args;
    while (!reader.atEnd()) {
      let token = reader.next()!;
      if (token.kind !== 'string')
        throw new AssemblyError('expected a string in quotes', token.start, token.end);
      bytes.push(...decodeString(token.text));
      while (reader.peek()?.kind === 'string') {
        token = reader.next()!;
        bytes.push(...decodeString(token.text));
      }
      bytes.push(...terminator);
      if (!reader.accept(',')) reader.expectEnd();
    }
    assembly.emitBytes(args.source, Uint8Array.from(bytes));
  };
}

const space: Directive = (assembly, args) => {
  const count = args.expression();
  const value = args.optionalNumber() ?? 0;
  args.end();
  assembly.emitFill(args.source, count, Uint8Array.of(value & 0xff));
};

/** `.fill repeat, size, value`: of the value only 4 bytes count, as GNU as has it. */
const fill: Directive = (assembly, args) => {
  const count = args.expression();
  const size = args.optionalNumber() ?? 1;
  const value = args.optionalNumber() ?? 0;
  args.end();
  if (size < 0) throw new AssemblyError('.fill with a negative size');
  const pattern = new Uint8Array(Math.min(size, 8));
  writeInteger(pattern, 0, Math.min(pattern.length, 4), BigInt(value));
  assembly.emitFill(args.source, count, pattern);
};

const NOP = 0x90;

function align(toBytes: (operand: number) => number, patternSize: 1 | 2 | 4): Directive {
  return (assembly, args) => {
    const alignment = toBytes(args.reader.atEnd() ? 0 : args.number());
    const value = args.optionalNumber();
    const limit = args.optionalNumber() ?? Number.MAX_SAFE_INTEGER;
    args.end();
    if (alignment === 0) return;
    if (alignment < 0 || alignment > 0x40000000 || !Number.isInteger(Math.log2(alignment))) {
      throw new AssemblyError('alignment is not a power of 2', args.from);
    }
    let pattern: Uint8Array | undefined;
    if (value !== undefined) {
      pattern = new Uint8Array(patternSize);
      writeInteger(pattern, 0, patternSize, BigInt(value));
    }
    const { section } = assembly;
    // GNU as takes a one-byte NOP as a wish for any NOPs.
    if (section.flags.execute && patternSize === 1 && pattern?.[0] === NOP) pattern = undefined;
    section.alignment = Math.max(section.alignment, alignment);
    assembly.emit({ kind: 'align', source: args.source, alignment, pattern, limit, size: 0 });
  };
}

const bytesAlign = (operand: number): number => operand;
const powerAlign = (operand: number): number => 2 ** operand;

const org: Directive = (assembly, args) => {
  const target = args.expression();
  const value = args.optionalNumber() ?? 0;
  args.end();
  assembly.emit({ kind: 'org', source: args.source, target, fill: value & 0xff, size: 0 });
};

function leb128(signed: boolean): Directive {
  return (assembly, args) => {
    for (const value of args.expressions())
      assembly.emit({ kind: 'leb128', source: args.source, value, signed, size: 1 });
  };
}

/** `.incbin "file", skip, count` */
const incbin: Directive = (assembly, args) => {
  const path = args.optionalString();
  if (path === undefined) throw new AssemblyError('.incbin needs "file"');
  args.reader.next();
  const skip = args.optionalNumber() ?? 0;
  const count = args.optionalNumber();
  args.end();
  const found = readFile(assembly, args, path);
  if (skip < 0 || skip > found.length) throw new AssemblyError(`'${path}' has only ${found.length} bytes`);
  assembly.emitBytes(args.source, found.slice(skip, count === undefined ? undefined : skip + count));
};

function readFile(assembly: Assembly, args: DirectiveArguments, path: string): Uint8Array {
  const found = assembly.options.readInclude(path, args.source.file);
  if (!found) throw new AssemblyError(`cannot find file '${path}'`);
  assembly.trace?.included(args.source, 'incbin', path, found.fileName);
  return found.bytes;
}

/** `.dcb.w count, value` */
function counted(size: 1 | 2 | 4): Directive {
  return (assembly, args) => {
    const count = args.expression();
    const pattern = new Uint8Array(size);
    writeInteger(pattern, 0, size, BigInt(args.optionalNumber() ?? 0));
    args.end();
    assembly.emitFill(args.source, count, pattern);
  };
}

/** `.nops count, longest`: the count of bytes. */
const nops: Directive = (assembly, args) => {
  const count = args.expression();
  args.optionalNumber();
  args.end();
  assembly.emit({ kind: 'nops', source: args.source, count, size: 0 });
};

/** `.string16` and its like: every character as a number of that size. */
function wideStrings(size: 2 | 4 | 8): Directive {
  return (assembly, args) => {
    const { reader } = args;
    while (!reader.atEnd()) {
      const token = reader.next()!;
      if (token.kind !== 'string')
        throw new AssemblyError('expected a string in quotes', token.start, token.end);
      const text = [...decodeString(token.text), 0];
      const bytes = new Uint8Array(text.length * size);
      text.forEach((character, index) => {
        bytes[index * size] = character;
      });
      assembly.emitBytes(args.source, bytes);
      if (!reader.accept(',')) reader.expectEnd();
    }
  };
}

/** `.tfloat`: the 80-bit format of the x87 in 10 bytes, `.ldouble` in 16 or 12. */
function extendedFloats(size: (bits: 32 | 64) => number): Directive {
  return (assembly, args) => {
    for (const { text, start, end } of args.parts()) {
      const value = extendedPrecision(text.replace(/^0[a-zA-Z]/, ''));
      if (!value) throw new AssemblyError(`bad floating-point number '${text}'`, start, end);
      const bytes = new Uint8Array(size(assembly.options.bits));
      bytes.set(value);
      assembly.emitBytes(args.source, bytes);
    }
  };
}

export const dataDirectives: Readonly<Record<string, Directive>> = {
  '.byte': integers(1),
  '.word': integers(2),
  '.short': integers(2),
  '.value': integers(2),
  '.hword': integers(2),
  '.2byte': integers(2),
  '.long': integers(4),
  '.int': integers(4),
  '.4byte': integers(4),
  '.quad': integers(8),
  '.8byte': integers(8),
  '.octa': integers(16),
  '.float': floats(4),
  '.single': floats(4),
  '.double': floats(8),
  '.ascii': strings([]),
  '.asciz': strings([0]),
  '.string': strings([0]),
  '.string8': strings([0]),
  '.string16': wideStrings(2),
  '.string32': wideStrings(4),
  '.string64': wideStrings(8),
  '.tfloat': extendedFloats(() => 10),
  '.ldouble': extendedFloats((bits) => (bits === 64 ? 16 : 12)),
  '.dc.b': integers(1),
  '.dc.w': integers(2),
  '.dc.l': integers(4),
  '.dc': integers(2),
  '.dc.s': floats(4),
  '.dc.d': floats(8),
  '.dcb': counted(2),
  '.dcb.b': counted(1),
  '.dcb.w': counted(2),
  '.dcb.l': counted(4),
  '.ds': counted(2),
  '.ds.b': counted(1),
  '.ds.w': counted(2),
  '.ds.l': counted(4),
  '.nops': nops,
  '.nop': (assembly, args) => assembly.emitBytes(args.source, Uint8Array.of(0x90)),
  '.zero': space,
  '.skip': space,
  '.space': space,
  '.fill': fill,
  '.align': align(bytesAlign, 1),
  '.balign': align(bytesAlign, 1),
  '.balignw': align(bytesAlign, 2),
  '.balignl': align(bytesAlign, 4),
  '.p2align': align(powerAlign, 1),
  '.p2alignw': align(powerAlign, 2),
  '.p2alignl': align(powerAlign, 4),
  '.org': org,
  '.uleb128': leb128(false),
  '.sleb128': leb128(true),
  '.incbin': incbin,
};
