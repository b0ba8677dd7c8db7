import assert from 'node:assert/strict';
import type {
  CompletionItem,
  DocumentHighlight,
  DocumentSymbol,
  Hover,
  InlayHint,
  Location,
  MarkupContent,
  SignatureHelp,
  TextEdit,
  WorkspaceEdit,
} from 'vscode-languageserver';
import { open, short } from './check.js';

const EVERYTHING = { start: { line: 0, character: 0 }, end: { line: 1000, character: 0 } };

describe('hover', () => {
  const check = (text: string, ...expect: readonly RegExp[]): void => {
    it(`${JSON.stringify(text)} says ${expect.join(', ')}`, () => {
      const hover = open(text).request<Hover | null>('textDocument/hover');
      const value = (hover?.contents as MarkupContent | undefined)?.value ?? '';
      for (const pattern of expect) assert.match(value, pattern);
    });
  };
  check('\tvm¦call\n', /hypercall of Intel/, /always, in VMX non-root/, /EXIT_REASON_VMCALL/, /NP 0F 01 C1/);
  check('\tcpu¦id\n', /Exit reason 10/, /VMEXIT_CPUID`, 72h/);
  check('\tmovq\t%rax, %cr3\n\tmo¦vq %rax, %rbx\n', /CR3-load exiting/, /`REX.W 89 \/r` . `MOV r\/m64, r64/);
  check('\tmo¦vq %rax, %rbx\n', /Flags:\* none/);
  check('\tpop¦fq\n', /silently ignored/, /POPF intercept/);
  check('\taddq $1, %r¦ax\n', /General register, 64 bits/);
  check('\t.bal¦ign 8\n', /\.balign bytes/);
  check('x¦:\n\tret\n', /label in `\.text`, address 0x/);
  check('\tmovl $0x¦a, %eax\n\tvmcall\n', /KVM_HC_SEND_IPI/, /RBX.*ipi_bitmap_low/);
  check('\tmovl $0xc000¦0082, %ecx\n\trdmsr\n', /IA32_LSTAR/);
  check('\tmovl $0x4000¦0000, %eax\n\tcpuid\n', /CPUID leaf 0x40000000/, /KVMKVMKVM/);
  check('#include <kvm_para.h>\n\tmovl $KVM_HC_KICK¦_CPU, %eax\n', /KVM hypercall 5/, /apic_id/);
});

