/** What VS Code calls in the extension host: mocha over the bundled tests beside this file. */
import { readdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import Mocha from 'mocha';

export interface Outcome {
  passed: number;
  failed: number;
  /** A line for each test, with the stack of a failure. */
  report: string[];
}

const TEST_MS = 60_000;

export async function run(): Promise<void> {
  const mocha = new Mocha({ ui: 'bdd', timeout: TEST_MS, reporter: 'min' });
  for (const name of readdirSync(__dirname).filter((file) => file.endsWith('.test.cjs'))) {
    mocha.addFile(path.join(__dirname, name));
  }
  const outcome: Outcome = { passed: 0, failed: 0, report: [] };
  await new Promise<void>((resolve) => {
    mocha
      .run(() => resolve())
      .on('pass', (test) => {
        outcome.passed++;
        outcome.report.push(`  passed  ${test.fullTitle()} (${test.duration} ms)`);
      })
      .on('fail', (test, error: Error) => {
        outcome.failed++;
        outcome.report.push(`  FAILED  ${test.fullTitle()}\n${error.stack ?? error.message}`);
      });
  });
  const file = process.env.HYPERSTEP_OUTCOME;
  if (file !== undefined) writeFileSync(file, JSON.stringify(outcome));
  if (outcome.failed > 0) throw new Error(`${outcome.failed} tests failed.`);
}
