import type { Assembly } from './assembly.js';
import { absoluteValue } from './conditions.js';
import { DirectiveArguments } from './directiveArguments.js';
import { dataDirectives } from './directivesData.js';
import { sectionDirectives } from './directivesSection.js';
import { symbolDirectives } from './directivesSymbol.js';
import { AssemblyError } from './source.js';
import type { SourceText } from './source.js';

export type Directive = (assembly: Assembly, args: DirectiveArguments) => void;

const accepted: Directive = () => undefined;

/** What changes nothing in a static link without relocations and unwind tables. */
const ACCEPTED = [
  '.file',
  '.loc',
  '.ident',
  '.att_syntax',
  '.arch',
  '.version',
  '.extern',
  '.addrsig',
  '.addrsig_sym',
  '.loc_mark_labels',
  '.line',
  '.ln',
  '.sbttl',
  '.title',
  '.list',
  '.nolist',
  '.psize',
  '.eject',
  '.symver',
];

const otherDirectives: Readonly<Record<string, Directive>> = {
  ...Object.fromEntries(ACCEPTED.map((name) => [name, accepted])),
  '.code16': (assembly) => {
    assembly.bits = 16;
  },
  '.code32': (assembly) => {
    assembly.bits = 32;
  },
  '.code64': (assembly) => {
    assembly.bits = 64;
  },
  '.intel_syntax': () => {
    throw new AssemblyError('.intel_syntax is not supported: this assembler reads AT&T syntax');
  },
  '.error': (_, args) => {
    throw new AssemblyError(args.optionalString() ?? '.error directive');
  },
  '.err': () => {
    throw new AssemblyError('.err directive');
  },
  '.warning': (assembly, args) => {
    assembly.diagnostics.report('warning', args.source, args.optionalString() ?? '.warning directive');
  },
  '.print': (assembly, args) => {
    assembly.diagnostics.report('warning', args.source, args.optionalString() ?? '');
  },
  '.abort': () => {
    throw new AssemblyError('.abort directive');
  },
  '.fail': (assembly, args) => {
    const value = absoluteValue(assembly, args.source, args.from);
    if (value >= 500n) assembly.diagnostics.report('warning', args.source, `.fail ${value} encountered`);
    else throw new AssemblyError(`.fail ${value} encountered`);
  },
};

const DIRECTIVES: ReadonlyMap<string, Directive> = new Map(
  Object.entries({ ...otherDirectives, ...dataDirectives, ...sectionDirectives, ...symbolDirectives }),
);

/** Runs one directive. @throws AssemblyError */
export function runDirective(assembly: Assembly, name: string, source: SourceText, from: number): void {
  // Call frame information: the debugger unwinds assembly by frame pointers.
  if (name.startsWith('.cfi_')) return;
  const directive = DIRECTIVES.get(name);
  if (!directive) throw new AssemblyError(`unknown directive '${name}'`, 0, name.length);
  directive(assembly, new DirectiveArguments(source, from, assembly.symbols));
}
