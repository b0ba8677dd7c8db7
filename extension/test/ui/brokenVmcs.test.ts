/** A hypervisor author's first hour: VMLAUNCH fails, the rule is named, the field is corrected, the guest runs. */
import { cpSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { root } from '../harness/paths.js';
import { Workbench } from './workbench.js';

const SCENARIO_MS = 180_000;

describe('a VM entry that breaks a rule', function () {
  this.timeout(SCENARIO_MS);
  let workbench: Workbench;
  let folder: string;

  before(async () => {
    folder = mkdtempSync(path.join(tmpdir(), 'hyperstep-examples-'));
    cpSync(path.join(root, 'examples'), folder, { recursive: true });
    const file = path.join(folder, 'broken-vmcs', 'broken-vmcs.S');
    workbench = await Workbench.open({ folder, file, viewport: { width: 1440, height: 1300 } });
  });
  after(async () => {
    await workbench.screenshot('broken-vmcs-last');
    await workbench.close();
    rmSync(folder, { recursive: true, force: true });
  });

  it('F5 stops at the failed VMLAUNCH with the name and the section of the rule', async () => {
    await workbench.showDebugSideBar();
    await workbench.chooseConfiguration('a hypervisor with a broken VMCS');
    await workbench.startDebugging();
    const { page } = workbench;
    await page.locator('.exception-widget').getByText('guest.rflags.reserved').first().waitFor();
    await page.locator('.exception-widget').getByText('SDM 27.3.1.4').first().waitFor();
    await workbench.screenshot('broken-vmcs-1-stopped');
  });

  it('the VMCS view says why the entry would fail, and takes the correction', async () => {
    const { page } = workbench;
    await workbench.showOnly('VMCS');
    await workbench.row('VMCS', 'would fail: guest.rflags.reserved (SDM 27.3.1.4)').waitFor();
    const rule = workbench.row('VMCS', 'expected reserved bits clear');
    await workbench.expandRow(rule);
    const field = workbench.row('VMCS', 'guestRflags');
    await workbench.clickRowAction(field, 'Set Value…');
    await workbench.answer('0x2');
    await workbench.row('VMCS', 'would enter').waitFor();
    await workbench.screenshot('broken-vmcs-2-corrected');
    await workbench.press('Continue');
    await page.getByText('Hello from the guest.').first().waitFor();
    await workbench.ended();
  });
});
