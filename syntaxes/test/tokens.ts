/** Tokens of a text by VS Code's own TextMate engine, which comes with the VS Code that the tests run in. */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { codeServer } from '../../extension/test/harness/codeServer.js';

export const syntaxes = path.join(path.dirname(fileURLToPath(import.meta.url)), '..');

/** What is used of vscode-textmate and vscode-oniguruma. */
interface RuleStack {
  readonly depth: number;
}
interface Grammar {
  tokenizeLine(
    line: string,
    before: RuleStack,
  ): { tokens: { startIndex: number; endIndex: number; scopes: string[] }[]; ruleStack: RuleStack };
}
interface TextMate {
  readonly INITIAL: RuleStack;
  Registry: new (options: unknown) => { loadGrammar(scope: string): Promise<Grammar | null> };
  parseRawGrammar(content: string, file: string): unknown;
}
interface Oniguruma {
  loadWASM(bytes: Uint8Array): Promise<void>;
  createOnigScanner(patterns: string[]): unknown;
  createOnigString(text: string): unknown;
}

const FILES: Readonly<Record<string, string>> = {
  'source.asm.gas.x86-64': 'gas.tmLanguage.json',
  'source.asm.gas-intel.x86-64': 'gas-intel.tmLanguage.json',
  'source.asm.nasm.x86-64': 'nasm.tmLanguage.json',
  'text.hyperstep-trace': 'trace.tmLanguage.json',
};

/** The tokenizer of a grammar. Lays the tests’ VS Code out when it is not there yet. */
export async function loadGrammar(scope: string): Promise<(text: string) => string[]> {
  const modules = path.join(codeServer(), 'node_modules');
  const require = createRequire(path.join(modules, 'package.json'));
  const textMate = require(path.join(modules, 'vscode-textmate')) as TextMate;
  const oniguruma = require(path.join(modules, 'vscode-oniguruma')) as Oniguruma;
  await oniguruma.loadWASM(readFileSync(path.join(modules, 'vscode-oniguruma', 'release', 'onig.wasm')));
  const registry = new textMate.Registry({
    onigLib: Promise.resolve({
      createOnigScanner: (patterns: string[]) => oniguruma.createOnigScanner(patterns),
      createOnigString: (text: string) => oniguruma.createOnigString(text),
    }),
    loadGrammar: (name: string) => {
      const file = FILES[name];
      if (!file) return Promise.resolve(null);
      const content = readFileSync(path.join(syntaxes, file), 'utf8');
      return Promise.resolve(textMate.parseRawGrammar(content, file));
    },
  });
  const grammar = await registry.loadGrammar(scope);
  if (!grammar) throw new Error(`No grammar has the scope ${scope}`);
  return (text) => tokenize(grammar, textMate.INITIAL, text);
}

/** A line of the source, then one line for each token that a grammar names: its text and its innermost scope. */
function tokenize(grammar: Grammar, initial: RuleStack, text: string): string[] {
  const lines: string[] = [];
  let stack = initial;
  for (const line of text.split('\n')) {
    const { tokens, ruleStack } = grammar.tokenizeLine(line, stack);
    stack = ruleStack;
    lines.push(`> ${line}`);
    for (const { startIndex, endIndex, scopes } of tokens) {
      const word = line.slice(startIndex, endIndex).trim();
      const named = scopes.slice(1).filter((scope) => !scope.startsWith('meta.'));
      if (word !== '' && named.length > 0) lines.push(`  ${word}  ${named.join(' ')}`);
    }
  }
  return lines;
}
