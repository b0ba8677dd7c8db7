// The assembler against GNU as: the same source, the same bytes.
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { assemble } from '../assembler/assemble.js';
import { ElfFile } from '../elf/elfFile.js';
import {
  ATT,
  INTEL,
  compareInstructions,
  uniqueInstructions,
  uniqueInstructionsIn,
} from './gnu/instructions.js';
import { everyInstruction } from './gnu/everyInstruction.js';
import type { Bits } from './gnu/instructions.js';

const hasTools = ['as', 'ld', 'objdump', 'objcopy', 'nm'].every(
  (tool) => spawnSync(tool, ['--version']).status === 0,
);
const folder = mkdtempSync(path.join(tmpdir(), 'hyperstep-as-'));
const at = (name: string): string => path.join(folder, name);

/** Checks that at least 99.9 % of what GNU as takes has its bytes; the rest is told. */
function checkLines(lines: readonly string[], bits: Bits, minimum: number, syntax = ATT): void {
  const { compared, differences } = compareInstructions(lines, bits, folder, syntax);
  assert.ok(compared >= minimum, `only ${compared} lines were compared`);
  if (differences.length > compared / 1000) assert.deepEqual(differences, []);
}

/** Instructions from all parts of a binary. */
function sample(binary: string, count: number, syntax = ATT): string[] {
  const all = uniqueInstructions(binary, syntax);
  const step = Math.max(1, all.length / count);
  return Array.from({ length: Math.min(count, all.length) }, (_, index) => all[Math.floor(index * step)]);
}

const library = (name: string): string | undefined =>
  [`/lib/x86_64-linux-gnu/${name}`, `/lib64/${name}`, `/usr/lib/${name}`].find(existsSync);

const SYSTEM_INSTRUCTIONS = readFileSync(new URL('fixtures/systemInstructions.txt', import.meta.url), 'utf8')
  .trim()
  .split('\n');

/** The section .text of a program by GNU as and ld. */
function textByGnu(source: string, bits: Bits): Uint8Array {
  writeFileSync(at('program.s'), source);
  execFileSync('as', [`--${bits}`, at('program.s'), '-o', at('program.o')]);
  const emulation = bits === 64 ? 'elf_x86_64' : 'elf_i386';
  execFileSync('ld', ['-m', emulation, '-Ttext=0x100000', at('program.o'), '-o', at('program.elf')]);
  return textOf(readFileSync(at('program.elf')));
}

function textOf(bytes: Uint8Array): Uint8Array {
  const elf = new ElfFile(Uint8Array.from(bytes));
  return elf.contentOf(elf.sections.find(({ name }) => name === '.text')!);
}

function checkProgram(source: string, bits: Bits): void {
  const { elf, diagnostics } = assemble({
    fileName: '/program.s',
    source,
    bits,
    readInclude: () => undefined,
  });
  assert.deepEqual(diagnostics, []);
  assert.equal(
    Buffer.from(textOf(elf!)).toString('hex'),
    Buffer.from(textByGnu(source, bits)).toString('hex'),
  );
}

/** Jumps over distances around the limits of the short form, so that one that grows makes others grow. */
function jumpMaze(): string {
  const lines = ['.globl _start', '_start:'];
  let state = 12345;
  const random = (limit: number): number => {
    state = (Math.imul(state, 1103515245) + 12345) >>> 0;
    return (state >>> 8) % limit;
  };
  const count = 400;
  const mnemonics = ['jmp', 'je', 'jnz', 'jbe', 'jg', 'call', 'jnge'];
  for (let index = 0; index < count; index++) {
    lines.push(`L${index}:`);
    const target = Math.min(count - 1, Math.max(0, index + random(60) - 30));
    lines.push(` ${mnemonics[random(mnemonics.length)]} L${target}`);
    if (random(4) === 0) lines.push(` .skip ${1 + random(40)}, 0x90`);
    if (random(9) === 0)
      lines.push(' .p2align 4, 0xcc', '1: loop 1b', ' jmp 1f', ' lea 1f-1b(%eax), %eax', '1:');
    if (random(9) === 0) lines.push(` mov $L${target} - L${index}, %eax`, ` mov $L${target}, %ecx`);
  }
  return `${lines.join('\n')}\n`;
}

describe('assembler against GNU as', function () {
  before(function () {
    if (hasTools) return;
    console.log('      skipped: GNU binutils (as, ld, objdump, objcopy, nm) are not installed');
    this.skip();
  });
  after(() => rmSync(folder, { recursive: true }));

  const binaries = [
    ['bash', '/bin/bash', ATT, 4000],
    ['libc, with AVX-512', library('libc.so.6'), ATT, 6000],
    ['libm, with the x87', library('libm.so.6'), ATT, Infinity],
    ['libm in Intel syntax', library('libm.so.6'), INTEL, 6000],
  ] as const;
  for (const [name, binary, syntax, count] of binaries) {
    it(`instructions of ${name}`, function () {
      if (!binary || !existsSync(binary)) return this.skip();
      checkLines(sample(binary, count, syntax), 64, 3000, syntax);
    });
  }
  for (const syntax of [ATT, INTEL]) {
    it(`one of every instruction, ${syntax.name}`, () =>
      checkLines(uniqueInstructionsIn(everyInstruction(), folder, syntax), 64, 6500, syntax));
  }
  it('system, VMX, SVM and odd instructions in 64-bit mode', () => checkLines(SYSTEM_INSTRUCTIONS, 64, 500));
  it('the same in 32-bit mode', () => checkLines(SYSTEM_INSTRUCTIONS, 32, 250));
  it('jumps of all distances, 64-bit', () => checkProgram(jumpMaze(), 64));
  it('jumps of all distances, 32-bit', () => checkProgram(jumpMaze(), 32));
  it('directives', () =>
    checkProgram(readFileSync(new URL('fixtures/directives.s', import.meta.url), 'utf8'), 64));
});
