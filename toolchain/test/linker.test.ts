// Our linker: programs of gcc, clang and our assembler, run as Linux processes and compared with GNU ld's image.
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { assembleObject } from '../assembler/assemble.js';
import { formatDiagnostic } from '../diagnostic.js';
import { ElfFile } from '../elf/elfFile.js';
import type { ObjectFile } from '../elf/objectFile.js';
import { readArchive } from '../linker/archive.js';
import { defaultScript } from '../linker/defaultScript.js';
import { loadObject } from '../linker/loadObject.js';
import { linkProgram } from '../linker/link.js';
import type { LinkOptions } from '../linker/link.js';

const folder = mkdtempSync(path.join(tmpdir(), 'hyperstep-link-'));
const at = (name: string): string => path.join(folder, name);
const has = (tool: string): boolean => spawnSync(tool, ['--version']).status === 0;

function compiled(compiler: string, name: string, source: string, flags: readonly string[] = []): ObjectFile {
  writeFileSync(at(`${name}.c`), source);
  const args = ['-O1', '-ffreestanding', '-fno-stack-protector', '-g', '-c', ...flags];
  execFileSync(compiler, [...args, at(`${name}.c`), '-o', at(`${name}.o`)]);
  return loadObject(at(`${name}.o`), readFileSync(at(`${name}.o`)));
}

function assembled(source: string, bits: 32 | 64 = 64, fileName = '/start.S'): ObjectFile {
  const { object, diagnostics } = assembleObject({
    fileName,
    source,
    bits,
    debug: true,
    readInclude: () => undefined,
  });
  assert.deepEqual(diagnostics.map(formatDiagnostic), []);
  return object!;
}

function linked(options: LinkOptions): Uint8Array {
  const { elf, diagnostics } = linkProgram(options);
  assert.deepEqual(diagnostics.map(formatDiagnostic), []);
  return elf!;
}

/** The exit status of a Linux program. */
function run(elf: Uint8Array): number | null {
  writeFileSync(at('program'), elf);
  chmodSync(at('program'), 0o755);
  return spawnSync(at('program')).status;
}

const START_64 = `
	.globl _start
_start:
	call main
	mov %eax, %edi
	mov $60, %eax
	syscall
	.section .note.GNU-stack,"",@progbits
`;
const START_32 = `
	.globl _start
_start:
	call main
	mov %eax, %ebx
	mov $1, %eax
	int $0x80
`;
const MAIN = `
int shared[4];
static int counter = 3;
extern int add(int, int);
extern int missing(void) __attribute__((weak));
static int (*const table[])(int, int) = { add };
const char *text = "seven";
extern char __start_marks[], __stop_marks[];
__attribute__((section("marks"), used)) static char mark[5] = { 1 };
int main(void) {
  shared[2] = counter++;
  int sum = table[0](shared[2], 4);
  return sum + (missing ? 100 : 0) + (text[0] == 's' ? 10 : 0) + (int)(__stop_marks - __start_marks);
}
`;
const ADD = 'extern int shared[4];\nint add(int a, int b) { return a + b + shared[2] * 2; }\n';
/** 3 + 4 + 3 * 2, 10 for the text, 5 marks. */
const EXPECTED = 28;
const script = (entry = '_start'): string => defaultScript(0x400000n, entry);

