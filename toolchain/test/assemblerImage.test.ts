// The linked image as others see it: our ELF reader, and binutils and gdb where they are installed.
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { assemble } from '../assembler/assemble.js';
import { EM, PF, PT } from '../elf/constants.js';
import { ElfFile } from '../elf/elfFile.js';

const SOURCE = `#include "ports.h"
	.section .multiboot
	.long 0x1badb002, 0, -0x1badb002
	.text
	.macro twice instruction:vararg
	\\instruction
	\\instruction
	.endm
	.globl _start
	.type _start, @function
_start:
	mov $message, %esi
	twice inc %eax
	write_port
	call second
	hlt
	.size _start, . - _start
	.section .text.second, "ax", @progbits
second:
	ret
	.rodata
message:
	.asciz "hello"
	.data
value:
	.long 5
	.comm buffer, 4096, 64
	.weak absent
	.data
	.quad absent
`;
const HEADER = '#define PORT 0xf4\n\t.macro write_port\n\tout %al, $PORT\n\t.endm\n';

const folder = mkdtempSync(path.join(tmpdir(), 'hyperstep-image-'));
const main = path.join(folder, 'main.S');

function image(bits: 32 | 64): Uint8Array {
  const result = assemble({
    fileName: main,
    source: SOURCE,
    bits,
    readInclude: (name) => ({ fileName: path.join(folder, name), bytes: new TextEncoder().encode(HEADER) }),
  });
  assert.deepEqual(result.diagnostics, []);
  return result.elf!;
}

const has = (tool: string): boolean => spawnSync(tool, ['--version']).status === 0;

describe('assembler: the image', () => {
  before(() => {
    writeFileSync(main, SOURCE);
    writeFileSync(path.join(folder, 'ports.h'), HEADER);
    writeFileSync(path.join(folder, 'a64.elf'), image(64));
    writeFileSync(path.join(folder, 'a32.elf'), image(32));
  });
  after(() => rmSync(folder, { recursive: true }));

  for (const bits of [64, 32] as const) {
    it(`ELF${bits}: a page and rights of its own for every section, the multiboot header first`, () => {
      const elf = new ElfFile(image(bits));
      assert.equal(elf.bits, bits);
      assert.equal(elf.machine, bits === 64 ? EM.X86_64 : EM.I386);
      const loads = elf.programHeaders.filter(({ type }) => type === PT.LOAD);
      const shown = loads.map(({ virtualAddress, flags, fileSize, memorySize }) => [
        virtualAddress.toString(16),
        `${flags & PF.R ? 'r' : '-'}${flags & PF.W ? 'w' : '-'}${flags & PF.X ? 'x' : '-'}`,
        fileSize,
        Number(memorySize),
      ]);
      const text = bits === 64 ? 17 : 15;
      assert.deepEqual(shown, [
        ['100000', 'r--', 12, 12],
        ['101000', 'r-x', text + 1, text + 1],
        ['102000', 'r--', 6, 6],
        ['103000', 'rw-', 12, 12],
        ['104000', 'rw-', 0, 4096],
      ]);
      assert.ok(loads[0].offset + 12 <= 8192);
      assert.equal(elf.entry, 0x101000n);
      const start = elf.symbols.find(({ name }) => name === '_start')!;
      assert.deepEqual([start.value, start.size, start.type, start.binding], [0x101000n, BigInt(text), 2, 1]);
    });
  }

  it('addr2line: a line of a macro is the line of its use, in code of two sections', function () {
    if (!has('addr2line')) return this.skip();
    const lines = (addresses: readonly string[]): string[] =>
      execFileSync('addr2line', ['-e', path.join(folder, 'a64.elf'), ...addresses], { encoding: 'utf8' })
        .trim()
        .split('\n');
    const expected = [12, 13, 13, 14, 15, 16, 20].map((line) => `${main}:${line}`);
    assert.deepEqual(
      lines(['0x101000', '0x101005', '0x101007', '0x101009', '0x10100b', '0x101010', '0x101011']),
      expected,
    );
  });

  it('readelf has nothing to complain about', function () {
    if (!has('readelf')) return this.skip();
    for (const name of ['a64.elf', 'a32.elf']) {
      const { stdout, stderr } = spawnSync('readelf', ['-aw', path.join(folder, name)], { encoding: 'utf8' });
      assert.equal(stderr, '');
      assert.doesNotMatch(stdout, /warning|corrupt|<unknown/i);
    }
  });

  it('gdb finds source lines', function () {
    if (!has('gdb')) return this.skip();
    const out = execFileSync(
      'gdb',
      ['-batch', '-ex', 'info line second', '-ex', 'list _start,+1', path.join(folder, 'a64.elf')],
      {
        encoding: 'utf8',
      },
    );
    assert.match(out, new RegExp(`Line 20 of "${main}" starts at address 0x101011 <second>`));
    assert.match(out, /^12\s+mov \$message, %esi$/m);
  });
});
