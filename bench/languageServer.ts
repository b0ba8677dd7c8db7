/**
 * How fast the language server answers on a program of 20,000 lines: the 95th percentile, in milliseconds, of
 * diagnostics after an edit, of completion while typing, and of the other features. `npx tsx bench/languageServer.ts`
 */
import { TextDocument } from 'vscode-languageserver-textdocument';
import { diagnose } from '../language-server/diagnostics/diagnose.js';
import { features } from '../language-server/features/index.js';
import { synchronousFiles } from '../language-server/workspace/sourceFiles.js';
import { Workspace } from '../language-server/workspace/workspace.js';

const LINES = 20_000;
const EDITS = Number(process.env.EDITS ?? 60);
const WARM_UP = 5;
const FILE = '/bench/main.S';
const URI = `file://${FILE}`;

/** Functions with calls, loops, data and hypercalls, as programs have them. */
function program(): string {
  const lines = ['\t.text', '\t.globl\t_start', '_start:', '\tcall\tfunction_0', '\tcli', '\thlt'];
  for (let number = 0; lines.length < LINES; number++) {
    const next = Math.max(0, number - 1);
    lines.push(
      `function_${number}:`,
      '\tpushq\t%rbp',
      '\tmovq\t%rsp, %rbp',
      `\tmovl\t$${number}, %ecx\t\t/* how often */`,
      `1:\taddq\ttable_${number}(%rip), %rax`,
      '\tleaq\t8(%rdi,%rcx,8), %rsi',
      '\tmovzbl\t(%rsi), %edx',
      '\tcmpb\t$0x20, %dl',
      '\tje\t2f',
      '\tdecl\t%ecx',
      '\tjnz\t1b',
      `2:\tcall\tfunction_${next}`,
      ...(number % 50 === 0
        ? ['\tmovl\t$5, %eax', '\txorl\t%ebx, %ebx', '\tmovl\t$1, %ecx', '\tvmcall']
        : []),
      '\tpopq\t%rbp',
      '\tret',
      '\t.data',
      `table_${number}:`,
      `\t.quad\tfunction_${number}, ${number}`,
      '\t.text',
    );
  }
  return `${lines.slice(0, LINES).join('\n')}\n`;
}

const workspace = new Workspace(synchronousFiles(() => undefined));
let document = TextDocument.create(URI, 'hyperstep-gas', 0, program());
workspace.update(document);

function edit(line: number, text: string): void {
  const range = { start: { line, character: 0 }, end: { line: line + 1, character: 0 } };
  document = TextDocument.update(document, [{ range, text: `${text}\n` }], document.version + 1);
  workspace.update(document);
}

const answer = (method: string, parameters: Record<string, unknown>): unknown =>
  features
    .find((feature) => feature.method === method)!
    .answer(workspace, { textDocument: { uri: URI }, ...parameters });

/** Time of the clock, and time that the processor worked: on a busy machine the second is the honest one. */
const now = (): { clock: number; work: number } => {
  const { user, system } = process.cpuUsage();
  return { clock: performance.now(), work: (user + system) / 1000 };
};

/** The median and the 95th percentile of the times of an action. */
function measure(name: string, action: (round: number) => void): void {
  const clock: number[] = [];
  const work: number[] = [];
  for (let round = 0; round < EDITS + WARM_UP; round++) {
    const start = now();
    action(round);
    const end = now();
    if (round < WARM_UP) continue;
    clock.push(end.clock - start.clock);
    work.push(end.work - start.work);
  }
  const at = (times: number[], share: number): string => {
    const sorted = times.sort((left, right) => left - right);
    return sorted[Math.floor(share * (times.length - 1))].toFixed(1).padStart(8);
  };
  const shown = [clock, work].map((times) => `median ${at(times, 0.5)} ms  95 % ${at(times, 0.95)} ms`);
  console.log(`${name.padEnd(30)} clock: ${shown[0]}   processor: ${shown[1]}`);
}

const lineOf = (round: number): number => 10 + ((round * 7919) % (LINES - 20));

console.log(`${LINES} lines`);
measure('assembly and diagnostics', (round) => {
  edit(lineOf(round), `\tmovl\t$${round}, %eax`);
  diagnose(workspace, workspace.analyze(FILE)!);
});
measure('completion of a mnemonic', (round) => {
  const line = lineOf(round);
  edit(line, '\tmo');
  answer('textDocument/completion', { position: { line, character: 3 } });
});
measure('completion of an operand', (round) => {
  const line = lineOf(round);
  edit(line, '\tcall\tfu');
  answer('textDocument/completion', { position: { line, character: 8 } });
});
const line = 9;
edit(line, '\tmovl\t$5, %eax');
workspace.analyze(FILE);
const position = { line, character: 2 };
const range = { start: { line: 0, character: 0 }, end: { line: 60, character: 0 } };
measure('hover', () => answer('textDocument/hover', { position }));
measure('definition', () => answer('textDocument/definition', { position: { line: 3, character: 8 } }));
measure('references', () =>
  answer('textDocument/references', {
    position: { line: 3, character: 8 },
    context: { includeDeclaration: true },
  }),
);
measure('semantic tokens, whole file', () => answer('textDocument/semanticTokens/full', {}));
measure('semantic tokens, one screen', () => answer('textDocument/semanticTokens/range', { range }));
measure('inlay hints, one screen', () => answer('textDocument/inlayHint', { range }));
measure('document symbols', () => answer('textDocument/documentSymbol', {}));
measure('folding', () => answer('textDocument/foldingRange', {}));
measure('code lenses', () => answer('textDocument/codeLens', {}));
