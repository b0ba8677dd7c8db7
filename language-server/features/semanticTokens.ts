import {
  SemanticTokensBuilder,
  SemanticTokensRangeRequest,
  SemanticTokensRequest,
} from 'vscode-languageserver';
import type { SemanticTokens } from 'vscode-languageserver';
import type { Analysis } from '../../toolchain/assembler/analysis.js';
import type { SyntaxToken } from '../../toolchain/assembler/syntax.js';
import { exitsOf } from '../knowledge/vmExits.js';
import { instructionsNamed } from '../instructionSet/instructionForms.js';
import { nameOf } from '../workspace/subject.js';
import { fileOfUri } from '../workspace/uris.js';
import type { Workspace } from '../workspace/workspace.js';
import { feature } from './feature.js';

/** `instruction`, `branch`, `vmExit`, `register` and `label` are Hyperstep's own: package.json maps them to TextMate scopes. */
const TYPES = [
  'instruction',
  'branch',
  'vmExit',
  'register',
  'label',
  'keyword',
  'macro',
  'parameter',
  'variable',
  'number',
  'string',
  'comment',
  'enumMember',
] as const;
const MODIFIERS = ['declaration', 'readonly'] as const;
type TypeName = (typeof TYPES)[number];

const DECLARATION = 1;
const READONLY = 2;

const legend = { tokenTypes: [...TYPES], tokenModifiers: [...MODIFIERS] };
const capabilities = { semanticTokensProvider: { legend, full: true, range: true } };

export const semanticTokens = feature(
  SemanticTokensRequest.type,
  capabilities,
  (workspace, { textDocument }) => tokensOf(workspace, textDocument.uri, 1, Number.POSITIVE_INFINITY),
);

export const semanticTokensInRange = feature(
  SemanticTokensRangeRequest.type,
  capabilities,
  (workspace, { textDocument, range }) =>
    tokensOf(workspace, textDocument.uri, range.start.line + 1, range.end.line + 1),
);

function tokensOf(workspace: Workspace, uri: string, first: number, last: number): SemanticTokens | null {
  const analysis = workspace.analysis(uri);
  if (!analysis) return null;
  const file = fileOfUri(uri);
  const builder = new SemanticTokensBuilder();
  for (let line = first; line <= last; line++) {
    const syntax = analysis.lineSyntax(file, line);
    if (!syntax) break;
    const { isActive, bits } = analysis.stateAt(file, line);
    for (const token of syntax.tokens) {
      // A branch of #if that is not taken is shown as what it is: not there.
      const found = isActive || token.kind === 'preprocessor' ? classify(analysis, token, bits) : COMMENT;
      if (!found) continue;
      const { column, endColumn } = token;
      builder.push(line - 1, column - 1, endColumn - column, TYPES.indexOf(found.type), found.modifiers);
    }
  }
  return builder.build();
}

interface Class {
  readonly type: TypeName;
  readonly modifiers: number;
}

const classOf = (type: TypeName, modifiers = 0): Class => ({ type, modifiers });
const COMMENT = classOf('comment');

/** What the line alone says of a token. Comments, strings, numbers and operators are the grammar's. */
const BY_KIND: Readonly<Partial<Record<SyntaxToken['kind'], Class>>> = {
  label: classOf('label', DECLARATION),
  localLabel: classOf('label', DECLARATION),
  localLabelReference: classOf('label'),
  register: classOf('register'),
  macroName: classOf('macro', DECLARATION),
  macroParameter: classOf('parameter', DECLARATION),
  macroArgument: classOf('parameter'),
  preprocessorName: classOf('macro', DECLARATION),
};

function classify(analysis: Analysis, token: SyntaxToken, bits: 16 | 32 | 64): Class | undefined {
  const name = nameOf(token);
  if (token.kind === 'mnemonic') {
    if (analysis.macros.has(name) || analysis.preprocessorMacros.has(name)) return classOf('macro');
    return classOf(instructionType(name, bits));
  }
  if (token.kind === 'symbol') {
    if (analysis.preprocessorMacros.has(name)) return classOf('enumMember', READONLY);
    const symbol = analysis.symbols.get(name);
    if (symbol?.kind === 'assignment') return classOf('variable', READONLY);
    return symbol ? classOf('label') : undefined;
  }
  if (token.kind === 'label' && analysis.symbols.get(name)?.kind === 'assignment')
    return classOf('variable', DECLARATION | READONLY);
  return BY_KIND[token.kind];
}

/** Where control may go elsewhere, or ends. */
const BRANCH =
  /^(j[a-z]+|loop(n?[ez])?|l?(call|jmp)[lqw]?|l?retf?[lqw]?|hlt|syscall|sys(enter|exit|ret)[lq]?|int[13o]?|iret[dlqw]?|ud[012])$/i;

const types = new Map<string, TypeName>();

/** Instructions that leave a guest whatever the controls say, and the hypercall of the other vendor, stand out. */
function instructionType(name: string, bits: 16 | 32 | 64): TypeName {
  const key = `${bits} ${name}`;
  let type = types.get(key);
  if (type === undefined) {
    const [mnemonic] = instructionsNamed(name, bits, 'att');
    const vmx = mnemonic === undefined ? undefined : exitsOf(mnemonic)?.vmx;
    const alwaysExits = mnemonic === 'vmmcall' || (vmx !== undefined && vmx.control === undefined);
    type = alwaysExits ? 'vmExit' : BRANCH.test(name) ? 'branch' : 'instruction';
    types.set(key, type);
  }
  return type;
}
