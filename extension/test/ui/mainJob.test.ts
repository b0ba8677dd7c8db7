/** The main job as a person does it: from a guest's VMCALL into kvm_emulate_hypercall and back, and a blocked call. */
import assert from 'node:assert/strict';
import { cpSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { root } from '../harness/paths.js';
import { Workbench } from './workbench.js';

const SCENARIO_MS = 180_000;
const MOST_STEPS = 30;
/** High enough for a call stack across both worlds. */
const TALL = { width: 1440, height: 1300 };
/** In examples/hello/hello.S. */
const VMCALL_LINE = 12;

/** Opens the examples in a copy of their own, where VS Code may leave its state, with one guest in the editor. */
async function openExample(name: string): Promise<{ workbench: Workbench; remove: () => void }> {
  const folder = mkdtempSync(path.join(tmpdir(), 'hyperstep-examples-'));
  cpSync(path.join(root, 'examples'), folder, { recursive: true });
  const file = path.join(folder, name, `${name}.S`);
  const workbench = await Workbench.open({ folder, file, viewport: TALL });
  return { workbench, remove: () => rmSync(folder, { recursive: true, force: true }) };
}

describe('the main job', function () {
  this.timeout(SCENARIO_MS);
  let workbench: Workbench;
  let remove: () => void;

  before(async () => {
    ({ workbench, remove } = await openExample('hello'));
  });
  after(async () => {
    await workbench.screenshot('hello-last');
    await workbench.close();
    remove();
  });

  it('F5 stops at the VMCALL exit that was ticked', async () => {
    await workbench.showDebugSideBar();
    await workbench.stopAtVmExit('VMCALL');
    await workbench.startDebugging();
    // The host's frames are folded: the user looks at the guest's VMCALL.
    await workbench.row('Call Stack', 'VM exit: VMCALL').waitFor();
    await workbench.editorIsAt('hello.S', VMCALL_LINE);
    await workbench.showOnly('Variables', 'Call Stack', 'Hypercalls', 'Registers');
    await workbench.row('Hypercalls', '#0 ').waitFor();
    await workbench.screenshot('hello-1-vm-exit');
  });

  it('Step Into lands in handle_vmcall', async () => {
    await workbench.press('Step Into');
    await workbench.stoppedIn('handle_vmcall');
    await workbench.screenshot('hello-2-handle-vmcall');
  });

  it('goes on to kvm_emulate_hypercall, with the guest below on the same stack', async () => {
    await workbench.stepUntil('Step Into', 'kvm_emulate_hypercall', MOST_STEPS);
    await workbench.screenshot('hello-3-kvm-emulate-hypercall');
    await workbench.showOnly('Call Stack');
    const stack = await workbench.rows('Call Stack');
    const at = (pattern: RegExp): number => stack.findIndex((frame) => pattern.test(frame));
    assert.ok(at(/handle_vmcall/) > 0, stack.join('\n'));
    assert.ok(at(/VM exit: VMCALL/) > at(/handle_vmcall/), stack.join('\n'));
    assert.ok(at(/hello\.S/) > at(/VM exit: VMCALL/), stack.join('\n'));
    await workbench.screenshot('hello-3-whole-stack');
    await workbench.showOnly('Variables', 'Call Stack', 'Hypercalls', 'Registers');
  });

  it('Step Out leads back into the guest behind the VMCALL', async () => {
    const stack = await workbench.stepUntil('Step Out', /hello\.S/, MOST_STEPS);
    assert.match(stack[0], /hello\.S/);
    await workbench.screenshot('hello-4-back-in-guest');
  });

  it('the call stands in the tree with its registers before and after', async () => {
    const call = workbench.row('Hypercalls', '#0 ');
    await call.filter({ hasText: '0x55aa' }).waitFor();
    await workbench.expandRow(call);
    await workbench.row('Hypercalls', /RAX\s*0x\w+ → 0x55aa/).waitFor();
    const rows = await workbench.rows('Hypercalls');
    for (const register of ['RBX', 'RCX', 'RDX', 'RSI']) {
      assert.ok(
        rows.some((row) => row.startsWith(register)),
        rows.join('\n'),
      );
    }
    await workbench.screenshot('hello-5-before-and-after');
  });
});

describe('a handler that sleeps', function () {
  this.timeout(SCENARIO_MS);
  let workbench: Workbench;
  let remove: () => void;

  before(async () => {
    ({ workbench, remove } = await openExample('sleeping'));
  });
  after(async () => {
    await workbench.screenshot('sleeping-last');
    await workbench.close();
    remove();
  });

  it('shows its call as blocked in msleep, with rising time', async () => {
    await workbench.showDebugSideBar();
    await workbench.chooseConfiguration('a handler that sleeps');
    await workbench.startDebugging();
    const blocked = workbench.row('Hypercalls', '→ blocked').filter({ hasText: 'msleep' });
    await blocked.waitFor();
    const first = await workbench.blockedSeconds(blocked);
    await workbench.page.waitForTimeout(2_000);
    const second = await workbench.blockedSeconds(blocked);
    assert.ok(second > first, `${first} s, then ${second} s`);
    await workbench.screenshot('sleeping-1-blocked');
  });

  it('shows the answer when the handler wakes', async () => {
    await workbench.ended();
    const calls = await workbench.allRows('Hypercalls');
    assert.match(calls[0], /^#0 slow → 0x510.*10\.0 s/);
    await workbench.screenshot('sleeping-2-answered');
  });
});

describe('a guest that cannot be built', function () {
  this.timeout(SCENARIO_MS);
  let workbench: Workbench;

  before(async () => {
    const folder = path.join(root, 'extension', 'test', 'guests');
    workbench = await Workbench.open({ folder, file: path.join(folder, 'broken.S') });
  });
  after(async () => {
    await workbench.screenshot('broken-last');
    await workbench.close();
  });

  it('puts its errors at their lines in the Problems view', async () => {
    // VS Code shows the failed launch in a dialog.
    await workbench.pressF5(workbench.page.locator('.monaco-dialog-box'));
    await workbench.page.keyboard.press('Escape');
    await workbench.page.keyboard.press('Control+Shift+M');
    const problem = workbench.page.locator('.markers-panel .monaco-list-row', { hasText: '[Ln 4' });
    await problem.waitFor();
    assert.match(await problem.innerText(), /hyperstep/);
    await workbench.ended();
  });
});
