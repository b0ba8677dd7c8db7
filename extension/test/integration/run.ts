/** Runs the tests of this folder with mocha inside the extension host of a real VS Code with the packaged extension. */
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { format } from 'node:util';
import * as esbuild from 'esbuild';
import { CodeWindow, delay } from '../harness/codeWindow.js';
import { guests, root, vsix } from '../harness/paths.js';
import type { Outcome } from './suite.js';

const LIMIT_MS = 180_000;

const here = path.join(root, 'extension', 'test', 'integration');
const scratch = mkdtempSync(path.join(tmpdir(), 'hyperstep-integration-'));
const outcomeFile = path.join(scratch, 'outcome.json');
/** What the extension host prints: of interest only when the tests do not come to an end. */
const consoleLines: string[] = [];
let window: CodeWindow | undefined;
try {
  const suite = await bundleTests();
  let ended: (exitCode: number) => void = () => undefined;
  const end = new Promise<number>((resolve) => {
    ended = resolve;
  });
  window = await CodeWindow.open({
    vsix: vsix(),
    folder: guests,
    extensionTests: suite,
    environment: { HYPERSTEP_OUTCOME: outcomeFile },
    onServerLine: (line) => {
      if (/Extension Host Process exited with code/.test(line)) setTimeout(() => ended(1), 2_000);
    },
    prepare: async (page) => {
      await page.exposeFunction('codeAutomationLog', (_type: string, words: unknown[]) => {
        consoleLines.push(format(...words));
      });
      await page.exposeFunction('codeAutomationExit', ended);
    },
  });
  const exitCode = await Promise.race([end, delay(LIMIT_MS).then(() => 124)]);
  process.exitCode = judge(exitCode);
} finally {
  await window?.close();
  rmSync(scratch, { recursive: true, force: true });
}
// The browser keeps handles open that nothing needs any more.
process.exit();

/** VS Code's exit code is 0 also when its extension host was killed: only the outcome that mocha left counts. */
function judge(exitCode: number): number {
  if (!existsSync(outcomeFile)) {
    console.error(consoleLines.join('\n'));
    console.error(`The extension host ended before its tests did (exit code ${exitCode}).`);
    return 1;
  }
  const { passed, failed, report } = JSON.parse(readFileSync(outcomeFile, 'utf8')) as Outcome;
  console.log(report.join('\n'));
  console.log(`${passed} passed, ${failed} failed`);
  return failed === 0 && passed > 0 && exitCode === 0 ? 0 : 1;
}

/** The extension host loads CommonJS; answers the module with `run()`. */
async function bundleTests(): Promise<string> {
  const tests = readdirSync(here).filter((name) => name.endsWith('.test.ts'));
  const outdir = path.join(root, 'out', 'integration');
  // A test that is no more must not run from an earlier bundle.
  rmSync(outdir, { recursive: true, force: true });
  await esbuild.build({
    entryPoints: ['suite.ts', ...tests].map((name) => path.join(here, name)),
    outdir,
    outExtension: { '.js': '.cjs' },
    bundle: true,
    platform: 'node',
    format: 'cjs',
    target: 'node20',
    sourcemap: 'inline',
    external: ['vscode', 'mocha'],
    logLevel: 'warning',
  });
  // The tests as an extension: they run beside the installed one, not instead of it.
  const manifest = {
    name: 'tests',
    publisher: 'hyperstep',
    version: '0.0.1',
    engines: { vscode: '^1.100.0' },
  };
  writeFileSync(path.join(outdir, 'package.json'), JSON.stringify(manifest));
  return path.join(outdir, 'suite.cjs');
}
