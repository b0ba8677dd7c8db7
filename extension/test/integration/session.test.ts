/** A session of the packaged extension on the example that the package itself brings: nothing else is needed. */
import assert from 'node:assert/strict';
import path from 'node:path';
import * as vscode from 'vscode';
import type { HyperstepRequests } from '../../../debug-adapter/protocol.js';
import { until } from './until.js';

const VMCALL = 18;

describe('a session on the packaged hello example', () => {
  let session: vscode.DebugSession;

  before(async () => {
    const extension = vscode.extensions.getExtension('hyperstep.hyperstep');
    const program = path.join(extension?.extensionPath ?? '', 'examples', 'hello', 'hello.S');
    const configuration = { type: 'hyperstep', request: 'launch', name: 'hello', program, stopOnEntry: true };
    assert.ok(await vscode.debug.startDebugging(undefined, configuration));
    session = await until(() => vscode.debug.activeDebugSession, 'a session');
    await until(() => vscode.debug.activeStackItem, 'a stop');
  });
  after(async () => {
    await vscode.debug.stopDebugging();
  });

  it('stops on entry in the guest', async () => {
    const { stackFrames } = (await session.customRequest('stackTrace', {
      threadId: vscode.debug.activeStackItem?.threadId,
    })) as { stackFrames: { source?: { path?: string } }[] };
    assert.match(stackFrames[0].source?.path ?? '', /hello\.S$/);
  });

  it('stops at the VMCALL exit and keeps the call', async () => {
    await ask('hyperstep/setVmExitBreakpoints', { reasons: [{ reason: VMCALL }] });
    const threadId = vscode.debug.activeStackItem?.threadId;
    const stopped = new Promise<void>((resolve) => {
      const subscription = vscode.debug.onDidChangeActiveStackItem((item) => {
        if (!(item instanceof vscode.DebugStackFrame)) return;
        subscription.dispose();
        resolve();
      });
    });
    await session.customRequest('continue', { threadId });
    await stopped;
    const { total, unanswered, calls } = await ask('hyperstep/hypercalls', { start: 0, count: 10 });
    assert.equal(total, 1);
    assert.deepEqual(unanswered, [0]);
    assert.equal(calls[0].after, null);
    assert.match(calls[0].source?.file ?? '', /hello\.S$/);
  });

  it('has a VMCS and registers to show', async () => {
    const { vmcs, groups } = await ask('hyperstep/vmcs', {});
    assert.ok(vmcs);
    assert.ok(groups.some((group) => group.fields.length > 5));
    const registers = await ask('hyperstep/registers', {});
    assert.ok(registers.groups[0].registers.some(({ name }) => /^rax$/i.test(name)));
  });

  async function ask<Name extends keyof HyperstepRequests>(
    name: Name,
    body: HyperstepRequests[Name]['arguments'],
  ): Promise<HyperstepRequests[Name]['body']> {
    return (await session.customRequest(name, body)) as HyperstepRequests[Name]['body'];
  }
});
