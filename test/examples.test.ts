/** Every example is a test: each launch configuration is run with its settings and compared with its golden file. */
import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import ts from 'typescript';
import type { TraceLine } from '../cli/trace.js';
import { SHOWN_REGISTERS } from '../debug-adapter/hypercalls/conventions.js';
import type { HyperstepLaunchArguments } from '../debug-adapter/protocol.js';
import type { GuestRun } from './runGuest.js';
import { baseName, ROOT, runGuest } from './runGuest.js';

const EXAMPLES = path.join(ROOT, 'examples');
const README = readFileSync(path.join(EXAMPLES, 'README.md'), 'utf8');

interface Configuration extends HyperstepLaunchArguments {
  readonly name: string;
}

/** The configurations of examples/.vscode/launch.json, which may have comments. */
function readConfigurations(): readonly Configuration[] {
  const file = path.join(EXAMPLES, '.vscode', 'launch.json');
  const text = readFileSync(file, 'utf8').replaceAll('${workspaceFolder}', EXAMPLES);
  const { config, error } = ts.parseConfigFileTextToJson(file, text);
  assert.equal(error, undefined);
  return (config as { configurations: Configuration[] }).configurations;
}

/** In a C guest the compiler decides what is in registers that are not operands: only these are compared. */
const OPERANDS_IN_C: Readonly<Record<string, number>> = {
  KVM_HC_HYPERSTEP_HELLO: 0,
  KVM_HC_SCHED_YIELD: 1,
  KVM_HC_KICK_CPU: 2,
  KVM_HC_MAP_GPA_RANGE: 3,
  KVM_HC_SEND_IPI: 4,
};

function callText(call: TraceLine, isC: boolean): string {
  const operands = isC ? OPERANDS_IN_C[call.name ?? ''] : SHOWN_REGISTERS.length - 1;
  const registers = SHOWN_REGISTERS.slice(0, 1 + operands).map((name) => {
    const before = call.before[name];
    const after = call.after?.[name];
    return `${name} ${before}${after === undefined || after === before ? '' : ` -> ${after}`}`;
  });
  const place = call.source ? `${baseName(call.source.file)}:${call.source.line}` : 'no line';
  return `vcpu ${call.vcpu} CPL ${call.cpl} ${call.kind} ${call.name ?? call.nr}: ${registers.join(', ')} = ${call.result} (${place})`;
}

/** What a golden file holds: nothing in it depends on the compiler that built the host. */
function transcript(run: GuestRun, isC: boolean): string {
  const indented = (lines: readonly string[]): string[] => lines.map((line) => `  ${line}`);
  return [
    'console',
    ...indented(run.console.trimEnd().split('\n')),
    `exit status ${run.status}`,
    'hypercalls',
    ...indented(run.calls.map((call) => callText(call, isC))),
    '',
  ].join('\n');
}

const goldenFile = (program: string): string =>
  program.slice(0, -path.extname(program).length) + '.expected.txt';

describe('examples', () => {
  const configurations = readConfigurations();

  for (const { name, ...args } of configurations) {
    it(name, async () => {
      const run = await runGuest(args);
      const actual = transcript(run, args.program.endsWith('.c'));
      const golden = goldenFile(args.program);
      if (process.env.UPDATE_GOLDEN) writeFileSync(golden, actual);
      assert.equal(actual, readFileSync(golden, 'utf8'));
    });
  }

  it('run the same way every time, to the instruction', async () => {
    const sleeping = configurations.find(({ name }) => name === 'a handler that sleeps');
    assert.ok(sleeping);
    const [first, second] = [await runGuest(sleeping), await runGuest(sleeping)];
    assert.deepEqual(second.calls, first.calls);
    assert.equal(second.log, first.log);
  });

  const programs = readdirSync(EXAMPLES, { withFileTypes: true })
    .filter((entry) => entry.isDirectory() && !entry.name.startsWith('.'))
    .flatMap(({ name }) => readdirSync(path.join(EXAMPLES, name)).map((file) => path.join(name, file)))
    .filter((file) => /\.(S|c|asm)$/.test(file) && path.basename(file) !== 'handlers.c');

  it('each has a configuration, and a row in the README', () => {
    const configured = configurations.map(({ program }) => path.relative(EXAMPLES, program));
    assert.deepEqual(configured.toSorted(), programs.toSorted());
    for (const file of programs) assert.match(README, new RegExp(`\\]\\(${file}\\)`), file);
  });

  it('the README lists nothing else', () => {
    const rows = [...README.matchAll(/^\| \[[^\]]*\]\(([^)]*)\)/gm)].map(([, file]) => file);
    assert.deepEqual(rows.toSorted(), programs.toSorted());
    for (const file of rows) assert.ok(existsSync(path.join(EXAMPLES, file)), file);
  });
});
