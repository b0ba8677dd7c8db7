// Diagnoses the .S files of a Linux source tree that gcc assembles without a configuration: each must have none.
//   npx tsx language-server/test/kernelSources.ts FOLDER
// FOLDER is an unpacked linux-source package.
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { diagnose } from '../diagnostics/diagnose.js';
import { workspaceOnDisk } from './check.js';

const kernel = path.resolve(process.argv[2] ?? '.');
const work = mkdtempSync(path.join(tmpdir(), 'hyperstep-kernel-'));
const OWN_HEADERS = ['arch/x86/include', 'arch/x86/include/uapi'];
const HEADERS = ['include', 'include/uapi'];
const DEFINES = { __KERNEL__: '1', __ASSEMBLY__: '1' };

/** The build makes `asm/NAME.h` for every header that the architecture takes from asm-generic. */
function wrapGenericHeaders(): string {
  mkdirSync(path.join(work, 'asm'));
  const generic = ['include/asm-generic', 'include/uapi/asm-generic'].flatMap((folder) =>
    readdirSync(path.join(kernel, folder)),
  );
  for (const name of generic) {
    const isOwn = OWN_HEADERS.some((own) => existsSync(path.join(kernel, own, 'asm', name)));
    if (!isOwn && name.endsWith('.h'))
      writeFileSync(path.join(work, 'asm', name), `#include <asm-generic/${name}>\n`);
  }
  return work;
}

const includeFolders = [
  path.join(kernel, OWN_HEADERS[0]),
  wrapGenericHeaders(),
  ...[OWN_HEADERS[1], ...HEADERS].map((folder) => path.join(kernel, folder)),
];

function gccTakes(file: string, bits: 32 | 64): boolean {
  const includes = [...includeFolders, path.dirname(path.join(kernel, file))].map((folder) => `-I${folder}`);
  const defines = Object.entries(DEFINES).map(([name, value]) => `-D${name}=${value}`);
  const args = [
    `-m${bits}`,
    '-c',
    ...defines,
    '-nostdinc',
    ...includes,
    file,
    '-o',
    path.join(work, 'out.o'),
  ];
  return spawnSync('gcc', args, { cwd: kernel, stdio: 'ignore' }).status === 0;
}

/** What gcc defines by itself and kernel headers ask for. */
function builtinDefines(bits: 32 | 64): Record<string, string> {
  const args = [`-m${bits}`, '-E', '-dM', '-x', 'assembler-with-cpp', '/dev/null'];
  const text = execFileSync('gcc', args, { encoding: 'utf8' });
  return Object.fromEntries(
    Array.from(text.matchAll(/^#define (\w+) (.*)$/gm), ([, name, value]) => [name, value]),
  );
}

let checked = 0;
let wrong = 0;
for (const folder of ['arch/x86', 'lib', 'tools']) {
  const sources = readdirSync(path.join(kernel, folder), { recursive: true, encoding: 'utf8' });
  for (const source of sources.filter((name) => name.endsWith('.S')).sort()) {
    const file = path.join(folder, source);
    const bits = ([64, 32] as const).find((width) => gccTakes(file, width));
    if (!bits) continue;
    checked++;
    const defines = { ...builtinDefines(bits), ...DEFINES };
    const workspace = workspaceOnDisk({ includeFolders: [...includeFolders, kernel], defines, bits });
    const found = [...diagnose(workspace, workspace.analyze(path.join(kernel, file))!).values()].flat();
    if (found.length > 0) wrong++;
    console.log(`${found.length === 0 ? 'none' : 'SOME'} ${bits} ${file}`);
    for (const { message, range, code } of found.slice(0, 5))
      console.log(`    ${range.start.line + 1}: ${String(code ?? '')} ${String(message)}`);
  }
}
console.log(`${checked - wrong} of ${checked} files without a diagnostic`);
rmSync(work, { recursive: true });
process.exitCode = wrong === 0 && checked > 0 ? 0 : 1;
