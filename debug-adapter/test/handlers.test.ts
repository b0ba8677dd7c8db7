import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { platformNode } from '../../toolchain/platformNode.js';
import type { Debuggee } from '../debuggee/debuggee.js';
import { reloadHandlers } from '../handlers/reload.js';
import { installFolder, launchDebuggee, runToEnd, runToSwitch } from './disassemblyDebuggee.js';

/** Asks hypercall 20 three times. */
const GUEST = `
	.globl _start
_start:
	movl $3, %r12d
1:	movl $20, %eax
	movl $5, %ebx
	vmcall
	decl %r12d
	jnz 1b
	cli
	hlt
`;

const handlerFile = (body: string): string => `
#include <hyperstep/hypercall.h>
static unsigned long own(struct kvm_vcpu *vcpu, unsigned long a0, unsigned long a1, unsigned long a2, unsigned long a3)
{
	(void)vcpu; (void)a0; (void)a1; (void)a2; (void)a3;
	${body}
}
HYPERCALL(20, "own", own);
`;

describe('reloading hypercall handlers', function () {
  this.timeout(60_000);
  let folder: string;
  let program: string;
  let handlers: string;

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'hyperstep-reload-'));
    program = join(folder, 'guest.S');
    handlers = join(folder, 'handlers.c');
    await writeFile(program, GUEST);
  });
  after(() => rm(folder, { recursive: true }));

  const launchWith = async (body: string): Promise<Debuggee> => {
    await writeFile(handlers, handlerFile(body));
    return launchDebuggee({ program, handlers });
  };
  /** Runs until the guest goes on after a call. */
  const runToAnswer = (debuggee: Debuggee): void => {
    const answered = debuggee.log.length + 1;
    const isAnswer = ({ direction }: { direction: string }): boolean =>
      direction === 'entry' &&
      debuggee.log.length === answered &&
      debuggee.log.at(answered - 1).after !== undefined;
    runToSwitch(debuggee, isAnswer);
  };
  const answers = ({ log }: Debuggee): (bigint | undefined)[] =>
    Array.from({ length: log.length }, (_, index) => log.at(index).after?.[0]);

  it('answers the next call by the new code, without restarting the guest', async () => {
    const debuggee = await launchWith('return a0 + 1;');
    for (const body of ['return a0 + 2;', 'msleep(10); return a0 + 3;']) {
      runToAnswer(debuggee);
      await writeFile(handlers, handlerFile(body));
      assert.equal((await reloadHandlers(debuggee, platformNode)).kind, 'reloaded');
    }
    assert.deepEqual(runToEnd(debuggee), { kind: 'halted' });
    assert.deepEqual(answers(debuggee), [6n, 7n, 8n]);
  });

  it('loads into a host that has not started yet', async () => {
    const debuggee = await launchWith('return 1;');
    await writeFile(handlers, handlerFile('return 2;'));
    assert.equal((await reloadHandlers(debuggee, platformNode)).kind, 'reloaded');
    runToEnd(debuggee);
    assert.deepEqual(answers(debuggee), [2n, 2n, 2n]);
  });

  it('keeps the old code when the file has an error, and says at which line', async () => {
    const debuggee = await launchWith('return a0 + 1;');
    runToAnswer(debuggee);
    await writeFile(handlers, handlerFile('return nothing;'));
    const result = await reloadHandlers(debuggee, platformNode);
    assert(result.kind === 'failed');
    const [{ file, line, message }] = result.diagnostics;
    assert.deepEqual([file, line], [handlers, 6]);
    assert.match(message, /nothing/);
    runToEnd(debuggee);
    assert.deepEqual(answers(debuggee), [6n, 6n, 6n]);
  });

  it('has nothing to reload in a session without handlers', async () => {
    const debuggee = await launchDebuggee({ program: `${installFolder}/examples/hello/hello.S` });
    const result = await reloadHandlers(debuggee, platformNode);
    assert(result.kind === 'failed');
    assert.match(result.diagnostics[0].message, /"handlers"/);
  });
});
