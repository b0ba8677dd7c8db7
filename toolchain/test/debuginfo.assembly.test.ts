import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { DebugInfo } from '../debuginfo/debugInfo.js';
import { BuildDirectory, lacksTools, readBytes } from './debuginfo/builds.js';

const GAS = `.globl _start
_start:
  mov $1, %eax
  mov $2, %ebx
1: dec %ebx
  jnz 1b
handler:
  ret
.set FIVE, 5
.data
message: .asciz "hi"
`;

const NASM = `global _start
_start:
  mov eax, 1
  mov ebx, 2
.again: dec ebx
  jnz .again
handler:
  ret
FIVE equ 5
section .data
message: db "hi", 0
`;

interface Build {
  readonly name: string;
  readonly source: string;
  readonly assembler: readonly string[];
  readonly linker: readonly string[];
}

const BUILDS: readonly Build[] = [
  { name: 'as', source: GAS, assembler: ['as', '-g'], linker: [] },
  { name: 'as, DWARF 2', source: GAS, assembler: ['as', '-gdwarf-2'], linker: [] },
  { name: 'as, 32 bits', source: GAS, assembler: ['as', '-g', '--32'], linker: ['-m', 'elf_i386'] },
  { name: 'nasm', source: NASM, assembler: ['nasm', '-g', '-F', 'dwarf', '-f', 'elf64'], linker: [] },
  {
    name: 'nasm, 32 bits',
    source: NASM,
    assembler: ['nasm', '-g', '-F', 'dwarf', '-f', 'elf32'],
    linker: ['-m', 'elf_i386'],
  },
];

describe('debug information of assembly', () => {
  const directory = new BuildDirectory();
  after(() => directory.remove());

  for (const { name, source, assembler, linker } of BUILDS) {
    it(`lines, labels and numbers: ${name}`, function () {
      if (lacksTools(assembler[0], 'ld')) {
        this.skip();
      }
      const [file, object, program] = ['guest.s', 'guest.o', 'guest'].map((part) => directory.file(part));
      writeFileSync(file, source);
      execFileSync(assembler[0], [...assembler.slice(1), file, '-o', object]);
      execFileSync('ld', [...linker, object, '-o', program]);
      const info = DebugInfo.load(readBytes(program), program);

      const start = info.functionsNamed('_start')[0].low;
      assert.deepEqual(info.linesIn(file), [3, 4, 5, 6, 8]);
      assert.deepEqual(info.addressesOfLine('guest.s', 2), { line: 3, addresses: [start] });
      assert.equal(info.lineAt(start + 6n)?.line, 4);
      assert.equal(info.lineAt(start + 6n)?.file, file);
      assert.deepEqual(info.functionsNamed('_start')[0].bodyStart, start);
      assert.equal(info.functionsNamed('_start')[0].location?.line, 3);
      assert.ok(info.allFunctions().some((known) => known.name === '_start'));
      const handler = info.functionsNamed('handler')[0];
      assert.equal(info.lineAt(handler.low)?.line, 8);
      assert.equal(info.functionAt(handler.low)?.name, 'handler');
      assert.equal(info.symbolAt(info.symbolNamed('message')!.address)?.name, 'message');
      assert.deepEqual(info.symbolNamed('FIVE')?.kind, 'absolute');
      assert.equal(info.symbolNamed('FIVE')?.address, 5n);
      assert.equal(info.addressesOfLine('guest.s', 9), undefined);
      assert.equal(
        info.unwind(start, { bits: 64, cfa: undefined, register: () => 0n, readMemory: () => undefined }),
        undefined,
      );
    });
  }
});
