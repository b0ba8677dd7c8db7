import type { Assembly } from './assembly.js';
import type { DirectiveArguments } from './directiveArguments.js';
import type { Directive } from './directives.js';
import { defaultSectionFlags } from './sections.js';
import type { Section, SectionFlags } from './sections.js';
import { AssemblyError } from './source.js';

const TYPES: Readonly<Record<string, SectionFlags['type']>> = {
  progbits: 'progbits',
  nobits: 'nobits',
  note: 'note',
  init_array: 'progbits',
  fini_array: 'progbits',
  preinit_array: 'progbits',
  unwind: 'progbits',
};

/** `name, "flags", @type, …` */
function parseSection(assembly: Assembly, args: DirectiveArguments): Section {
  const [nameText, flagsText, typeText] = args.parts();
  const name = nameText?.text.replace(/^"(.*)"$/, '$1');
  if (!name) throw new AssemblyError('expected a section name', args.from);
  const flags = flagsText ? parseFlags(name, flagsText, typeText) : undefined;
  const section = assembly.sectionNamed(name, flags);
  if (flags && (flags.allocate !== section.flags.allocate || flags.type !== section.flags.type)) {
    assembly.diagnostics.report(
      'warning',
      args.source,
      `section '${name}' has other flags already; these are ignored`,
    );
  }
  return section;
}

interface Part {
  readonly text: string;
  readonly start: number;
  readonly end: number;
}

function parseFlags(name: string, flags: Part, type: Part | undefined): SectionFlags {
  const letters = /^"([^"]*)"$/.exec(flags.text)?.[1];
  if (letters === undefined)
    throw new AssemblyError('expected section flags in quotes', flags.start, flags.end);
  const unknown = /[^awxeMSGTo?R\d]/.exec(letters);
  if (unknown) throw new AssemblyError(`unknown section flag '${unknown[0]}'`, flags.start, flags.end);
  const typeName = type ? /^[@%]?"?(\w+)"?$/.exec(type.text)?.[1] : undefined;
  const wanted = typeName === undefined ? defaultSectionFlags(name).type : TYPES[typeName];
  if (!wanted) throw new AssemblyError(`unknown section type '${type!.text}'`, type!.start, type!.end);
  return {
    allocate: letters.includes('a'),
    write: letters.includes('w'),
    execute: letters.includes('x'),
    type: wanted,
  };
}

/** `.text 1` has subsections in GNU as; here the number must be 0. */
function named(name: string): Directive {
  return (assembly, args) => {
    if (args.text !== '' && args.number() !== 0)
      throw new AssemblyError('subsections are not supported', args.from);
    assembly.enterSection(assembly.sectionNamed(name));
  };
}

export const sectionDirectives: Readonly<Record<string, Directive>> = {
  '.text': named('.text'),
  '.data': named('.data'),
  '.bss': named('.bss'),
  '.rodata': named('.rodata'),
  '.section': (assembly, args) => assembly.enterSection(parseSection(assembly, args)),
  '.pushsection': (assembly, args) => assembly.pushSection(parseSection(assembly, args)),
  '.popsection': (assembly) => assembly.popSection(),
  '.previous': (assembly) => assembly.swapSections(),
};
