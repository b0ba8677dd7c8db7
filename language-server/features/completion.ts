import {
  CompletionItemKind,
  CompletionRequest,
  CompletionResolveRequest,
  MarkupKind,
} from 'vscode-languageserver';
import type { CompletionItem, Position } from 'vscode-languageserver';
import { expectedRegisterBits, isInAddress } from '../completion/operandSize.js';
import {
  directiveItems,
  hypercallItems,
  itemsIn,
  macroItems,
  mnemonicItems,
  preprocessorItems,
  registerItems,
  symbolItems,
} from '../completion/items.js';
import type { ItemData, MakeItem } from '../completion/items.js';
import { directiveNamed, preprocessorDirectiveNamed } from '../knowledge/directives.js';
import { hypercallNamed } from '../knowledge/hypercalls.js';
import { describeRegister } from '../knowledge/registers.js';
import { nasmWordAt } from '../nasm/words.js';
import { instructionText } from '../text/instructionText.js';
import { hypercallText } from '../text/numberText.js';
import { cursorAt, operandIndexAt } from '../workspace/cursor.js';
import type { Cursor } from '../workspace/cursor.js';
import { fileOfUri } from '../workspace/uris.js';
import { isNasm } from '../workspace/workspace.js';
import type { Workspace } from '../workspace/workspace.js';
import { feature } from './feature.js';

const capabilities = {
  completionProvider: { triggerCharacters: ['%', '.', '$', '#'], resolveProvider: true },
};

export const completion = feature(
  CompletionRequest.type,
  capabilities,
  (workspace, { textDocument, position }) => {
    const { uri } = textDocument;
    if (isNasm(fileOfUri(uri))) return nasmItems(workspace, uri, position);
    // While the user types, the last analysis has to do: the names of a program change slowly.
    const cursor = cursorAt(workspace, uri, position, workspace.latestAnalysis(uri));
    return cursor ? itemsAt(cursor) : null;
  },
);

/** The documentation of an item, made when the user looks at it. */
export const completionResolve = feature(CompletionResolveRequest.type, capabilities, (_, item) => {
  const about = item.data as ItemData | undefined;
  const value = about && documentationOf(about);
  return value ? { ...item, documentation: { kind: MarkupKind.Markdown, value } } : item;
});

function documentationOf({ subject, name, bits }: ItemData): string | undefined {
  switch (subject) {
    case 'instruction':
      return instructionText(name, bits);
    case 'register':
      return describeRegister(name)?.text;
    case 'directive':
      return (directiveNamed(name) ?? preprocessorDirectiveNamed(name))?.text;
    case 'hypercall': {
      const call = hypercallNamed(name);
      return call && hypercallText(call);
    }
  }
}

function itemsAt(cursor: Cursor): CompletionItem[] {
  const { analysis, file, text, column, state, syntax, statement, token } = cursor;
  const typed = /[%$.#\\]?[\w.$]*$/.exec(text.slice(0, column - 1))![0];
  // `#` begins a comment until its word is one of the preprocessor's.
  const isComment = token?.kind === 'comment' && !(typed.startsWith('#') && token.text.startsWith(typed));
  if (isComment || token?.kind === 'string') return [];
  const make = itemsIn(rangeBefore(cursor, typed));
  const matching = (items: CompletionItem[]): CompletionItem[] => filter(items, typed);
  const before = text.slice(0, column - 1 - typed.length);
  if (typed.startsWith('#')) return /^\s*$/.test(before) ? matching(preprocessorItems(make, state)) : [];
  if (typed.startsWith('\\')) return matching(parameterItems(cursor, make));
  const { operation } = statement ?? {};
  const isOperation = !operation || column <= operation.endColumn;
  if (isOperation) {
    if (typed.startsWith('.')) return matching(directiveItems(make, state));
    return matching([
      ...macroItems(make, analysis),
      ...mnemonicItems(make, state),
      ...directiveItems(make, state),
    ]);
  }
  if (operation.kind === 'preprocessor') return matching(symbolItems(make, analysis, ''));
  // Base and index registers are as wide as the mode's addresses.
  const bits = isInAddress(text, column)
    ? state.bits
    : expectedRegisterBits(statement!, operandIndexAt(syntax, statement!, column), state);
  if (typed.startsWith('%')) return matching(registerItems(make, state, bits, '%'));
  const isImmediate = typed.startsWith('$');
  const prefix = isImmediate ? '$' : '';
  const names = [
    ...symbolItems(make, analysis, prefix),
    ...hypercallItems(make, analysis, file, state, prefix),
  ];
  const isInstruction = operation.kind === 'mnemonic';
  if (isImmediate || !isInstruction) return matching(names);
  const registers = registerItems(make, state, bits, state.registerPrefix ? '%' : '');
  return matching([...registers, ...names]);
}

/** The parameters of the macro that the line is in. */
function parameterItems({ analysis, state }: Cursor, make: MakeItem): CompletionItem[] {
  const macro = state.inMacro === undefined ? undefined : analysis.macros.get(state.inMacro);
  return macro?.parameters.map(({ name }) => make(`\\${name}`, CompletionItemKind.Variable)) ?? [];
}

function rangeBefore(
  { line, column }: Cursor,
  typed: string,
): {
  start: Position;
  end: Position;
} {
  const end = { line: line - 1, character: column - 1 };
  return { start: { ...end, character: end.character - typed.length }, end };
}

/** Fewer items travel faster: those that VS Code would filter out by their first letter stay here. */
function filter(items: readonly CompletionItem[], typed: string): CompletionItem[] {
  const start = typed.toLowerCase();
  const seen = new Set<string>();
  return items.filter(({ label }) => {
    if (seen.has(label) || !label.toLowerCase().startsWith(start)) return false;
    seen.add(label);
    return true;
  });
}

function nasmItems(workspace: Workspace, uri: string, position: Position): CompletionItem[] {
  const word = nasmWordAt(workspace, uri, position);
  if (!word) return [];
  const make = itemsIn(word.range);
  const state = {
    bits: 64,
    syntax: 'intel',
    registerPrefix: false,
    section: '',
    inMacro: undefined,
    isActive: true,
  } as const;
  return filter(
    word.isFirst ? mnemonicItems(make, state) : registerItems(make, state, undefined, ''),
    word.text,
  );
}