describe('linker', () => {
  after(() => rmSync(folder, { recursive: true }));

  for (const compiler of ['gcc', 'clang']) {
    for (const flags of [[], ['-fPIC'], ['-ffunction-sections', '-fdata-sections', '-fcommon']]) {
      it(`runs a program of ${compiler} ${flags.join(' ')}`, function () {
        if (!has(compiler) || process.platform !== 'linux' || process.arch !== 'x64') return this.skip();
        const objects = [
          assembled(START_64),
          compiled(compiler, 'main', MAIN, flags),
          compiled(compiler, 'add', ADD, flags),
        ];
        assert.equal(run(linked({ objects, script: script() })), EXPECTED);
      });
    }
  }

  it('runs a 32-bit program', function () {
    if (!has('gcc') || process.platform !== 'linux' || process.arch !== 'x64') return this.skip();
    for (const flags of [['-m32'], ['-m32', '-fPIC']]) {
      const objects = [
        assembled(START_32, 32),
        compiled('gcc', 'main32', MAIN, flags),
        compiled('gcc', 'add32', ADD, flags),
      ];
      // __x86.get_pc_thunk stands in a COMDAT group of each object.
      assert.equal(run(linked({ objects, script: script() })), EXPECTED);
    }
  });

  it('takes from archives what is missing, and no more', function () {
    if (!has('gcc') || !has('ar')) return this.skip();
    compiled('gcc', 'add', ADD);
    compiled('gcc', 'unused_with_a_long_name', 'extern int nowhere;\nint other(void) { return nowhere; }\n');
    rmSync(at('library.a'), { force: true });
    execFileSync('ar', ['rc', at('library.a'), at('unused_with_a_long_name.o'), at('add.o')]);
    const archives = [readArchive('library.a', readFileSync(at('library.a')))];
    const objects = [assembled(START_64), compiled('gcc', 'main', MAIN)];
    const elf = new ElfFile(linked({ objects, archives, script: script() }));
    const names = elf.symbols.map(({ name }) => name);
    assert.ok(names.includes('add'));
    assert.ok(!names.includes('other'));
  });

  it('lays out as a script says', () => {
    const object = assembled(`
	.globl _start
_start:	mov $table_start, %eax
	mov $table_size, %ebx
	.section .table, "a"
	.quad 1, 2
	.section .table.late, "a"
	.quad 3
	.section .junk, "a"
	.quad 4
	.data
value:	.quad edata
	.comm room, 32, 16
`);
    const elf = new ElfFile(
      linked({
        objects: [object],
        script: `
/* a comment */
ENTRY(_start)
base = 0x200000;
SECTIONS
{
  . = base + 4K;
  .text : { *(.text) . = ALIGN(16); BYTE(0x12) }
  .table ALIGN(0x100) : AT(0x800) { table_start = .; KEEP(*(SORT(.table.*))) *(.table); table_end = .; }
  table_size = SIZEOF(.table);
  PROVIDE(edata = ADDR(.data) + SIZEOF(.data));
  PROVIDE(unwanted = 1);
  .data : { *(.data) . += 8; }
  .bss (NOLOAD) : { *(COMMON) }
  ASSERT(table_end - table_start == 24, "the table has the wrong size")
  /DISCARD/ : { *(.junk) }
}
`,
      }),
    );
    const shown = elf.sections
      .filter(({ address }) => address > 0n)
      .map(({ name, address, size }) => `${name} ${address.toString(16)} ${size}`);
    assert.deepEqual(shown, ['.text 201000 17', '.table 201100 24', '.data 201118 16', '.bss 201130 32']);
    assert.equal(elf.entry, 0x201000n);
    assert.equal(elf.programHeaders[1].physicalAddress, 0x800n);
    const table = elf.content('.table');
    assert.equal(table[0], 3);
    const text = Buffer.from(elf.content('.text')).toString('hex');
    assert.equal(text, 'b800112000bb18000000' + '90'.repeat(6) + '12');
    assert.equal(Buffer.from(elf.content('.data')).readBigUInt64LE(), 0x201128n);
    assert.ok(!elf.symbols.some(({ name }) => name === 'unwanted'));
  });

  const errors = (options: LinkOptions): string[] => linkProgram(options).diagnostics.map(formatDiagnostic);

  it('tells undefined and duplicate symbols with their places', function () {
    const first = assembled(
      '.globl _start\n_start:\n call nowhere\n movb $far, %al\n.globl twice\ntwice: nop\n',
      64,
      '/a.S',
    );
    const second = assembled('.globl twice\n nop\ntwice: nop\n.globl far\nfar: nop\n', 64, '/b.S');
    assert.deepEqual(errors({ objects: [first, second], script: script() }), [
      "/b.S:3:1: error: duplicate symbol 'twice': it is defined in /a.S:6 already",
      "/a.S:3:7: error: undefined symbol 'nowhere'",
      "/a.S:4:8: error: 'far' is out of reach: 0x40000a does not fit the 8 bits of R_X86_64_8",
    ]);
  });

  it('tells the line in C', function () {
    if (!has('gcc')) return this.skip();
    const main = compiled(
      'gcc',
      'bad',
      'int nowhere(int);\nint twice;\n\nint main(void) {\n  return nowhere(twice);\n}\n',
    );
    const messages = errors({ objects: [assembled(START_64), main], script: script() });
    assert.deepEqual(messages, [`${at('bad.c')}:5:10: error: undefined symbol 'nowhere'`]);
  });

  it('names the line of a script that is wrong', () => {
    const objects = [assembled('.globl _start\n_start: nop\n')];
    assert.deepEqual(errors({ objects, script: 'SECTIONS\n{\n  . = nothing;\n}\n' }), [
      "linker script:3:1: error: undefined symbol 'nothing'",
    ]);
    assert.deepEqual(errors({ objects, script: 'MEMORY { }\n' }), [
      'linker script:1:1: error: MEMORY is not supported',
    ]);
    assert.deepEqual(errors({ objects, script: 'ENTRY(begin)\nSECTIONS { .text : { *(.text) } }\n' }), [
      "/start.S:1:1: error: no 'begin': the program starts at this symbol, which nothing defines",
    ]);
  });
});
