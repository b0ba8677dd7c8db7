// The assembler against GNU as: the same source, the same bytes.
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { assemble } from '../assembler/assemble.js';
import { constantValue } from '../assembler/expression.js';
import { writeInteger } from '../assembler/integers.js';
import { assembleInstruction } from '../assembler/instruction.js';
import { Section, defaultSectionFlags } from '../assembler/sections.js';
import { SourceText } from '../assembler/source.js';
import { SymbolTable } from '../assembler/symbols.js';
import { ElfFile } from '../elf/elfFile.js';

type Bits = 32 | 64;

const hasTools = ['as', 'ld', 'objdump', 'objcopy', 'nm'].every(
  (tool) => spawnSync(tool, ['--version']).status === 0,
);
const folder = mkdtempSync(path.join(tmpdir(), 'hyperstep-as-'));
const at = (name: string): string => path.join(folder, name);

/** Bytes of each line by GNU as, in hexadecimal; undefined where it refuses the line. */
function byGnuAs(lines: readonly string[], bits: Bits): (string | undefined)[] {
  const run = (source: string): string => {
    writeFileSync(at('lines.s'), source);
    return spawnSync('as', [`--${bits}`, '-W', at('lines.s'), '-o', at('lines.o')], {
      encoding: 'utf8',
      maxBuffer: 1 << 28,
    }).stderr;
  };
  const messages = run(`${lines.join('\n')}\n`);
  const refused = new Set(
    Array.from(messages.matchAll(/lines\.s:(\d+): Error/g), (found) => Number(found[1]) - 1),
  );
  const labelled = lines.map((line, index) => `L${index}: ${refused.has(index) ? '' : line}`);
  assert.equal(run(`${labelled.join('\n')}\nL${lines.length}:\n`), '');
  execFileSync('objcopy', ['-O', 'binary', '-j', '.text', at('lines.o'), at('lines.bin')]);
  const bytes = readFileSync(at('lines.bin'));
  const addresses: number[] = [];
  for (const [, address, index] of execFileSync('nm', [at('lines.o')], {
    encoding: 'utf8',
    maxBuffer: 1 << 28,
  }).matchAll(/^(\w+) t L(\d+)$/gm)) {
    addresses[Number(index)] = Number.parseInt(address, 16);
  }
  return lines.map((_, index) =>
    refused.has(index) ? undefined : bytes.subarray(addresses[index], addresses[index + 1]).toString('hex'),
  );
}

/** Bytes of one line by our assembler, or its error. */
function byOurs(line: string, bits: Bits): string {
  const text = new Section('.text', defaultSectionFlags('.text'));
  const names = new SymbolTable(() => text.subsection(0).here());
  try {
    const { fragment } = assembleInstruction(
      new SourceText('line.s', 1, line),
      { bits, syntax: { name: 'att', registerPrefix: true } },
      names,
    );
    assert.equal(fragment.kind, 'bytes');
    const bytes = Uint8Array.from(fragment.bytes);
    for (const { expression, offset, size, relative } of fragment.fixups) {
      const value = constantValue(expression);
      if (value !== undefined && relative !== 'target') writeInteger(bytes, offset, size, value);
    }
    return Buffer.from(bytes).toString('hex');
  } catch (error) {
    return (error as Error).message;
  }
}

function checkLines(lines: readonly string[], bits: Bits, minimum: number): void {
  const expected = byGnuAs(lines, bits);
  const differences: string[] = [];
  lines.forEach((line, index) => {
    const want = expected[index];
    if (want === undefined) return;
    const got = byOurs(line, bits);
    if (got !== want) differences.push(`${line}: ${got}, GNU as ${want}`);
  });
  const compared = expected.filter((bytes) => bytes !== undefined).length;
  assert.ok(compared >= minimum, `only ${compared} lines were compared`);
  assert.deepEqual(differences, []);
}

/** Different instructions of a binary; jumps and calls need labels and are compared as programs below. */
function instructionsOf(binary: string, count: number): string[] {
  const listing = execFileSync('objdump', ['-d', '--no-show-raw-insn', '-w', binary], {
    encoding: 'utf8',
    maxBuffer: 1 << 30,
  });
  const unique = new Set<string>();
  for (const line of listing.split('\n')) {
    const text = (line.split('\t')[1] ?? '').replace(/#.*|<[^>]*>/g, '').trim();
    const isBranch = /^(bnd |notrack )?(j\w+|call\w?|loop\w*|xbegin)\s+[0-9a-f]+$/.test(text);
    if (text !== '' && !isBranch && !/^\.byte|\(bad\)/.test(text)) unique.add(text);
  }
  const all = [...unique];
  const step = Math.max(1, all.length / count);
  return Array.from({ length: Math.min(count, all.length) }, (_, index) => all[Math.floor(index * step)]);
}

const LIBC = ['/lib/x86_64-linux-gnu/libc.so.6', '/lib64/libc.so.6', '/usr/lib/libc.so.6'].find(existsSync);
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

  it('instructions of bash', function () {
    if (!existsSync('/bin/bash')) this.skip();
    checkLines(instructionsOf('/bin/bash', 4000), 64, 3000);
  });
  it('instructions of libc, with SSE, AVX and AVX-512', function () {
    if (!LIBC) this.skip();
    checkLines(instructionsOf(LIBC!, 6000), 64, 4000);
  });
  it('system, VMX, SVM and odd instructions in 64-bit mode', () => checkLines(SYSTEM_INSTRUCTIONS, 64, 500));
  it('the same in 32-bit mode', () => checkLines(SYSTEM_INSTRUCTIONS, 32, 250));
  it('jumps of all distances, 64-bit', () => checkProgram(jumpMaze(), 64));
  it('jumps of all distances, 32-bit', () => checkProgram(jumpMaze(), 32));
  it('directives', () =>
    checkProgram(readFileSync(new URL('fixtures/directives.s', import.meta.url), 'utf8'), 64));
});
