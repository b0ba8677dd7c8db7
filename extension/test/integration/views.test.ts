/** The extension against an adapter with made-up state, at sizes that no example reaches. */
import assert from 'node:assert/strict';
import type { Server } from 'node:net';
import path from 'node:path';
import * as vscode from 'vscode';
import { FakeMachine, serveFakeAdapter } from '../fakeAdapter.js';
import { until } from './until.js';

describe('the extension', () => {
  it('is installed and active, with its debug type and language', async () => {
    const extension = vscode.extensions.getExtension('hyperstep.hyperstep');
    assert.ok(extension);
    await extension.activate();
    const document = await vscode.workspace.openTextDocument(guest());
    assert.equal(document.languageId, 'hyperstep-gas');
  });
});

describe('a session', () => {
  const machine = new FakeMachine();
  let server: Server;
  let port: number;

  before(async () => {
    ({ server, port } = await serveFakeAdapter(machine));
  });
  after(() => {
    server.close();
  });
  afterEach(async () => {
    await vscode.debug.stopDebugging();
  });

  const start = async (more: object = {}): Promise<boolean> => {
    const configuration = {
      type: 'hyperstep',
      request: 'launch',
      name: 'fake',
      program: guest(),
      debugServer: port,
    };
    return vscode.debug.startDebugging(vscode.workspace.workspaceFolders?.[0], { ...configuration, ...more });
  };

  it('sends the VM exit breakpoints and the number format before the guest starts', async () => {
    machine.received.length = 0;
    assert.ok(await start());
    await until(() => machine.received.includes('configurationDone'), 'configurationDone');
    const before = machine.received.slice(0, machine.received.indexOf('configurationDone'));
    assert.ok(before.includes('hyperstep/setVmExitBreakpoints'), before.join());
    assert.ok(before.includes('hyperstep/setNumberFormat'), before.join());
  });

  it('resolves relative paths from the workspace folder', async () => {
    assert.ok(await start({ program: 'three.S', handlers: 'my/handlers.c' }));
    const { configuration } = await until(() => vscode.debug.activeDebugSession, 'a session');
    assert.equal(configuration.program, guest());
    assert.equal(configuration.handlers, path.join(path.dirname(guest()), 'my', 'handlers.c'));
  });

  it('asks for no more than a few pages of 100,000 calls', async () => {
    machine.hypercalls = 100_000;
    machine.received.length = 0;
    assert.ok(await start());
    await vscode.commands.executeCommand('hyperstep.hypercalls.focus');
    await until(() => machine.received.includes('hyperstep/hypercalls'), 'a request for hypercalls');
    const requests = machine.received.filter((name) => name === 'hyperstep/hypercalls').length;
    assert.ok(requests <= 6, `${requests} requests`);
  });

  it('shows what the build says in the Problems view, until the next build says otherwise', async () => {
    const error = { severity: 'error' as const, file: guest(), line: 13, column: 9, endColumn: 18 };
    machine.diagnostics = [{ ...error, message: 'no such instruction' }];
    const problems = (): vscode.Diagnostic[] => vscode.languages.getDiagnostics(vscode.Uri.file(guest()));
    assert.ok(await start());
    const [problem] = await until(() => problems().length > 0 && problems(), 'a problem');
    assert.equal(problem.message, 'no such instruction');
    assert.deepEqual(problem.range, new vscode.Range(12, 8, 12, 17));
    await vscode.debug.stopDebugging();

    machine.diagnostics = [];
    assert.ok(await start());
    await until(() => problems().length === 0, 'no problems');
  });

  it('is not started by a configuration with a fault', async () => {
    assert.equal(await start({ vcpus: 'two' }), false);
    assert.equal(vscode.debug.activeDebugSession, undefined);
  });
});

function guest(): string {
  const folder = vscode.workspace.workspaceFolders?.[0].uri.fsPath ?? '';
  return path.join(folder, 'three.S');
}
