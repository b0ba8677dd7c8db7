// What a user sees of bad input: file, line, columns and message.
import assert from 'node:assert/strict';
import { assemble } from '../assembler/assemble.js';
import type { Diagnostic } from '../diagnostic.js';

const show = ({ file, line, column, endColumn, severity, message, expansion }: Diagnostic): string =>
  `${file}:${line}:${column}-${endColumn}: ${severity}: ${message}` +
  (expansion ?? []).map((inner) => ` [from ${inner.file}:${inner.line}]`).join('');

interface Case {
  readonly source: string;
  readonly expect: readonly string[];
  readonly files?: Readonly<Record<string, string>>;
  readonly bits?: 32 | 64;
}

function check({ source, expect, files = {}, bits = 64 }: Case): void {
  const readInclude = (name: string): { fileName: string; bytes: Uint8Array } | undefined =>
    name in files ? { fileName: `/${name}`, bytes: new TextEncoder().encode(files[name]) } : undefined;
  const { elf, diagnostics } = assemble({ fileName: '/a.S', source, bits, readInclude });
  assert.deepEqual(diagnostics.map(show), expect);
  assert.equal(
    elf === undefined,
    diagnostics.some(({ severity }) => severity === 'error'),
  );
}

const start = '.globl _start\n_start:\n';

describe('assembler: bad input', () => {
  it('names the operand at fault', () =>
    check({
      source: `${start} foo %eax\n mov %al, %ebx\n mov $1, %raz\n mov $0x1ff, %al\n push %eax\n mov (%rax,%rbx,3), %eax\n mov %eax\n`,
      expect: [
        "/a.S:3:2-5: error: no such instruction: 'foo'",
        "/a.S:4:2-15: error: operand type mismatch for 'mov'",
        "/a.S:5:10-14: error: bad register name '%raz'",
        "/a.S:6:6-12: error: value 0x1ff does not fit the operand of 'mov'",
        "/a.S:7:2-11: error: operand type mismatch for 'push'",
        '/a.S:8:17-18: error: expecting scale factor of 1, 2, 4, or 8',
        "/a.S:9:2-10: error: operand type mismatch for 'mov'",
      ],
    }));

  it('tells every use of an undefined symbol', () =>
    check({
      source: `${start} jmp nowhere\n .long 1, nowhere, other\n lea far(%rip), %rax\n jmp 1f\n`,
      expect: [
        "/a.S:3:6-13: error: undefined symbol 'nowhere'",
        "/a.S:4:11-18: error: undefined symbol 'nowhere'",
        "/a.S:4:20-25: error: undefined symbol 'other'",
        "/a.S:5:6-9: error: undefined symbol 'far'",
        "/a.S:6:6-8: error: undefined symbol '1f'",
      ],
    }));

  it('a program without _start', () =>
    check({
      source: 'start: nop\n',
      expect: [
        "/a.S:1:1-2: error: no '_start': a guest starts at the label _start, which this program does not define",
      ],
    }));

  it('a label twice, with where it was first', () =>
    check({
      source: `${start}x: nop\n  x: nop\n`,
      expect: ["/a.S:4:3-4: error: symbol 'x' is already defined at /a.S:3"],
    }));

  it('inside a macro: the line of its use, and the way to the line inside', () =>
    check({
      source: `.macro inner a\n bad \\a\n.endm\n.macro outer\n inner 5\n.endm\n${start} outer\n inner\n`,
      expect: [
        "/a.S:9:2-7: error: no such instruction: 'bad' [from /a.S:5] [from /a.S:2]",
        "/a.S:10:2-7: error: no such instruction: 'bad' [from /a.S:2]",
      ],
    }));

  it('the preprocessor: columns lead to the macro that was written', () =>
    check({
      source: `#define REG %raz\n#include "b.h"\n#include "missing.h"\n#if 1 +\n#endif\n#else\n${start} mov $5, REG\n mov TWO(1)\n#error stop here\n#if 1\n`,
      files: { 'b.h': '#define TWO(a, b) a, b\n bad1\n' },
      expect: [
        "/a.S:3:1-21: error: cannot find include file 'missing.h'",
        '/a.S:4:1-8: error: #if with no expression',
        '/a.S:6:1-6: error: #else without #if',
        "/a.S:9:10-13: error: bad register name '%raz'",
        "/a.S:10:1-12: error: macro 'TWO' takes 2 arguments, 1 given",
        '/a.S:11:1-17: error: #error stop here',
        '/a.S:12:1-6: error: unterminated conditional: no #endif',
        "/b.h:2:2-6: error: no such instruction: 'bad1'",
      ],
    }));

  it('directives', () =>
    check({
      source: `${start}.bogus 1\n.align 3\n.ascii "x\n.if 1\n.error "mine"\n.popsection\n.endm\n.byte 300\n.org 0\n.bss\n.byte 1\n.macro m\n`,
      expect: [
        "/a.S:3:1-7: error: unknown directive '.bogus'",
        '/a.S:4:8-9: error: alignment is not a power of 2',
        '/a.S:5:8-10: error: string without a closing quote',
        '/a.S:6:1-6: error: unterminated .if: no .endif',
        '/a.S:7:1-14: error: mine',
        '/a.S:8:1-12: error: .popsection without .pushsection',
        '/a.S:9:1-6: error: .endm without its start',
        '/a.S:10:7-10: warning: value 0x12c truncated to 8 bits',
        '/a.S:11:1-7: error: .org cannot move back: 0x1 to 0x0',
        "/a.S:13:1-8: error: section '.bss' holds no bytes: only space can be reserved in it",
        '/a.S:14:1-9: error: .macro without .endm',
      ],
    }));

  it('a width that nothing says is a warning, and 32 bits', () =>
    check({
      source: `${start} incb (%rax)\n inc (%rax)\n`,
      expect: [
        "/a.S:4:2-12: warning: no instruction mnemonic suffix given and no register operands; using 32 bits for 'inc'",
      ],
    }));

  it('instructions of the other mode', () =>
    check({
      source: `${start} swapgs\n pushal\n`,
      bits: 32,
      expect: ["/a.S:3:2-8: error: 'swapgs' is not supported in 32-bit mode"],
    }));

  it('a target out of reach', () =>
    check({
      source: `${start} loop far\n .skip 200\nfar:\n`,
      expect: ['/a.S:3:7-10: error: target is 200 bytes away, out of reach of 8 bits'],
    }));

  it('symbols and sizes that depend on themselves', () =>
    check({
      source: `${start} .long a\na = b\nb = a\n .macro forever\n forever\n .endm\n forever\n`,
      expect: [
        '/a.S:3:8-9: error: a symbol is defined by itself',
        '/a.S:4:5-6: error: a symbol is defined by itself',
        '/a.S:5:5-6: error: a symbol is defined by itself',
        `/a.S:9:2-9: error: macros or includes are nested too deeply${' [from /a.S:7]'.repeat(8)}`,
      ],
    }));
});
