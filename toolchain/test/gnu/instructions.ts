// Instructions of real binaries, assembled by GNU as and by ours.
import { execFileSync, spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { assembleInstruction } from '../../assembler/instruction.js';
import { constantValue } from '../../assembler/expression.js';
import { writeInteger } from '../../assembler/integers.js';
import type { Syntax } from '../../assembler/mnemonics.js';
import { Section, defaultSectionFlags } from '../../assembler/sections.js';
import { SourceText } from '../../assembler/source.js';
import { SymbolTable } from '../../assembler/symbols.js';

export type Bits = 32 | 64;
export const ATT: Syntax = { name: 'att', registerPrefix: true };
export const INTEL: Syntax = { name: 'intel', registerPrefix: false };

const ASSEMBLED_AT_ONCE = 50_000;

/** The different instructions of a binary as objdump prints them; jumps and calls to addresses are left out. */
export function uniqueInstructions(binary: string, syntax: Syntax = ATT): string[] {
  return disassembled(['-d', binary], syntax);
}

/** The same for code without a file format around it. */
export function uniqueInstructionsIn(code: Uint8Array, folder: string, syntax: Syntax = ATT): string[] {
  const file = path.join(folder, 'code.bin');
  writeFileSync(file, code);
  return disassembled(['-D', '-b', 'binary', '-m', 'i386:x86-64', file], syntax);
}

function disassembled(args: readonly string[], syntax: Syntax): string[] {
  const flavour = syntax.name === 'intel' ? ['-M', 'intel'] : [];
  const listing = execFileSync('objdump', ['--no-show-raw-insn', '-w', ...flavour, ...args], {
    encoding: 'latin1',
    maxBuffer: 1 << 30,
  });
  const unique = new Set<string>();
  for (const line of listing.split('\n')) {
    const start = line.indexOf('\t');
    if (start < 0) continue;
    const text = line
      .slice(start + 1)
      .replace(/#.*|<[^>]*>/g, '')
      .trim();
    const isBranch =
      /^((bnd|notrack|cs|ds|data16|rex\S*) )*(j\w+(,p[nt])?|call\w?|loop\w*|xbegin)\s+(0x)?[0-9a-f]+$/.test(
        text,
      );
    if (text !== '' && !isBranch && !/^\.byte|\(bad\)/.test(text)) unique.add(text);
  }
  return [...unique];
}

/** Bytes of each line by GNU as, in hexadecimal; undefined where it refuses the line. */
export function byGnuAs(
  lines: readonly string[],
  bits: Bits,
  folder: string,
  syntax: Syntax = ATT,
): (string | undefined)[] {
  const all: (string | undefined)[] = [];
  for (let start = 0; start < lines.length; start += ASSEMBLED_AT_ONCE)
    all.push(...assembleSome(lines.slice(start, start + ASSEMBLED_AT_ONCE), bits, folder, syntax));
  return all;
}

function assembleSome(
  lines: readonly string[],
  bits: Bits,
  folder: string,
  syntax: Syntax,
): (string | undefined)[] {
  const at = (name: string): string => path.join(folder, name);
  const head = syntax.name === 'intel' ? '.intel_syntax noprefix\n' : '\n';
  const run = (source: string): string => {
    writeFileSync(at('lines.s'), head + source);
    const args = [`--${bits}`, '-W', at('lines.s'), '-o', at('lines.o')];
    return spawnSync('as', args, { encoding: 'utf8', maxBuffer: 1 << 28 }).stderr;
  };
  const messages = run(`${lines.join('\n')}\n`);
  const refused = new Set(
    Array.from(messages.matchAll(/lines\.s:(\d+): Error/g), (found) => Number(found[1]) - 2),
  );
  const labelled = lines.map((line, index) => `L${index}: ${refused.has(index) ? '' : line}`);
  const remaining = run(`${labelled.join('\n')}\nL${lines.length}:\n`);
  if (remaining !== '') throw new Error(remaining);
  execFileSync('objcopy', ['-O', 'binary', '-j', '.text', at('lines.o'), at('lines.bin')]);
  const bytes = readFileSync(at('lines.bin'));
  const addresses: number[] = [];
  const symbols = execFileSync('nm', [at('lines.o')], { encoding: 'utf8', maxBuffer: 1 << 28 });
  for (const [, address, index] of symbols.matchAll(/^(\w+) t L(\d+)$/gm))
    addresses[Number(index)] = Number.parseInt(address, 16);
  return lines.map((_, index) =>
    refused.has(index) ? undefined : bytes.subarray(addresses[index], addresses[index + 1]).toString('hex'),
  );
}

/** Bytes of one line by our assembler in hexadecimal, or its error. */
export function byOurs(line: string, bits: Bits, syntax: Syntax = ATT): string {
  const text = new Section('.text', defaultSectionFlags('.text'));
  const names = new SymbolTable(() => text.subsection(0).here());
  const source = new SourceText('line.s', 1, line);
  try {
    const { fragment } = assembleInstruction(source, { bits, syntax }, names);
    if (fragment.kind !== 'bytes') return `a ${fragment.kind}`;
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

export interface Comparison {
  /** Lines that GNU as takes. */
  readonly compared: number;
  readonly differences: readonly string[];
}

/** Compares the bytes of every line. */
export function compareInstructions(
  lines: readonly string[],
  bits: Bits,
  folder: string,
  syntax: Syntax = ATT,
): Comparison {
  const expected = byGnuAs(lines, bits, folder, syntax);
  const differences: string[] = [];
  let compared = 0;
  lines.forEach((line, index) => {
    const want = expected[index];
    if (want === undefined) return;
    compared++;
    const got = byOurs(line, bits, syntax);
    if (got !== want) differences.push(`${line}: ${got}, GNU as ${want}`);
  });
  return { compared, differences };
}
