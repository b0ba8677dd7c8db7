import type { Assembly } from './assembly.js';
import type { Directive } from './directives.js';
import type { Expression } from './expression.js';
import { registerByName } from './instructionTable.js';
import { AssemblyError } from './source.js';
import type { SourceText } from './source.js';
import { AssemblySymbol } from './symbols.js';
import type { SymbolType } from './symbols.js';

function forNames(action: (symbol: AssemblySymbol) => void): Directive {
  return (assembly, args) => {
    for (const name of args.namesList()) action(assembly.symbols.get(name));
  };
}

const TYPES: Readonly<Record<string, SymbolType>> = {
  function: 'function',
  stt_func: 'function',
  gnu_indirect_function: 'ifunc',
  stt_gnu_ifunc: 'ifunc',
  object: 'object',
  stt_object: 'object',
  notype: 'notype',
  stt_notype: 'notype',
  common: 'object',
  gnu_unique_object: 'unique',
  tls_object: 'tls',
  stt_tls: 'tls',
};

/** `.type name, @function`: also `%function`, `"function"` and `STT_FUNC`. */
const type: Directive = (assembly, args) => {
  const parts = args.parts();
  const found = /^([\w.$]+)\s+[@%]?"?(\w+)"?$/.exec(args.text);
  const name = parts.length === 2 ? parts[0].text : found?.[1];
  const typeName = parts.length === 2 ? parts[1].text.replace(/^[@%#]|"/g, '') : found?.[2];
  if (!name || !typeName) throw new AssemblyError('expected a symbol and its @type', args.from);
  const symbolType = TYPES[typeName.toLowerCase()];
  if (!symbolType) throw new AssemblyError(`unknown symbol type '${typeName}'`, args.from);
  assembly.symbols.get(name.replace(/^"(.*)"$/, '$1')).type = symbolType;
};

const size: Directive = (assembly, args) => {
  const name = args.name();
  args.reader.expect(',');
  assembly.symbols.get(name).sizeExpression = args.expression();
  args.end();
};

/** `name = %register`: the name stands for the register from here on. Says whether it is so. */
export function assignRegister(assembly: Assembly, name: string, value: string): boolean {
  const { registerNames } = assembly.symbols;
  const written = value.trim();
  const register = registerNames.get(written) ?? written;
  const isRegister =
    /^%[ \t]*(st\(\d\)|\w+)$/i.test(register) ||
    (!assembly.syntax.registerPrefix && isRegisterName(register));
  if (isRegister) registerNames.set(name, register);
  else registerNames.delete(name);
  return isRegister;
}

const isRegisterName = (name: string): boolean => registerByName(name.toLowerCase()) !== undefined;

function assignment(isFixed: boolean): Directive {
  return (assembly, args) => {
    const name = args.name();
    args.reader.expect(',');
    if (assignRegister(assembly, name, args.source.text.slice(args.reader.offset()))) return;
    const value = args.expression();
    args.end();
    assembly.symbols.assign(name, value, args.source, isFixed);
  };
}

/** `.comm name, size, alignment`: space that the linker makes room for; of a local name room in .bss. */
function common(isLocal: boolean): Directive {
  return (assembly, args) => {
    const name = args.name();
    args.reader.expect(',');
    const length = args.number();
    const alignment = args.optionalNumber() ?? defaultAlignment(length);
    args.end();
    if (length < 0 || !Number.isInteger(Math.log2(alignment)))
      throw new AssemblyError('bad size or alignment', args.from);
    const symbol = assembly.symbols.get(name);
    if (symbol.isDefined) throw new AssemblyError(`symbol '${name}' is already defined`);
    symbol.type = 'object';
    symbol.sizeExpression = constant(length);
    if (isLocal || symbol.isDeclaredLocal) {
      reserve(assembly, symbol.name, length, alignment, args.source);
      return;
    }
    if (symbol.binding === 'local') symbol.binding = 'global';
    symbol.common = { size: BigInt(length), alignment };
    symbol.definedAt = args.source;
  };
}

const constant = (value: number): Expression => ({
  kind: 'constant',
  value: BigInt(value),
  start: 0,
  end: 0,
});

/** GNU as aligns by the size, up to 16 bytes in .bss and 32 for the linker. */
function defaultAlignment(length: number): number {
  return Math.min(32, 2 ** Math.floor(Math.log2(Math.max(1, length))));
}

function reserve(
  assembly: Assembly,
  name: string,
  length: number,
  alignment: number,
  source: SourceText,
): void {
  const section = assembly.sectionNamed('.bss');
  const chunk = section.subsection(0);
  section.alignment = Math.max(section.alignment, alignment);
  chunk.add({ kind: 'align', source, alignment, pattern: undefined, limit: Infinity, size: 0 });
  assembly.symbols.defineLabel(name, chunk.here(), source);
  chunk.add({ kind: 'fill', source, count: constant(length), pattern: Uint8Array.of(0), size: length });
}

/** `.symver name, name@version`: a second name of the same value. */
const symver: Directive = (assembly, args) => {
  const [name, version] = args.parts();
  if (!name || !version?.text.includes('@'))
    throw new AssemblyError('expected name, name@version', args.from);
  assembly.symbols.get(name.text).versions.push(version.text);
};

/** `.weakref alias, target`: a weak reference under another name. */
const weakref: Directive = (assembly, args) => {
  const alias = args.name();
  args.reader.expect(',');
  const target = args.expression();
  args.end();
  if (target.kind === 'symbol' && target.symbol instanceof AssemblySymbol && !target.symbol.isDefined)
    target.symbol.binding = 'weak';
  assembly.symbols.assign(alias, target, args.source);
};

export const symbolDirectives: Readonly<Record<string, Directive>> = {
  '.globl': forNames((symbol) => {
    if (symbol.binding === 'local') symbol.binding = 'global';
  }),
  '.global': forNames((symbol) => {
    if (symbol.binding === 'local') symbol.binding = 'global';
  }),
  '.local': forNames((symbol) => {
    symbol.binding = 'local';
    symbol.isDeclaredLocal = true;
  }),
  '.weak': forNames((symbol) => {
    symbol.binding = 'weak';
  }),
  '.hidden': forNames((symbol) => {
    symbol.visibility = 'hidden';
  }),
  '.internal': forNames((symbol) => {
    symbol.visibility = 'internal';
  }),
  '.protected': forNames((symbol) => {
    symbol.visibility = 'protected';
  }),
  '.type': type,
  '.size': size,
  '.set': assignment(false),
  '.equ': assignment(false),
  '.equiv': assignment(true),
  '.comm': common(false),
  '.common': common(false),
  '.lcomm': common(true),
  '.symver': symver,
  '.weakref': weakref,
  '.eqv': assignment(true),
};
