/** The views and their look, without a machine. */
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync, copyFileSync } from 'node:fs';
import type { Server } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { FakeMachine, serveFakeAdapter } from '../fakeAdapter.js';
import { guests } from '../harness/paths.js';
import { Workbench } from './workbench.js';

const SCENARIO_MS = 120_000;

describe('the views', function () {
  this.timeout(SCENARIO_MS);
  const machine = new FakeMachine();
  let server: Server;
  let folder: string;
  let workbench: Workbench;

  before(async () => {
    let port: number;
    ({ server, port } = await serveFakeAdapter(machine));
    folder = mkdtempSync(path.join(tmpdir(), 'hyperstep-views-'));
    const guest = path.join(folder, 'three.S');
    copyFileSync(path.join(guests, 'three.S'), guest);
    writeLaunchJson(folder, { program: '${workspaceFolder}/three.S', debugServer: port });
    workbench = await Workbench.open({ folder, file: guest });
  });

  after(async () => {
    await workbench.screenshot('views-last');
    await workbench.close();
    server.close();
    rmSync(folder, { recursive: true, force: true });
  });

  it('colour an assembly file', async () => {
    const line = workbench.page.locator('.view-line', { hasText: 'the third' });
    // Label, instruction and comment; before the grammar is loaded all is one span.
    await line.locator('span[class^="mtk"]').nth(2).waitFor();
  });

  it('say what they are for before a session, and let a VM exit be chosen already', async () => {
    await workbench.showDebugSideBar();
    await workbench.expand('Hypercalls');
    await workbench.view('Hypercalls').getByText('Every hypercall of the guest appears here').waitFor();
    await workbench.stopAtVmExit('VMCALL');
    await workbench.screenshot('views-before-session');
  });

  it('open at the first stop with the calls, registers and exits', async () => {
    await workbench.startDebugging();
    await workbench.row('Hypercalls', '#0 KVM_HC_VAPIC_POLL_IRQ → 0x55aa').waitFor();
    await workbench.row('Hypercalls', '#2 hypercall 5 → -KVM_ENOSYS').waitFor();
    await workbench.row('Registers', 'RAX').waitFor();
    await workbench.row('VM Exits', 'VMCALL').filter({ hasText: '3 · 56.0 µs' }).waitFor();
    assert.deepEqual(
      machine.exitBreakpoints.map(({ reason }) => reason),
      [18],
    );
  });

  it('show the registers before and after a call', async () => {
    await workbench.expandRow(workbench.row('Hypercalls', '#0 '));
    await workbench.row('Hypercalls', /RAX\s*0x5 → 0x55aa/).waitFor();
    await workbench.row('Hypercalls', /RBX\s*0x1000 → 0x1000/).waitFor();
    await workbench.screenshot('views-stopped');
  });

  it('change to decimal and back', async () => {
    await workbench.runCommand('Hyperstep: Toggle Hexadecimal / Decimal');
    await workbench.row('Hypercalls', /RAX\s*5 → 21930/).waitFor();
    await workbench.runCommand('Hyperstep: Toggle Hexadecimal / Decimal');
    await workbench.row('Hypercalls', /RAX\s*0x5 → 0x55aa/).waitFor();
    await workbench.expandRow(workbench.row('Hypercalls', '#0 '), false);
  });

  it('set a register', async () => {
    await workbench.clickRowAction(workbench.row('Registers', 'RAX'), 'Set Value');
    await workbench.answer('0x1234');
    await workbench.row('Registers', /RAX\s*0x1234/).waitFor();
  });

  it('give the breakpoint on a VM exit a condition', async () => {
    await workbench.clickRowAction(workbench.row('VM Exits', 'VMCALL'), 'Edit Condition');
    await workbench.answer('Expression');
    await workbench.page.locator('.quick-input-title', { hasText: 'VMCALL: Expression' }).waitFor();
    await workbench.answer('$rax == 5');
    await workbench.row('VM Exits', 'expression: $rax == 5').waitFor();
    assert.deepEqual(machine.exitBreakpoints, [{ reason: 18, condition: '$rax == 5' }]);
  });

  it('tell why handlers cannot be reloaded', async () => {
    await workbench.runCommand('Hyperstep: Reload Hypercall Handlers');
    const message = 'The hypercall handlers cannot be reloaded: handlers.c:7: number 20 is there twice';
    await workbench.page.locator('.notification-toast', { hasText: message }).waitFor();
  });

  it('decode the bits of a VMCS field', async () => {
    await workbench.expand('VMCS');
    await workbench.expandRow(workbench.row('VMCS', 'VM-execution control fields'));
    const field = workbench.row('VMCS', 'Pin-based VM-execution controls');
    await field.filter({ hasText: 'External-interrupt exiting' }).waitFor();
    await workbench.expandRow(field);
    await workbench.row('VMCS', /^NMI exiting$/).waitFor();
    await workbench.screenshot('views-vmcs');
    await workbench.expand('VMCS', false);
  });

  it('count the time of a blocked call while the machine runs, then show its answer', async () => {
    machine.hypercalls = 4;
    machine.blocked = true;
    await workbench.press('Continue');
    const blocked = workbench.row('Hypercalls', '#3 sleep → blocked');
    await blocked.waitFor();
    await blocked.filter({ hasText: 'in msleep (sched.c:120)' }).waitFor();
    const first = await workbench.blockedSeconds(blocked);
    await workbench.page.waitForTimeout(1_000);
    const second = await workbench.blockedSeconds(blocked);
    assert.ok(second > first, `${first} s, then ${second} s`);
    await workbench.screenshot('views-blocked');
    machine.blocked = false;
    await workbench.row('Hypercalls', '#3 KVM_HC_VAPIC_POLL_IRQ → 0x55aa').waitFor();
  });

  it('stay usable with 100,000 calls', async () => {
    machine.hypercalls = 100_000;
    await workbench.press('Pause');
    await workbench.row('Hypercalls', '#99999 ').waitFor();
    const list = workbench.view('Hypercalls').locator('.monaco-list');
    await list.click();
    await workbench.page.keyboard.press('Home');
    const earlier = workbench.row('Hypercalls', '99,900 earlier calls');
    await earlier.waitFor();
    await workbench.expandRow(earlier);
    await workbench.row('Hypercalls', '#0 … #9999').waitFor();
    await workbench.screenshot('views-100000');
  });
});

function writeLaunchJson(folder: string, configuration: object): void {
  const launch = { type: 'hyperstep', request: 'launch', name: 'made-up machine', ...configuration };
  mkdirSync(path.join(folder, '.vscode'));
  const text = JSON.stringify({ version: '0.2.0', configurations: [launch] }, null, 2);
  writeFileSync(path.join(folder, '.vscode', 'launch.json'), text);
}
