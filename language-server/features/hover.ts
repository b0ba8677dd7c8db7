import { HoverRequest, MarkupKind } from 'vscode-languageserver';
import type { Hover } from 'vscode-languageserver';
import type { AnalyzedStatement, AnalyzedSymbol } from '../../toolchain/assembler/analysis.js';
import { registerName } from '../../toolchain/assembler/syntax.js';
import { decodeStatement } from '../codeFlow/decode.js';
import { constantUse } from '../codeFlow/operandMeaning.js';
import { instructionsNamed } from '../instructionSet/instructionForms.js';
import { directiveNamed, preprocessorDirectiveNamed } from '../knowledge/directives.js';
import type { DirectiveDescription } from '../knowledge/directives.js';
import { descriptionOf } from '../knowledge/instructions/index.js';
import { hypercallNamed } from '../knowledge/hypercalls.js';
import { msrAt, msrNamed } from '../knowledge/msrs.js';
import { describeRegister } from '../knowledge/registers.js';
import { nasmWordAt } from '../nasm/words.js';
import { hex, hexBytes } from '../text/hex.js';
import { instructionText } from '../text/instructionText.js';
import { constantText, hypercallText, msrText } from '../text/numberText.js';
import { cursorAt } from '../workspace/cursor.js';
import type { Cursor } from '../workspace/cursor.js';
import { rangeOf } from '../workspace/positions.js';
import { subjectAt } from '../workspace/subject.js';
import type { Subject } from '../workspace/subject.js';
import { fileOfUri } from '../workspace/uris.js';
import { isNasm } from '../workspace/workspace.js';
import { feature } from './feature.js';

export const hover = feature(
  HoverRequest.type,
  { hoverProvider: true },
  (workspace, { textDocument, position }) => {
    if (isNasm(fileOfUri(textDocument.uri))) {
      const word = nasmWordAt(workspace, textDocument.uri, position);
      const text = word && (instructionText(word.text, 64) ?? registerText(word.text));
      return text ? answer(text, word.range) : null;
    }
    const cursor = cursorAt(workspace, textDocument.uri, position);
    const text = cursor && hoverText(cursor);
    return text ? answer(text, rangeOf({ line: cursor.line, ...cursor.token! })) : null;
  },
);

const answer = (value: string, range: Hover['range']): Hover => ({
  contents: { kind: MarkupKind.Markdown, value },
  range,
});

function hoverText(cursor: Cursor): string | undefined {
  const { token } = cursor;
  if (!token) return undefined;
  const subject = subjectAt(cursor);
  switch (token.kind) {
    case 'mnemonic':
    case 'prefix':
      return subject ? nameText(cursor, subject) : mnemonicText(cursor, token.text);
    case 'directive':
      return directiveText(directiveNamed(token.text));
    case 'preprocessor':
      return directiveText(preprocessorDirectiveNamed(token.text));
    case 'register':
      return registerText(registerName(token.text));
    case 'number':
      return numberText(cursor, token.text);
    default:
      return subject && nameText(cursor, subject);
  }
}

/** The instruction that the statement is, or those that its mnemonic may stand for. */
function mnemonicText({ analysis, file, line, state, token }: Cursor, name: string): string | undefined {
  const names = instructionsNamed(name, state.bits, state.syntax);
  const statements = analysis.statementsAt(file, line);
  const assembled = statements.find(
    ({ column, endColumn }) => column <= token!.column && token!.column < endColumn,
  );
  const decoded = assembled && decodeStatement(assembled)?.mnemonic;
  const likely = names.find((mnemonic) => mnemonic === decoded) ?? names.find(descriptionOf) ?? names[0];
  if (likely === undefined) return undefined;
  const text = instructionText(likely, state.bits);
  return [text, assembled && bytesLine(assembled)].filter(Boolean).join('\n\n');
}

const bytesLine = ({ address, bytes, size, expansion }: AnalyzedStatement): string =>
  size === 0 || expansion ? '' : `*Here:* \`${hexBytes(bytes)}\` at ${hex(address)}`;

function directiveText(directive: DirectiveDescription | undefined): string | undefined {
  return directive && `\`${`${directive.name} ${directive.usage}`.trim()}\`\n\n${directive.text}`;
}

function registerText(name: string): string | undefined {
  const description = describeRegister(name);
  return description && `**${name.toUpperCase()}**: ${description.title}\n\n${description.text}`;
}

/** A number by itself, and what the instruction that takes it makes of it. */
function numberText(cursor: Cursor, text: string): string | undefined {
  const value = parseNumber(text);
  const meaning = meaningHere(cursor);
  if (value === undefined) return meaning;
  const number = `\`${value}\` = \`${hex(value)}\``;
  const named = meaning ?? msrOf(value);
  return named ? `${named}\n\n${number}` : number;
}

/** A number that is an MSR's wherever it stands: nothing else looks like those. */
function msrOf(value: bigint): string | undefined {
  const isMsrRange = value >= 0xc000_0080n || (value >= 0x4b56_4d00n && value <= 0x4b56_4dffn);
  const msr = isMsrRange ? msrAt(Number(value)) : undefined;
  return msr && msrText(msr);
}

function parseNumber(text: string): bigint | undefined {
  const octal = /^0[0-7]+$/.test(text) ? `0o${text.slice(1)}` : text;
  try {
    return BigInt(octal.toLowerCase());
  } catch {
    // A floating-point number or a character.
    return undefined;
  }
}

/** What the constant of the statement under the cursor is for. */
function meaningHere({ analysis, file, line, column }: Cursor): string | undefined {
  const statement = analysis
    .statementsAt(file, line)
    .find((candidate) => candidate.column <= column && column <= candidate.endColumn);
  const use = statement && constantUse(analysis, statement);
  return use && constantText(use);
}

function nameText(cursor: Cursor, { kind, name }: Subject): string | undefined {
  const { analysis } = cursor;
  if (kind === 'macro') {
    const macro = analysis.macros.get(name);
    const parameters = macro?.parameters.map(
      (parameter) => parameter.name + (parameter.isRequired ? ':req' : ''),
    );
    return macro && `\`.macro ${[name, parameters?.join(', ')].filter(Boolean).join(' ')}\``;
  }
  if (kind === 'preprocessorMacro') {
    const macro = analysis.preprocessorMacros.get(name);
    if (!macro) return undefined;
    const parameters = macro.parameters ? `(${macro.parameters.join(', ')})` : '';
    const source = `\`#define ${name}${parameters} ${macro.body}\``;
    return [knownName(name) ?? meaningHere(cursor), source].filter(Boolean).join('\n\n');
  }
  if (kind === 'symbol') {
    const symbol = analysis.symbols.get(name);
    return knownName(name) ?? (symbol && symbolText(symbol));
  }
  return undefined;
}

function knownName(name: string): string | undefined {
  const call = hypercallNamed(name);
  if (call) return hypercallText(call);
  const msr = msrNamed(name);
  return msr && msrText(msr);
}

function symbolText({ name, kind, value, section, binding, type }: AnalyzedSymbol): string {
  if (kind === 'undefined') return `**${name}**: not defined in this program`;
  const number = value === undefined ? undefined : hex(BigInt.asUintN(64, value));
  if (kind === 'assignment') return `**${name}** = ${number ?? 'an expression'}`;
  const words = [binding === 'local' ? '' : binding, type === 'notype' ? 'label' : type];
  const place = section ? ` in \`${section}\`` : '';
  return `**${name}**: ${words.filter(Boolean).join(' ')}${place}${number ? `, address ${number}` : ''}`;
}
