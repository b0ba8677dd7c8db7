import { CompletionItemKind } from 'vscode-languageserver';
import type { CompletionItem, Range } from 'vscode-languageserver';
import type { Analysis, LineState } from '../../toolchain/assembler/analysis.js';
import { offeredMnemonics } from '../instructionSet/mnemonicList.js';
import { directives, preprocessorDirectives } from '../knowledge/directives.js';
import { hypercalls } from '../knowledge/hypercalls.js';
import { generalRegisters } from '../knowledge/registers.js';
import { isPreprocessed } from '../workspace/cursor.js';

/** What the client sends back to get an item's documentation. */
export interface ItemData {
  readonly subject: 'instruction' | 'directive' | 'register' | 'hypercall';
  readonly name: string;
  readonly bits: LineState['bits'];
}

export type MakeItem = (
  label: string,
  kind: CompletionItemKind,
  more?: Partial<CompletionItem>,
) => CompletionItem;

/** Items that replace what is typed, so that `%`, `.` and `#` count as part of it. */
export const itemsIn =
  (range: Range): MakeItem =>
  (label, kind, more = {}) => ({
    label,
    kind,
    ...more,
    textEdit: { range, newText: more.insertText ?? label },
  });

const data = (subject: ItemData['subject'], name: string, { bits }: LineState): { data: ItemData } => ({
  data: { subject, name, bits },
});

export function mnemonicItems(make: MakeItem, state: LineState): CompletionItem[] {
  return offeredMnemonics(state.bits, state.syntax).map(({ name, mnemonic, detail }) =>
    make(name, CompletionItemKind.Function, {
      detail,
      // The everyday instructions first: those that are described.
      sortText: `${detail ? 'b' : 'd'}${name}`,
      ...data('instruction', mnemonic, state),
    }),
  );
}

export function directiveItems(make: MakeItem, state: LineState): CompletionItem[] {
  return directives.map(({ name, usage }) =>
    make(name, CompletionItemKind.Keyword, { detail: usage, ...data('directive', name, state) }),
  );
}

export function preprocessorItems(make: MakeItem, state: LineState): CompletionItem[] {
  return preprocessorDirectives.map(({ name, usage }) =>
    make(name, CompletionItemKind.Keyword, { detail: usage, ...data('directive', name, state) }),
  );
}

export function macroItems(make: MakeItem, { macros, preprocessorMacros }: Analysis): CompletionItem[] {
  const items = [...macros.values()].map(({ name, parameters }) =>
    make(name, CompletionItemKind.Module, {
      detail: `.macro ${parameters.map((parameter) => parameter.name).join(', ')}`.trim(),
      sortText: `a${name}`,
    }),
  );
  for (const { name, parameters } of preprocessorMacros.values()) {
    if (parameters)
      items.push(
        make(name, CompletionItemKind.Module, {
          detail: `#define ${name}(${parameters.join(', ')})`,
          sortText: `a${name}`,
        }),
      );
  }
  return items;
}

const SPECIAL_REGISTERS = [
  'cs',
  'ds',
  'es',
  'fs',
  'gs',
  'ss',
  'cr0',
  'cr2',
  'cr3',
  'cr4',
  'dr0',
  'dr1',
  'dr2',
  'dr3',
  'dr6',
  'dr7',
];
const VECTOR_COUNT = 16;
const WIDTHS = [64, 32, 16, 8] as const;

/** General registers of a width, or of all widths, widest first, then the others. */
export function registerItems(
  make: MakeItem,
  state: LineState,
  bits: number | undefined,
  prefix: '%' | '',
): CompletionItem[] {
  const has64 = state.bits === 64;
  const widths = WIDTHS.filter((width) => (has64 || width < 64) && (bits === undefined || width === bits));
  const names = widths.flatMap((width) => generalRegisters(width, has64));
  if (bits === undefined) {
    names.push(...SPECIAL_REGISTERS, ...(has64 ? ['rip', 'cr8'] : []));
    for (const family of ['xmm', 'ymm']) {
      for (let number = 0; number < (has64 ? VECTOR_COUNT : VECTOR_COUNT / 2); number++)
        names.push(`${family}${number}`);
    }
  }
  return names.map((name, index) =>
    make(prefix + name, CompletionItemKind.Variable, {
      sortText: `a${String(index).padStart(3, '0')}`,
      ...data('register', name, state),
    }),
  );
}

/** Labels and constants that a program defines or uses. */
export function symbolItems(make: MakeItem, analysis: Analysis, prefix: '$' | ''): CompletionItem[] {
  const items: CompletionItem[] = [];
  for (const { name, kind, section } of analysis.symbols.values()) {
    const isConstant = kind === 'assignment';
    items.push(
      make(prefix + name, isConstant ? CompletionItemKind.Constant : CompletionItemKind.Field, {
        detail: isConstant ? 'constant' : (section ?? ''),
        sortText: `b${name}`,
      }),
    );
  }
  for (const { name, parameters, body } of analysis.preprocessorMacros.values()) {
    if (parameters || body === '') continue;
    items.push(make(prefix + name, CompletionItemKind.Constant, { detail: body, sortText: `b${name}` }));
  }
  return items;
}

const KVM_HEADER = 'kvm_para.h';

/** The names of KVM's hypercalls. Where nothing defines them, taking one includes their header. */
export function hypercallItems(
  make: MakeItem,
  analysis: Analysis,
  file: string,
  state: LineState,
  prefix: '$' | '',
): CompletionItem[] {
  if (!isPreprocessed(file)) return [];
  const include = {
    range: { start: { line: 0, character: 0 }, end: { line: 0, character: 0 } },
    newText: `#include <${KVM_HEADER}>\n`,
  };
  return hypercalls
    .filter(({ hypervisor, name }) => hypervisor === 'KVM' && !analysis.preprocessorMacros.has(name))
    .filter(({ name }) => !analysis.symbols.get(name)?.definition && !/_(MIPS|PPC)_/.test(name))
    .map(({ name, number }) =>
      make(prefix + name, CompletionItemKind.Constant, {
        detail: `KVM hypercall ${number}`,
        sortText: `b${name}`,
        additionalTextEdits: [include],
        ...data('hypercall', name, state),
      }),
    );
}
