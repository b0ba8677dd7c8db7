import type { Directive } from './directives.js';
import { AssemblyError } from './source.js';
import type { AssemblySymbol, SymbolType } from './symbols.js';

function forNames(action: (symbol: AssemblySymbol) => void): Directive {
  return (assembly, args) => {
    for (const name of args.namesList()) action(assembly.symbols.get(name));
  };
}

const TYPES: Readonly<Record<string, SymbolType>> = {
  function: 'function',
  stt_func: 'function',
  gnu_indirect_function: 'function',
  object: 'object',
  stt_object: 'object',
  notype: 'notype',
  stt_notype: 'notype',
  common: 'object',
  gnu_unique_object: 'object',
  tls_object: 'tls',
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

function assignment(isFixed: boolean): Directive {
  return (assembly, args) => {
    const name = args.name();
    args.reader.expect(',');
    const value = args.expression();
    args.end();
    assembly.symbols.assign(name, value, args.source, isFixed);
  };
}

/** `.comm name, size, alignment`: space in .bss, unless a label of that name has it already. */
function common(isGlobal: boolean): Directive {
  return (assembly, args) => {
    const name = args.name();
    args.reader.expect(',');
    const length = args.number();
    const alignment = args.optionalNumber() ?? Math.min(32, 2 ** Math.floor(Math.log2(Math.max(1, length))));
    args.end();
    if (length < 0 || !Number.isInteger(Math.log2(alignment)))
      throw new AssemblyError('bad size or alignment', args.from);
    const symbol = assembly.symbols.get(name);
    if (isGlobal && symbol.binding === 'local') symbol.binding = 'global';
    if (symbol.isDefined) return;
    symbol.type = 'object';
    symbol.sizeExpression = { kind: 'constant', value: BigInt(length), start: 0, end: 0 };
    const bss = assembly.sectionNamed('.bss');
    bss.alignment = Math.max(bss.alignment, alignment);
    const { source } = args;
    bss.fragments.push({
      kind: 'align',
      source,
      alignment,
      pattern: undefined,
      limit: Infinity,
      bits: assembly.bits,
      size: 0,
    });
    assembly.symbols.defineLabel(name, bss.here(), source);
    const count = { kind: 'constant', value: BigInt(length), start: 0, end: 0 } as const;
    bss.fragments.push({ kind: 'fill', source, count, pattern: Uint8Array.of(0), size: length });
  };
}

export const symbolDirectives: Readonly<Record<string, Directive>> = {
  '.globl': forNames((symbol) => {
    if (symbol.binding === 'local') symbol.binding = 'global';
  }),
  '.global': forNames((symbol) => {
    if (symbol.binding === 'local') symbol.binding = 'global';
  }),
  '.local': forNames((symbol) => {
    symbol.binding = 'local';
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
  '.comm': common(true),
  '.lcomm': common(false),
};
