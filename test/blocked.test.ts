/** A guest that is blocked in its host while nothing else runs: Pause comes through, and the threads say where they are. */
import assert from 'node:assert/strict';
import path from 'node:path';
import { DebugClient } from '@vscode/debugadapter-testsupport';
import type { DebugProtocol } from '@vscode/debugprotocol';
import type { HyperstepLaunchArguments } from '../debug-adapter/protocol.js';
import { ROOT } from './runGuest.js';

const SLEEPING = path.join(ROOT, 'examples', 'sleeping');

describe('a blocked guest', () => {
  it('is paused while every vCPU sleeps', async () => {
    const client = new DebugClient(
      process.execPath,
      path.join(ROOT, 'debug-adapter', 'main.ts'),
      'hyperstep',
      { env: { ...process.env, NODE_OPTIONS: '--import=tsx' } },
      true,
    );
    client.defaultTimeout = 20_000;
    await client.start();
    try {
      const asleep = outputOf(client, /waits for 10000 ms/);
      const launch: HyperstepLaunchArguments = {
        program: path.join(SLEEPING, 'sleeping.S'),
        handlers: path.join(SLEEPING, 'handlers.c'),
        vcpus: 2,
      };
      await client.initializeRequest();
      await Promise.all([
        client.waitForEvent('initialized').then(() => client.configurationDoneRequest()),
        client.launchRequest(launch),
        asleep,
      ]);
      const stopped = client.waitForEvent('stopped') as Promise<DebugProtocol.StoppedEvent>;
      await client.pauseRequest({ threadId: 1 });
      assert.equal((await stopped).body.reason, 'pause');

      const { threads } = (await client.threadsRequest()).body;
      assert.equal(threads.find(({ id }) => id === 1)?.name, 'vCPU 0: blocked in msleep');
      const { stackFrames } = (await client.stackTraceRequest({ threadId: 1 })).body;
      const names = stackFrames.map(({ name }) => name);
      for (const name of ['msleep', 'slow', 'kvm_emulate_hypercall', 'VM exit: VMCALL', 'caller']) {
        assert.ok(names.includes(name), `${name} in ${names.join(', ')}`);
      }
    } finally {
      await client.stop();
    }
  });
});

/** Resolves when the adapter has sent such an output. */
function outputOf(client: DebugClient, text: RegExp): Promise<void> {
  return new Promise((resolve) => {
    client.on('output', ({ body }: DebugProtocol.OutputEvent) => {
      if (text.test(body.output)) resolve();
    });
  });
}
