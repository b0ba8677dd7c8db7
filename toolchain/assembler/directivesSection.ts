import type { Assembly } from './assembly.js';
import { decodeString } from './directiveArguments.js';
import type { DirectiveArguments } from './directiveArguments.js';
import type { Directive } from './directives.js';
import { constantValue } from './expression.js';
import { defaultSectionFlags } from './sections.js';
import type { Section, SectionFlags } from './sections.js';
import { AssemblyError } from './source.js';

const TYPES: Readonly<Record<string, SectionFlags['type']>> = {
  progbits: 'progbits',
  nobits: 'nobits',
  note: 'note',
  init_array: 'init_array',
  fini_array: 'fini_array',
  preinit_array: 'preinit_array',
  unwind: 'unwind',
};

interface Part {
  readonly text: string;
  readonly start: number;
  readonly end: number;
}

const unquoted = (text: string): string => text.replace(/^"(.*)"$/, '$1');

interface WantedSection {
  readonly section: Section;
  readonly subsection: number;
}

/** `name, "flags", @type, …`; of `.pushsection` a number may follow the name. */
function parseSection(assembly: Assembly, args: DirectiveArguments, mayHaveNumber: boolean): WantedSection {
  const [nameText, ...more] = args.parts();
  const name = nameText && unquoted(nameText.text);
  if (!name) throw new AssemblyError('expected a section name', args.from);
  let subsection = 0;
  if (mayHaveNumber && more[0] && /^-?\d/.test(more[0].text)) subsection = Number(more.shift()!.text);
  const [flagsText, ...rest] = more;
  const flags = flagsText ? parseFlags(assembly, name, flagsText, rest) : undefined;
  const section = assembly.sectionNamed(name, flags);
  if (flags && !isSameKind(flags, section.flags)) {
    const message = `section '${name}' has other flags already; these are ignored`;
    assembly.diagnostics.report('warning', args.source, message);
  }
  return { section, subsection };
}

function isSameKind(left: SectionFlags, right: SectionFlags): boolean {
  const { allocate, write, execute } = right;
  return left.allocate === allocate && left.write === write && left.execute === execute;
}

/** GNU as, "Section Names": what follows the type depends on the letters. */
function parseFlags(assembly: Assembly, name: string, flags: Part, rest: Part[]): SectionFlags {
  const letters = /^"([^"]*)"$/.exec(flags.text)?.[1];
  if (letters === undefined)
    throw new AssemblyError('expected section flags in quotes', flags.start, flags.end);
  const unknown = /[^awxeMSGTo?Rdl\d]/.exec(letters);
  if (unknown) throw new AssemblyError(`unknown section flag '${unknown[0]}'`, flags.start, flags.end);
  const type = rest.shift();
  const typeName = type ? /^[@%]?"?(\w+)"?$/.exec(type.text)?.[1] : undefined;
  const wanted = typeName === undefined ? defaultSectionFlags(name).type : TYPES[typeName];
  if (!wanted) throw new AssemblyError(`unknown section type '${type!.text}'`, type!.start, type!.end);
  const entrySize = letters.includes('M') ? Number(rest.shift()?.text ?? 0) : undefined;
  const linkedTo = letters.includes('o') ? unquoted(rest.shift()?.text ?? '') : undefined;
  let group = letters.includes('?') ? assembly.section.flags.group : undefined;
  let isComdat = letters.includes('?') ? assembly.section.flags.isComdat : undefined;
  if (letters.includes('G')) {
    const signature = rest.shift();
    if (!signature) throw new AssemblyError('expected a group name', flags.start, flags.end);
    group = unquoted(signature.text);
    isComdat = rest.shift()?.text === 'comdat';
  }
  return {
    allocate: letters.includes('a'),
    write: letters.includes('w'),
    execute: letters.includes('x'),
    type: wanted,
    merge: letters.includes('M'),
    strings: letters.includes('S'),
    tls: letters.includes('T'),
    exclude: letters.includes('e'),
    retain: letters.includes('R'),
    ...(entrySize === undefined ? {} : { entrySize }),
    ...(linkedTo ? { linkedTo } : {}),
    ...(group === undefined ? {} : { group, isComdat: isComdat ?? false }),
  };
}

/** `.text 1`: a subsection by its number. */
function named(name: string): Directive {
  return (assembly, args) => {
    const subsection = args.text === '' ? 0 : args.number();
    assembly.enterSection(assembly.sectionNamed(name), subsection);
  };
}

/** `.ident`: strings in the section .comment, which starts with an empty one. */
const ident: Directive = (assembly, args) => {
  const token = args.reader.peek();
  if (token?.kind !== 'string') throw new AssemblyError('expected a string in quotes', args.from);
  const { source } = args;
  const flags = { ...defaultSectionFlags('.comment'), merge: true, strings: true, entrySize: 1 };
  const chunk = assembly.sectionNamed('.comment', flags).subsection(0);
  const text = decodeString(token.text);
  const bytes = Uint8Array.from([...(chunk.fragments.length === 0 ? [0] : []), ...text, 0]);
  chunk.add({ kind: 'bytes', source, bytes, fixups: [], size: bytes.length });
};

/** `.version`: a note of type NT_VERSION (1) without a description. */
const version: Directive = (assembly, args) => {
  const token = args.reader.peek();
  if (token?.kind !== 'string') throw new AssemblyError('expected a string in quotes', args.from);
  const name = [...decodeString(token.text), 0];
  const bytes = new Uint8Array(12 + Math.ceil(name.length / 4) * 4);
  bytes.set([name.length, 0, 0, 0, 0, 0, 0, 0, 1]);
  bytes.set(name, 12);
  const section = assembly.sectionNamed('.note');
  section.alignment = Math.max(section.alignment, 4);
  const chunk = section.subsection(0);
  chunk.add({ kind: 'bytes', source: args.source, bytes, fixups: [], size: bytes.length });
};

/** `.reloc offset, name, expression`: a relocation as it is named. */
const reloc: Directive = (assembly, args) => {
  const offset = args.expression();
  args.reader.expect(',');
  const name = args.name();
  const value = args.reader.accept(',') ? args.expression() : undefined;
  args.end();
  assembly.section.explicitRelocations.push({ offset, name, value, source: args.source });
};

export const sectionDirectives: Readonly<Record<string, Directive>> = {
  '.text': named('.text'),
  '.data': named('.data'),
  '.bss': named('.bss'),
  '.rodata': named('.rodata'),
  '.section': (assembly, args) => assembly.enterSection(parseSection(assembly, args, false).section),
  '.pushsection': (assembly, args) => {
    const { section, subsection } = parseSection(assembly, args, true);
    assembly.pushSection(section, subsection);
  },
  '.popsection': (assembly) => assembly.popSection(),
  '.previous': (assembly) => assembly.swapSections(),
  '.subsection': (assembly, args) => {
    const value = constantValue(args.expression());
    if (value === undefined) throw new AssemblyError('expected a constant', args.from);
    assembly.enterSection(assembly.section, Number(value));
  },
  '.ident': ident,
  '.version': version,
  '.reloc': reloc,
};
