// Builds dist/: the extension, the debug adapter, the language server and the command line as one file each, the language
// support for the browser, and the KVM host.
import { execFileSync, spawnSync } from 'node:child_process';
import console from 'node:console';
import { chmodSync, copyFileSync, existsSync, mkdirSync } from 'node:fs';
import path from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import * as esbuild from 'esbuild';
import { icedInBrowser } from './icedWeb.mjs';

const root = path.join(path.dirname(fileURLToPath(import.meta.url)), '..');
const dist = path.join(root, 'dist');

// CommonJS has no import.meta; a module that looks for files beside itself finds them in dist/.
const importMetaUrl = "const importMetaUrl = require('node:url').pathToFileURL(__filename).href;";
const shared = {
  absWorkingDir: root,
  outdir: dist,
  outExtension: { '.js': '.cjs' },
  bundle: true,
  platform: 'node',
  format: 'cjs',
  target: 'node20',
  sourcemap: true,
  logLevel: 'warning',
  define: { 'import.meta.url': 'importMetaUrl' },
  banner: { js: importMetaUrl },
};

await bundle({ extension: 'extension/extension.ts' }, { external: ['vscode'] });
await bundle({ debugAdapter: 'debug-adapter/main.ts' });
await bundle({ languageServer: 'language-server/node.ts' });
await bundle({ cli: 'cli/main.ts' }, { banner: { js: `#!/usr/bin/env node\n${importMetaUrl}` } });
chmodSync(path.join(dist, 'cli.cjs'), 0o755);

// For VS Code in the browser: CommonJS for its extension host, a plain script for the worker.
const web = {
  outdir: path.join(dist, 'web'),
  outExtension: {},
  platform: 'browser',
  target: 'es2022',
  define: { __dirname: '""' },
  banner: {},
  loader: { '.wasm': 'binary' },
  plugins: [icedInBrowser(root)],
};
await bundle({ extension: 'extension/web.ts' }, { ...web, external: ['vscode'] });
await bundle({ languageServer: 'language-server/browser.ts' }, { ...web, format: 'iife' });

// iced-x86 loads its WebAssembly from beside the file that it is bundled into.
copyFileSync(
  path.join(root, 'node_modules', 'iced-x86', 'iced_x86_bg.wasm'),
  path.join(dist, 'iced_x86_bg.wasm'),
);

buildHost();

async function bundle(entryPoints, more = {}) {
  try {
    await esbuild.build({ ...shared, entryPoints, ...more });
  } catch {
    // esbuild has printed what is wrong, and where.
    process.exit(1);
  }
}

function buildHost() {
  const host = path.join(dist, 'hypervisors', 'kvm.elf');
  const compiler = [process.env.CC, 'gcc', 'clang'].filter(Boolean).find(runs);
  if (compiler === undefined || !runs('make')) {
    const consequence = existsSync(host)
      ? 'the one that is there is kept'
      : 'guests cannot be started without it';
    console.warn(
      `No C compiler with make found: ${path.relative(root, host)} is not built (${consequence}).`,
    );
    return;
  }
  mkdirSync(path.dirname(host), { recursive: true });
  execFileSync('make', ['-s', '-C', 'hypervisors/kvm', `CC=${compiler}`, `OUT=${host}`], {
    cwd: root,
    stdio: 'inherit',
  });
}

function runs(program) {
  return spawnSync(program, ['--version'], { stdio: 'ignore' }).status === 0;
}
