import { SignatureHelpRequest } from 'vscode-languageserver';
import type { SignatureInformation } from 'vscode-languageserver';
import type { LineState } from '../../toolchain/assembler/analysis.js';
import { factsOf, instructionsNamed } from '../instructionSet/instructionForms.js';
import { directiveNamed } from '../knowledge/directives.js';
import { descriptionOf } from '../knowledge/instructions/index.js';
import { cursorAt, operandIndexAt } from '../workspace/cursor.js';
import type { Cursor } from '../workspace/cursor.js';
import { feature } from './feature.js';

const MOST_SIGNATURES = 20;

export const signatureHelp = feature(
  SignatureHelpRequest.type,
  { signatureHelpProvider: { triggerCharacters: [' ', '\t', ','], retriggerCharacters: [','] } },
  (workspace, { textDocument, position }) => {
    const { uri } = textDocument;
    const cursor = cursorAt(workspace, uri, position, workspace.latestAnalysis(uri));
    const statement = cursor?.statement;
    if (!statement?.operation || cursor!.column <= statement.operation.endColumn) return null;
    if (cursor!.token?.kind === 'comment') return null;
    const signatures = signaturesOf(cursor!, statement.operation.text);
    if (signatures.length === 0) return null;
    const activeParameter = operandIndexAt(cursor!.syntax, statement, cursor!.column);
    const fitting = signatures.findIndex(
      ({ parameters = [] }) => parameters.length >= statement.operands.length,
    );
    return { signatures, activeSignature: Math.max(0, fitting), activeParameter };
  },
);

function signaturesOf({ analysis, state }: Cursor, name: string): SignatureInformation[] {
  const macro = analysis.macros.get(name);
  if (macro)
    return [
      signature(
        name,
        macro.parameters.map((parameter) => parameter.name),
      ),
    ];
  const preprocessorMacro = analysis.preprocessorMacros.get(name);
  if (preprocessorMacro?.parameters) return [signature(name, preprocessorMacro.parameters)];
  if (name.startsWith('.')) {
    const directive = directiveNamed(name);
    if (!directive?.usage) return [];
    return [{ label: `${name} ${directive.usage}`, documentation: directive.text, parameters: [] }];
  }
  return instructionSignatures(name, state);
}

/** The forms of an instruction, in the order of the syntax's operands. */
function instructionSignatures(name: string, state: LineState): SignatureInformation[] {
  const seen = new Map<string, SignatureInformation>();
  for (const mnemonic of instructionsNamed(name, state.bits, state.syntax)) {
    const documentation = descriptionOf(mnemonic)?.operation;
    for (const { form, valid64, valid16And32 } of factsOf(mnemonic)?.encodings ?? []) {
      if (seen.size >= MOST_SIGNATURES || !(state.bits === 64 ? valid64 : valid16And32)) continue;
      const operands = /^\S+ (.*)$/.exec(form)?.[1].split(', ') ?? [];
      if (operands.length === 0) continue;
      const ordered = state.syntax === 'att' ? operands.reverse() : operands;
      const made = signature(name, ordered);
      if (!seen.has(made.label)) seen.set(made.label, { ...made, documentation });
    }
  }
  return [...seen.values()];
}

/** `name a, b` with the places of its parameters. */
function signature(name: string, names: readonly string[]): SignatureInformation {
  let label = name;
  const parameters = names.map((parameter, index) => {
    label += index === 0 ? ' ' : ', ';
    const start = label.length;
    label += parameter;
    return { label: [start, label.length] as [number, number] };
  });
  return { label, parameters };
}
