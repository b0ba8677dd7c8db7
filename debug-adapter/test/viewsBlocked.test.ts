import assert from 'node:assert/strict';
import { fileURLToPath } from 'node:url';
import { platformNode } from '../../toolchain/platformNode.js';
import { Debuggee } from '../debuggee/debuggee.js';
import { isFailed, prepareLaunch } from '../launch/prepareLaunch.js';
import { Stacks } from '../stack/stack.js';
import { evaluate } from '../variables/evaluate.js';
import { scopesOf } from '../variables/scopes.js';
import { VariableStore } from '../variables/store.js';
import { hypercallsView } from '../views/hypercallsView.js';

const installFolder = fileURLToPath(new URL('../../', import.meta.url)).replace(/[/\\]$/, '');
const example = (name: string): string => `${installFolder}/examples/sleeping/${name}`;

describe('a guest that is blocked in a hypercall', () => {
  it('is shown with the host function that it waits in, and its registers can be read and set', async () => {
    const launch = await prepareLaunch(
      { program: example('sleeping.S'), handlers: example('handlers.c'), vcpus: 2 },
      { platform: platformNode, installFolder },
    );
    if (isFailed(launch)) assert.fail(launch.diagnostics.map(({ message }) => message).join('\n'));
    const debuggee = new Debuggee(launch, installFolder);
    const { machine } = debuggee;
    machine.paceIdle = true;
    machine.observers.onWorldSwitch = (event) => {
      debuggee.observe(event);
      return false;
    };
    // Idle with an open call: its thread sleeps.
    for (;;) {
      const stop = machine.run(200_000_000);
      if (stop.kind === 'idle' && debuggee.log.unanswered.length > 0) break;
      assert.equal(stop.kind, 'idle');
      if (stop.kind === 'idle') machine.skipIdle(stop.untilNs);
    }
    const stacks = new Stacks(debuggee);
    const [seq] = debuggee.log.unanswered;
    const [call] = hypercallsView(debuggee, { start: seq, count: 1 }, (vmcs) =>
      stacks.hostStackOf(vmcs),
    ).calls;
    assert.match(call.blockedIn ?? 'nowhere', /^msleep \(sched\.c:\d+\)$/);
    const own = launch.handlers!.hypercalls.find(({ nr }) => nr === BigInt(call.nr))!;
    assert.equal(call.name, own.name);
    assert.match(call.handler?.file ?? '', /handlers\.c$/);

    const thread = stacks.threads.find(({ vmcs }) => vmcs !== undefined)!;
    const store = new VariableStore();
    const [top] = stacks.of(thread.id);
    assert.ok(top.kind === 'code');
    const [first] = scopesOf({ debuggee, frame: top }, store);
    assert.equal(first.name, 'Hypercall (before → now)');
    // What its switch did not save is not known, and not shown.
    const names = scopesOf({ debuggee, frame: top }, store).map(({ name }) => name);
    assert.ok(names.includes('Registers') && !names.includes('Control'));
    const [guest] = stacks.guestFramesOf(thread.id);
    const context = { debuggee, frame: guest };
    assert.equal(evaluate({ expression: 'rbx' }, context, store).result, call.before.rbx);
    assert.equal(evaluate({ expression: '$rbx = 0x1234', context: 'repl' }, context, store).result, '0x1234');
    const rbx = store.variables(first).find(({ name }) => name === 'RBX')!;
    assert.equal(rbx.value, `${call.before.rbx} → 0x1234`);
  });
});
