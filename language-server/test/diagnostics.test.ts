import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import path from 'node:path';
import type { CodeAction, Diagnostic, WorkspaceEdit } from 'vscode-languageserver';
import { diagnose } from '../diagnostics/diagnose.js';
import type { AssemblySettings } from '../settings.js';
import { open, root, workspaceOnDisk } from './check.js';

const FILE = '/work/main.S';

function diagnosticsOf(text: string, settings: Partial<AssemblySettings> = {}): Diagnostic[] {
  const { workspace } = open(text, settings);
  return diagnose(workspace, workspace.analyze(FILE)!).get(FILE)!;
}

const START = '\t.globl _start\n_start:\n';

describe('diagnostics', () => {
  const check = (
    text: string,
    expect: readonly (readonly [line: number, code: string | RegExp])[],
    settings: Partial<AssemblySettings> = {},
  ): void => {
    it(`${JSON.stringify(text)} gives ${expect.map(([line, code]) => `${line} ${code}`).join(', ') || 'nothing'}`, () => {
      const found = diagnosticsOf(text, settings);
      const texts = found.map(({ range, code, message }) => `${range.start.line} ${code ?? message}`);
      assert.equal(found.length, expect.length, texts.join('\n'));
      expect.forEach(([line, code], index) => {
        assert.equal(found[index].range.start.line, line, texts.join('\n'));
        if (typeof code === 'string') assert.equal(found[index].code, code);
        else assert.match(String(found[index].message), code);
      });
    });
  };

  check('\tmov $1, %eax\n\tbogus %eax\n', [[1, /no such instruction/]]);
  check('_start:\n\tret\n', [[0, 'start-not-global']]);
  check('\tvmmcall\n', [[0, 'other-vendors-hypercall']]);
  check('\tvmmcall\n', [], { vendor: 'amd' });

  const kick = '\tmovl $5, %eax\n';
  check(`${START}${kick}\tvmcall\n`, [[3, 'unset-hypercall-argument']]);
  check(`${START}${kick}\txorl %ebx, %ebx\n\tmovl $1, %ecx\n\tvmcall\n`, []);
  check(`${START}\tcall f\n${kick}\tvmcall\nf:\tret\n`, [[4, 'unset-hypercall-argument']]);
  // The caller of f may have set them.
  check(`f:\n${kick}\tvmcall\n\tret\n`, []);
  check(`${START}\tjmp g\ng:\n${kick}\tvmcall\n`, []);
  // Who knows what a loop leaves behind, but RBX is never written.
  check(`${START}\txorl %ebx, %ebx\n1:\tmovl $2, %ecx\n${kick}\tvmcall\n\tjmp 1b\n`, []);
  check(`${START}\tmovl $999, %eax\n\tvmcall\n`, []);

  const enterUser = `${START}\tpushq $0x1b\n\tpushq $0\n\tpushq $2\n\tpushq $0x23\n\tleaq user(%rip), %rax\n\tpushq %rax\n\tiretq\n`;
  check(`${enterUser}user:\n\tvmcall\n`, [[10, 'hypercall-at-cpl3']]);
  check(`${enterUser.replace('$0x23', '$0x08')}user:\n\tvmcall\n`, []);
  check(`${enterUser}user:\n\tsyscall\n\tvmcall\n`, []);
  check(`${START}\tleaq user(%rip), %rcx\n\tsysretq\nuser:\n\tvmcall\n`, [[5, 'hypercall-at-cpl3']]);

  const cut = (value: string): string =>
    `${START}\tmovabsq $${value}, %rax\n\tpushq $0x18\n\tleaq c(%rip), %rcx\n\tpushq %rcx\n\tlretq\n\t.code32\nc:\n\tvmcall\n`;
  check(cut('0x100000064'), [[9, 'operand-cut']]);
  check(cut('0x64'), []);

  const sensitive = [
    'sgdt (%rax)',
    'sidt (%rax)',
    'sldt %eax',
    'smsw %eax',
    'pushfq',
    'popfq',
    'lar %eax, %ebx',
  ]
    .concat([
      'lsl %eax, %ebx',
      'verr %ax',
      'verw %ax',
      'popw %fs',
      'pushq %fs',
      'lcall *(%rax)',
      'ljmp *(%rax)',
    ])
    .concat(['int $0x80', 'lretq', 'iretq', 'str %eax', 'movl %cs, %eax']);
  const harmless = [
    'pushq %rax',
    'popq %rax',
    'call f',
    'jmp f',
    'ret',
    'movq %rax, %rbx',
    'cli',
    'jmp *%rax',
  ];
  for (const instruction of sensitive) {
    check(`\t${instruction}\nf:\n`, [[0, 'sensitive-instruction']], { deprivileged: true });
    check(`\t${instruction}\nf:\n`, []);
  }
  for (const instruction of harmless) check(`\t${instruction}\nf:\n`, [], { deprivileged: true });
  check('/* hyperstep: deprivileged */\n\tsgdt (%rax)\n', [[1, 'sensitive-instruction']]);
  check('\t.code32\n\tint $0x82\n\tpushfl\n', [[2, 'sensitive-instruction']]);
});

/** What the examples show on purpose. */
const SHOWN: Readonly<Record<string, readonly string[]>> = {
  'cpl3/cpl3.S': ['hypercall-at-cpl3'],
  'operand-cut/operand-cut.S': ['operand-cut'],
  'vmmcall/vmmcall.S': ['other-vendors-hypercall'],
};

describe('diagnostics of the examples', () => {
  const folder = path.join(root, 'examples');
  const sources = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((file) =>
    /\.[sS]$/.test(file),
  );
  for (const source of sources) {
    it(`${source} has ${SHOWN[source]?.join(', ') ?? 'none'}`, () => {
      const workspace = workspaceOnDisk();
      const file = path.join(folder, source);
      const found = diagnose(workspace, workspace.analyze(file)!).get(file)!;
      assert.deepEqual(
        found.map(({ code, message }) => code ?? message),
        SHOWN[source] ?? [],
      );
    });
  }
});

describe('quick fixes', () => {
  const check = (text: string, ...titles: readonly RegExp[]): void => {
    it(`${JSON.stringify(text)}: ${titles.join(', ')}`, () => {
      const { request, workspace } = open(text);
      const diagnostics = diagnose(workspace, workspace.analyze(FILE)!).get(FILE)!;
      const actions = request<CodeAction[]>('textDocument/codeAction', { context: { diagnostics } });
      assert.equal(actions.length, titles.length, actions.map(({ title }) => title).join(', '));
      titles.forEach((title, index) => assert.match(actions[index].title, title));
    });
  };
  check('\taddq $1, %rax\n');
  check('\tadd $1, (%rax)\n', /addb/, /addw/, /addl/, /addq/);
  check('\tvmmcall\n', /vmcall/);
  check('_start:\n\tret\n', /\.globl _start/);

  it('adds .globl before _start', () => {
    const { request, workspace, uri } = open('_start:\n\tret\n');
    const diagnostics = diagnose(workspace, workspace.analyze(FILE)!).get(FILE)!;
    const [action] = request<CodeAction[]>('textDocument/codeAction', { context: { diagnostics } });
    const { changes } = action.edit as WorkspaceEdit;
    assert.equal(changes![uri][0].newText, '\t.globl\t_start\n');
  });
});
