import type { Assembly } from './assembly.js';
import { absoluteValue } from './conditions.js';
import { DirectiveArguments } from './directiveArguments.js';
import { dataDirectives } from './directivesData.js';
import { frameDirectives } from './directivesFrame.js';
import { sectionDirectives } from './directivesSection.js';
import { symbolDirectives } from './directivesSymbol.js';
import type { Syntax } from './mnemonics.js';
import { AssemblyError } from './source.js';
import type { SourceText } from './source.js';

export type Directive = (assembly: Assembly, args: DirectiveArguments) => void;

const accepted: Directive = () => undefined;

/** What changes nothing in a static link without relocations and unwind tables. */
const ACCEPTED = [
  '.loc',
  '.arch',
  '.extern',
  '.att_mnemonic',
  '.intel_mnemonic',
  '.allow_index_reg',
  '.disallow_index_reg',
  '.sse_check',
  '.operand_check',
  '.gnu_attribute',
  '.func',
  '.endfunc',
  '.lflags',
  '.print',
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
];

/** `.intel_syntax noprefix`, `.att_syntax prefix`: the prefix is `%` before registers. */
function syntax(name: Syntax['name'], usualPrefix: boolean): Directive {
  return (assembly, args) => {
    const { text } = args;
    if (!['', 'prefix', 'noprefix'].includes(text))
      throw new AssemblyError(`expected 'prefix' or 'noprefix'`, args.from);
    assembly.syntax = { name, registerPrefix: text === '' ? usualPrefix : text === 'prefix' };
  };
}

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
  '.intel_syntax': syntax('intel', false),
  '.att_syntax': syntax('att', true),
  '.file': (assembly, args) => {
    // With a number before the name it is about `.loc`.
    if (args.reader.peek()?.kind === 'string') assembly.fileName = args.optionalString();
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
  Object.entries({
    ...otherDirectives,
    ...dataDirectives,
    ...frameDirectives,
    ...sectionDirectives,
    ...symbolDirectives,
  }),
);

/** Runs one directive. @throws AssemblyError */
export function runDirective(assembly: Assembly, name: string, source: SourceText, from: number): void {
  const directive = DIRECTIVES.get(name);
  if (!directive) throw new AssemblyError(`unknown directive '${name}'`, 0, name.length);
  directive(assembly, new DirectiveArguments(source, from, assembly.symbols));
}
