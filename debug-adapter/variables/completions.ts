/** Completions in the debug console: registers behind `$`, names of the program, fields of the VMCS. */
import type { DebugProtocol } from '@vscode/debugprotocol';
import { vmcsFields } from '../../emulator/vmx/fields.js';
import { isStruct, namedMembers } from '../../toolchain/debuginfo/values.js';
import { stripped } from '../../toolchain/debuginfo/types.js';
import type { FrameContext } from './frameContext.js';
import { evaluateIn } from './frameContext.js';
import { allRegisterNames } from './registerNames.js';

type Item = DebugProtocol.CompletionItem;

/** More are of no use in a list. */
const MOST_ITEMS = 200;

/** What can stand at 1-based `column` of the line `line` (1-based; the last without it) of `text`. */
export function completions(
  args: Pick<DebugProtocol.CompletionsArguments, 'text' | 'column' | 'line'>,
  context: FrameContext | undefined,
): Item[] {
  const lines = args.text.split('\n');
  const before = (lines[args.line === undefined ? lines.length - 1 : args.line - 1] ?? '').slice(
    0,
    args.column - 1,
  );
  const [, qualifier = '', typed] = /((?:[$\w\])]+(?:\.|->))*|\$)(\w*)$/.exec(before) ?? ['', '', ''];
  const start = before.length - typed.length;
  const matches = candidates(qualifier, context).filter(({ label }) =>
    label.toLowerCase().startsWith(typed.toLowerCase()),
  );
  return matches.slice(0, MOST_ITEMS).map((item) => ({ ...item, start, length: typed.length }));
}

function candidates(qualifier: string, context: FrameContext | undefined): Item[] {
  const registers = allRegisterNames.map((label): Item => ({
    label,
    type: 'variable',
    sortText: `2${label}`,
  }));
  if (qualifier === '$' || !context) return registers;
  if (/^\$?vmcs\.$/.test(qualifier)) return vmcsFields.map(({ name }) => ({ label: name, type: 'field' }));
  if (qualifier !== '') return membersOf(qualifier.replace(/(\.|->)$/, ''), context);
  return [...programNames(context), ...registers, { label: 'vmcs', type: 'module', sortText: '2vmcs' }];
}

/** The members of the struct that an expression is, or points to; none when it is no such thing. */
function membersOf(expression: string, context: FrameContext): Item[] {
  try {
    const type = stripped(evaluateIn(expression, context).type);
    const struct = type.kind === 'pointer' ? stripped(type.target) : type;
    if (!isStruct(struct)) return [];
    return namedMembers(struct).map(({ name }) => ({ label: name!, type: 'field' }));
  } catch {
    // What is being typed need not be an expression yet.
    return [];
  }
}

function programNames({ frame, debuggee }: FrameContext): Item[] {
  const info = (frame.image ?? debuggee.images(frame.world)[0])?.debugInfo;
  if (!info) return [];
  const visible = info.variablesAt(frame.lookup, frame.inlineDepth);
  const items = new Map<string, Item>();
  const add = (label: string, type: Item['type'], order: number): void => {
    if (!items.has(label)) items.set(label, { label, type, sortText: `${order}${label}` });
  };
  for (const { name } of [...visible.locals, ...visible.arguments]) add(name, 'variable', 0);
  for (const { name } of info.globals()) add(name, 'variable', 1);
  for (const { name } of info.allFunctions()) add(name, 'function', 1);
  for (const { name, kind } of info.allSymbols()) add(name, kind === 'code' ? 'function' : 'variable', 1);
  return [...items.values()];
}
