import { CodeActionKind, CodeActionRequest } from 'vscode-languageserver';
import type { CodeAction, Diagnostic, Range, TextEdit } from 'vscode-languageserver';
import { formsOf } from '../../toolchain/assembler/instructionTable.js';
import { meaningsOf } from '../../toolchain/assembler/mnemonics.js';
import { hypercallNamed } from '../knowledge/hypercalls.js';
import { cursorAt } from '../workspace/cursor.js';
import type { Workspace } from '../workspace/workspace.js';
import { feature } from './feature.js';

interface Fix {
  readonly title: string;
  readonly edit: TextEdit;
  readonly isPreferred: boolean;
}

interface Problem {
  readonly workspace: Workspace;
  readonly uri: string;
  readonly diagnostic: Diagnostic;
}

/** Newer clients may send marked-up messages. */
const messageOf = ({ message }: Diagnostic): string =>
  typeof message === 'string' ? message : message.value;

/** What can be done about a diagnostic, by its code or its message. */
const fixers: readonly (readonly [
  about: (diagnostic: Diagnostic) => boolean,
  fixes: (problem: Problem) => Fix[],
])[] = [
  [(diagnostic) => /no instruction mnemonic suffix/i.test(messageOf(diagnostic)), addSuffix],
  [({ code }) => code === 'other-vendors-hypercall', otherHypercall],
  [({ code }) => code === 'start-not-global', makeStartGlobal],
  [(diagnostic) => /undefined|not defined/i.test(messageOf(diagnostic)), includeHypercalls],
];

export const codeActions = feature(
  CodeActionRequest.type,
  { codeActionProvider: { codeActionKinds: [CodeActionKind.QuickFix] } },
  (workspace, { textDocument: { uri }, context }) =>
    context.diagnostics.flatMap((diagnostic) =>
      fixers
        .filter(([about]) => about(diagnostic))
        .flatMap(([, fixes]) => fixes({ workspace, uri, diagnostic }))
        .map(({ title, edit, isPreferred }): CodeAction => ({
          title,
          kind: CodeActionKind.QuickFix,
          diagnostics: [diagnostic],
          isPreferred,
          edit: { changes: { [uri]: [edit] } },
        })),
    ),
);

/** The mnemonic of the statement that a diagnostic is about. */
function mnemonicOf({
  workspace,
  uri,
  diagnostic,
}: Problem): { name: string; range: Range; bits: 16 | 32 | 64 } | undefined {
  const cursor = cursorAt(workspace, uri, diagnostic.range.start);
  const operation = cursor?.statement?.operation;
  if (!operation || operation.kind !== 'mnemonic') return undefined;
  const line = cursor.line - 1;
  return {
    name: operation.text,
    range: {
      start: { line, character: operation.column - 1 },
      end: { line, character: operation.endColumn - 1 },
    },
    bits: cursor.state.bits,
  };
}

const SUFFIXES: readonly (readonly [suffix: string, bits: number])[] = [
  ['b', 8],
  ['w', 16],
  ['l', 32],
  ['q', 64],
];

function addSuffix(problem: Problem): Fix[] {
  const mnemonic = mnemonicOf(problem);
  if (!mnemonic) return [];
  const { name, range, bits } = mnemonic;
  const fits = (suffix: string, width: number): boolean =>
    meaningsOf((name + suffix).toLowerCase(), bits).some(({ mnemonic: intel, suffixBits }) =>
      formsOf(intel).some((form) => form.modes[bits] && suffixBits === width && form.suffixBits === width),
    );
  return SUFFIXES.filter(([suffix, width]) => fits(suffix, width)).map(([suffix, width]) => ({
    title: `Write ${name}${suffix} (${width} bits)`,
    edit: { range, newText: name + suffix },
    isPreferred: false,
  }));
}

function otherHypercall(problem: Problem): Fix[] {
  const mnemonic = mnemonicOf(problem);
  if (!mnemonic) return [];
  const newText = mnemonic.name.toLowerCase() === 'vmmcall' ? 'vmcall' : 'vmmcall';
  const title = `Write ${newText}, the hypercall of this host’s processor`;
  return [{ title, edit: { range: mnemonic.range, newText }, isPreferred: true }];
}

function makeStartGlobal({ diagnostic }: Problem): Fix[] {
  const start = { line: diagnostic.range.start.line, character: 0 };
  const newText = '\t.globl\t_start\n';
  return [{ title: 'Add .globl _start', edit: { range: { start, end: start }, newText }, isPreferred: true }];
}

/** A name of KVM's interface that its header defines. */
function includeHypercalls({ workspace, uri, diagnostic }: Problem): Fix[] {
  const cursor = cursorAt(workspace, uri, diagnostic.range.start);
  const names = cursor?.syntax.tokens.filter(({ kind }) => kind === 'symbol').map(({ text }) => text) ?? [];
  if (!names.some((name) => hypercallNamed(name)?.hypervisor === 'KVM')) return [];
  const start = { line: 0, character: 0 };
  const newText = '#include <kvm_para.h>\n';
  return [
    { title: 'Include kvm_para.h', edit: { range: { start, end: start }, newText }, isPreferred: true },
  ];
}
