/** Compiled code does what the interpreter does, in hosts and their guests: examples run with the check on. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import type { HyperstepLaunchArguments } from '../debug-adapter/protocol.js';
import { ROOT, runGuest } from './runGuest.js';

const EXAMPLES = path.join(ROOT, 'examples');

/** A guest in 64-bit mode, one with two vCPUs, one whose handler reads guest memory, one in protected mode. */
const CHECKED: readonly Partial<HyperstepLaunchArguments>[] = [
  { program: 'hello/hello.S' },
  { program: 'kick/kick.S', vcpus: 2 },
  { program: 'guest-buffer/guest-buffer.S', handlers: path.join(EXAMPLES, 'guest-buffer/handlers.c') },
  { program: 'operand-cut/protected.S', mode: 'protected' },
];

describe('examples with --check-compiler', () => {
  for (const { program = '', ...args } of CHECKED) {
    it(program, async function () {
      this.timeout(30_000);
      const run = await runGuest({ program: path.join(EXAMPLES, program), ...args }, { checkCompiler: true });
      assert.equal(run.explanation, undefined);
      const golden = readFileSync(path.join(EXAMPLES, program.replace(/\.S$/, '.expected.txt')), 'utf8');
      assert.match(golden, new RegExp(`^exit status ${run.status}$`, 'm'));
      for (const line of run.console.trimEnd().split('\n')) assert.ok(golden.includes(line), line);
    });
  }
});
