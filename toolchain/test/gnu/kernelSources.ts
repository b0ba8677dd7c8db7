// Assembles the .S files of a Linux source tree that need no configuration, and compares the objects with those of
// gcc and GNU as:
//   npx tsx toolchain/test/gnu/kernelSources.ts FOLDER [FILE…]
// FOLDER is an unpacked linux-source package; files are relative to it, all of arch/x86, lib and tools when left out.
import { execFileSync, spawnSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { assembleObject } from '../../assembler/assemble.js';
import { formatDiagnostic } from '../../diagnostic.js';
import { objectDifferences, readObject } from './objects.js';

const kernel = path.resolve(process.argv[2] ?? '.');
const work = mkdtempSync(path.join(tmpdir(), 'hyperstep-kernel-'));
const object = path.join(work, 'theirs.o');

/** The build makes `asm/NAME.h` for every header that the architecture takes from asm-generic. */
function wrapGenericHeaders(): string {
  const folder = path.join(work, 'generic');
  mkdirSync(path.join(folder, 'asm'), { recursive: true });
  for (const generic of ['include/asm-generic', 'include/uapi/asm-generic']) {
    for (const name of readdirSync(path.join(kernel, generic))) {
      const isOwn = ['arch/x86/include/asm', 'arch/x86/include/uapi/asm'].some((own) =>
        existsSync(path.join(kernel, own, name)),
      );
      if (!isOwn && name.endsWith('.h'))
        writeFileSync(path.join(folder, 'asm', name), `#include <asm-generic/${name}>\n`);
    }
  }
  return folder;
}

const folders = [
  ...['arch/x86/include'].map((folder) => path.join(kernel, folder)),
  wrapGenericHeaders(),
  ...['arch/x86/include/uapi', 'include', 'include/uapi'].map((folder) => path.join(kernel, folder)),
];
const DEFINES = { __KERNEL__: '1', __ASSEMBLY__: '1' };

function sources(folder: string): string[] {
  return readdirSync(path.join(kernel, folder), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.S'))
    .map((name) => path.join(folder, name))
    .sort();
}

/** Does gcc assemble the file without a configuration? Leaves the object. */
function byGcc(file: string, bits: 32 | 64): boolean {
  const includes = [...folders, path.dirname(path.join(kernel, file))].map((folder) => `-I${folder}`);
  const defines = Object.entries(DEFINES).map(([name, value]) => `-D${name}=${value}`);
  const args = [`-m${bits}`, '-c', ...defines, '-nostdinc', ...includes, file, '-o', object];
  return spawnSync('gcc', args, { cwd: kernel, stdio: 'ignore' }).status === 0;
}

/** What gcc defines by itself and kernel headers ask for. */
function builtinDefines(bits: 32 | 64): Record<string, string> {
  const text = execFileSync('gcc', [`-m${bits}`, '-E', '-dM', '-x', 'assembler-with-cpp', '/dev/null'], {
    encoding: 'utf8',
  });
  return Object.fromEntries(
    Array.from(text.matchAll(/^#define (\w+) (.*)$/gm), ([, name, value]) => [name, value]),
  );
}

const builtin = { 32: builtinDefines(32), 64: builtinDefines(64) } as const;

function compare(file: string, bits: 32 | 64): string[] {
  const fileName = path.join(kernel, file);
  const readInclude = (name: string, from: string): { fileName: string; bytes: Uint8Array } | undefined => {
    for (const folder of [path.dirname(from), ...folders, path.dirname(fileName), kernel]) {
      const found = path.resolve(folder, name);
      if (existsSync(found) && statSync(found).isFile())
        return { fileName: found, bytes: readFileSync(found) };
    }
    return undefined;
  };
  const source = readFileSync(fileName, 'utf8');
  const defines = { ...builtin[bits], ...DEFINES };
  const made = assembleObject({ fileName, source, bits, readInclude, defines });
  if (!made.object) return made.diagnostics.slice(0, 5).map(formatDiagnostic);
  const warnings = made.diagnostics.map(formatDiagnostic);
  return [...warnings, ...objectDifferences(made.object, readObject(file, readFileSync(object)))];
}

const wanted = process.argv.slice(3);
const files = wanted.length > 0 ? wanted : [...sources('arch/x86'), ...sources('lib'), ...sources('tools')];
let same = 0;
let compared = 0;
let milliseconds = 0;
for (const file of files) {
  const bits = ([64, 32] as const).find((width) => byGcc(file, width));
  if (!bits) continue;
  compared++;
  const start = performance.now();
  const differences = compare(file, bits);
  milliseconds += performance.now() - start;
  if (differences.length === 0) same++;
  console.log(`${differences.length === 0 ? 'same     ' : 'DIFFERENT'} ${bits} ${file}`);
  for (const difference of differences) console.log(`    ${difference}`);
}
console.log(`${same} of ${compared} files the same as by GNU as; ours took ${milliseconds.toFixed(0)} ms`);
rmSync(work, { recursive: true });
process.exitCode = same === compared ? 0 : 1;