describe('completion', () => {
  const labels = (text: string): string[] =>
    (open(text).request<CompletionItem[] | null>('textDocument/completion') ?? []).map(({ label }) => label);
  const check = (text: string, offered: readonly string[], missing: readonly string[] = []): void => {
    it(`${JSON.stringify(text)} offers ${offered.join(' ')}`, () => {
      const found = labels(text);
      for (const label of offered)
        assert.ok(found.includes(label), `${label} is not in ${found.slice(0, 40).join(' ')}`);
      for (const label of missing) assert.ok(!found.includes(label), `${label} is offered`);
    });
  };
  check('\tvm¦\n', ['vmcall', 'vmlaunch', 'vmmcall'], ['movq']);
  check('\t.code32\n\tpus¦\n', ['pushal', 'pushl'], ['pushq']);
  check('\tmo¦\n', ['movq', 'movzbl', 'movabsq']);
  check('\tmovl $1, %¦\n', ['%eax', '%r8d'], ['%rax', '%ax']);
  check('\tmovzbl %¦\n', ['%al', '%r8b'], ['%eax']);
  check('\tmovq (%¦\n', ['%rax'], ['%eax']);
  check('\t.code32\n\tmovl $1, %¦\n', ['%eax'], ['%r8d']);
  check('\t.bal¦\n', ['.balign']);
  check('#inc¦\n', ['#include']);
  check('\t.macro twice register\n\t.endm\n\ttw¦\n', ['twice']);
  check('\t.macro twice register\n\taddq \\¦, %rax\n\t.endm\n', ['\\register']);
  check('x = 5\n\tmovl $¦\n', ['$x', '$KVM_HC_KICK_CPU']);
  check('#include <kvm_para.h>\n\tmovl $KVM_HC¦\n', ['$KVM_HC_SEND_IPI']);
  check('name:\n\tcall ¦\n', ['name']);
  check('\tret # vm¦\n', []);

  it('includes the header of a hypercall that nothing defines', () => {
    const items = open('\tmovl $KVM_HC_K¦\n').request<CompletionItem[]>('textDocument/completion');
    const [kick] = items.filter(({ label }) => label === '$KVM_HC_KICK_CPU');
    assert.match(kick.additionalTextEdits![0].newText, /#include <kvm_para\.h>/);
  });

  it('documents an item that is looked at', () => {
    const { request } = open('\tvmca¦\n');
    const [item] = request<CompletionItem[]>('textDocument/completion');
    const resolved = request<CompletionItem>('completionItem/resolve', { ...item });
    assert.match((resolved.documentation as MarkupContent).value, /VM exit/);
  });
});

describe('signature help', () => {
  it('shows the forms of an instruction in the order of AT&T operands', () => {
    const help = open('\tmovq %rax, ¦\n').request<SignatureHelp>('textDocument/signatureHelp');
    assert.equal(help.activeParameter, 1);
    assert.ok(
      help.signatures.some(({ label }) => label === 'movq r64, r/m64'),
      help.signatures[0]?.label,
    );
  });
  it('shows the parameters of a macro', () => {
    const text = '\t.macro put to, value\n\t.endm\n\tput 1, ¦\n';
    const help = open(text).request<SignatureHelp>('textDocument/signatureHelp');
    assert.equal(help.signatures[0].label, 'put to, value');
    assert.equal(help.activeParameter, 1);
  });
});

describe('definition', () => {
  const check = (text: string, ...expect: readonly string[]): void => {
    it(`${JSON.stringify(text)} is at ${expect.join(' ')}`, () => {
      const places = open(text).request<Location[] | null>('textDocument/definition') ?? [];
      assert.deepEqual(
        places.map(({ uri, range }) => `${uri.slice(uri.lastIndexOf('/') + 1)} ${short(range)}`),
        expect,
      );
    });
  };
  check('a:\n\tjmp a¦\n', 'main.S 0:0-1');
  check('\tjmp 1¦f\n1:\tret\n1:\tret\n', 'main.S 1:0-1');
  check('//- /main.S\n#include "part.S"\n\tcall pri¦nt\n//- /part.S\n\nprint:\n\tret\n', 'part.S 1:0-5');
  check('//- /main.S\n#include "pa¦rt.S"\n//- /part.S\n\tret\n', 'part.S 0:0-0');
  check('#define N 5\n\tmovl $N¦, %eax\n', 'main.S 0:8-9');
  check('\t.macro m a\n\tpush \\a¦\n\t.endm\n', 'main.S 0:10-11');
});

describe('references and rename', () => {
  it('renames a symbol in every file of the program', () => {
    const text = '//- /main.S\n#include "part.S"\n\tcall pri¦nt\n\tjmp print\n//- /part.S\nprint:\n\tret\n';
    const edit = open(text).request<WorkspaceEdit>('textDocument/rename', { newName: 'write' });
    assert.deepEqual(
      Object.entries(edit.changes!).map(([uri, edits]) => [uri, edits.map(({ range }) => short(range))]),
      [
        ['file:///work/main.S', ['1:6-11', '2:5-10']],
        ['file:///work/part.S', ['0:0-5']],
      ],
    );
  });
  it('keeps the direction of a numeric label', () => {
    const edit = open('1¦:\tjmp 1b\n\tjmp 1f\n1:\tret\n').request<WorkspaceEdit>('textDocument/rename', {
      newName: '7',
    });
    assert.deepEqual(
      edit.changes!['file:///work/main.S'].map(({ newText }) => newText),
      ['7', '7b'],
    );
  });
  it('refuses a name that is taken', () => {
    const { request } = open('a¦:\nb:\n');
    assert.throws(() => request('textDocument/rename', { newName: 'b' }), /defined already/);
  });
  it('refuses a name of a header from an include folder', () => {
    const { request } = open('#include <kvm_para.h>\n\tmovl $KVM_HC_KICK¦_CPU, %eax\n');
    assert.throws(() => request('textDocument/rename', { newName: 'KICK' }), /kvm_para\.h/);
    assert.throws(() => request('textDocument/prepareRename'), /kvm_para\.h/);
  });
  it('highlights every part of a register', () => {
    const text = 'f:\n\tmovl $1, %e¦ax\n\taddq %rax, %rbx\n\tret\ng:\n\tmovb $1, %al\n';
    const places = open(text).request<DocumentHighlight[]>('textDocument/documentHighlight');
    assert.deepEqual(
      places.map(({ range }) => short(range)),
      ['1:10-14', '2:6-10'],
    );
  });
});

describe('symbols, folding, hints', () => {
  it('outlines labels, constants and macros', () => {
    const text = 'x = 1\n\t.macro m\n\t.endm\n_start:\n\tret\n.Lhidden:\n\t.data\nd:\t.long 1\n';
    const symbols = open(text).request<DocumentSymbol[]>('textDocument/documentSymbol');
    assert.deepEqual(
      symbols.map(({ name }) => name),
      ['x', 'm', '_start', 'd'],
    );
  });
  it('folds macros, conditions and labels', () => {
    const text = '\t.macro m\n\tret\n\t.endm\n#if 1\n\tnop\n#else\n\thlt\n#endif\nf:\n\tnop\n\tret\n';
    const ranges = open(text).request<{ startLine: number; endLine: number }[]>('textDocument/foldingRange');
    assert.deepEqual(
      ranges.map(({ startLine, endLine }) => [startLine, endLine]),
      [
        [0, 2],
        [3, 4],
        [5, 7],
        [8, 10],
      ],
    );
  });
  it('names hypercalls, and shows addresses and bytes when asked', () => {
    const text = '_start:\n\tmovl $5, %eax\n\tvmcall\n';
    const hints = (settings: Parameters<typeof open>[1]): string[] =>
      open(text, settings)
        .request<InlayHint[]>('textDocument/inlayHint', { range: EVERYTHING })
        .map(({ label }) => label as string);
    assert.deepEqual(hints({}), ['KVM_HC_KICK_CPU']);
    const all = hints({ inlayHints: { addresses: true, bytes: true, hypercalls: false } });
    assert.deepEqual(all, ['00100000', 'b8 05 00 00 00', '00100005', '0f 01 c1']);
  });
});

describe('formatting', () => {
  const check = (text: string, expect: string): void => {
    it(JSON.stringify(text), () => {
      const { request, workspace, uri } = open(text);
      const options = { tabSize: 8, insertSpaces: false };
      const edits = request<TextEdit[]>('textDocument/formatting', { options });
      const lines = workspace.document(uri)!.getText().split('\n');
      for (const { range, newText } of edits) lines[range.start.line] = newText;
      assert.equal(lines.join('\n').replace(/\n+$/, ''), expect);
    });
  };
  check('  movl   $1,%eax   # one  ', '\tmovl\t$1, %eax   # one');
  check('f:  ret', 'f:\tret');
  check('long_name_of_a_label: ret', 'long_name_of_a_label: ret');
  check('x=5', 'x = 5');
  check('  rep movsb', '\trep movsb');
  check(' movq 8( %rax , %rbx ,4),%rcx', '\tmovq\t8( %rax , %rbx ,4), %rcx');
  check('  .ascii "a , b",  "c"', '\t.ascii\t"a , b", "c"');
  check('#define A  1', '#define A  1');
  check('\tjmp *%rax', '\tjmp\t*%rax');
});

describe('Intel syntax', () => {
  const intel = (text: string): string => `\t.intel_syntax noprefix\n${text}`;
  const labels = (text: string): string[] =>
    (open(intel(text)).request<CompletionItem[] | null>('textDocument/completion') ?? []).map(
      ({ label }) => label,
    );

  it('completes registers without a prefix, by the size of the other operand', () => {
    const found = labels('\tmov eax, e¦\n');
    assert.ok(found.includes('ebx') && !found.includes('%ebx') && !found.includes('rbx'), found.join(' '));
  });
  it('completes mnemonics without suffixes', () => {
    const found = labels('\tmo¦\n');
    assert.ok(found.includes('mov') && !found.includes('movq1') && found.includes('movzx'), found.join(' '));
  });
  it('hovers', () => {
    const hover = open(intel('\tlea r¦ax, [rbx + 8]\n')).request<Hover>('textDocument/hover');
    assert.match((hover.contents as MarkupContent).value, /\*\*RAX\*\*/);
  });
  it('shows signatures with the destination first', () => {
    const help = open(intel('\tmov rax, ¦\n')).request<SignatureHelp>('textDocument/signatureHelp');
    assert.ok(help.signatures.some(({ label }) => label === 'mov r/m64, r64'));
  });
  it('finds definitions', () => {
    const places = open(intel('here:\n\tjmp he¦re\n')).request<Location[]>('textDocument/definition');
    assert.deepEqual(
      places.map(({ range }) => short(range)),
      ['1:0-4'],
    );
  });
  it('knows hypercalls', () => {
    const text = intel('\tmov eax, 5\n\tvmcall\n');
    const hints = open(text).request<InlayHint[]>('textDocument/inlayHint', { range: EVERYTHING });
    assert.deepEqual(
      hints.map(({ label }) => label),
      ['KVM_HC_KICK_CPU'],
    );
  });
});
