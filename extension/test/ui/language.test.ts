/** Writing a guest in a real VS Code: completion, hover, diagnostics, rename, definitions across files, colours. */
import assert from 'node:assert/strict';
import { cpSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { Locator } from 'playwright-core';
import { root } from '../harness/paths.js';
import { Workbench } from './workbench.js';

const SCENARIO_MS = 300_000;
const LINE_MS = 300;

describe('the language of guests', function () {
  this.timeout(SCENARIO_MS);
  let workbench: Workbench;
  let folder: string;
  let file: string;

  before(async () => {
    folder = mkdtempSync(path.join(tmpdir(), 'hyperstep-examples-'));
    cpSync(path.join(root, 'examples'), folder, { recursive: true });
    file = path.join(folder, 'hello', 'hello.S');
    workbench = await Workbench.open({ folder, file });
    workbench.page.setDefaultTimeout(60_000);
  });
  after(async () => {
    await workbench.screenshot('language-last');
    await workbench.close();
    rmSync(folder, { recursive: true, force: true });
  });

  /** The words of the editor that say exactly this, as they are drawn. */
  const word = (text: string): Locator =>
    workbench.page.locator('.editor-instance .view-line span > span', {
      hasText: new RegExp(`^\\s*${text}\\s*$`),
    });
  const goToLine = async (line: number): Promise<void> => {
    await workbench.page.keyboard.press('Control+G');
    await workbench.answer(`:${line}`);
    await workbench.page.waitForTimeout(LINE_MS);
  };
  const lineOf = (pattern: RegExp): number =>
    readFileSync(file, 'utf8')
      .split('\n')
      .findIndex((line) => pattern.test(line)) + 1;
  const color = (locator: Locator): Promise<string> =>
    locator.first().evaluate((element) => getComputedStyle(element).color);

  it('colours macros, labels, registers and the instruction that leaves the guest by their meaning', async () => {
    const { page } = workbench;
    await word('vmcall').first().waitFor();
    // Semantic colours come when the server has answered: the constant from the header is one of them.
    const constant = page.locator('.editor-instance .view-line span', {
      hasText: /^KVM_HYPERSTEP_HELLO_ANSWER$/,
    });
    await constant.first().waitFor();
    const [exit, plain, register] = await Promise.all([
      color(word('vmcall')),
      color(word('cmpq')),
      color(word('%eax')),
    ]);
    assert.notEqual(exit, plain);
    assert.notEqual(register, plain);
    assert.notEqual(await color(constant), plain);
    await workbench.screenshot('language-1-colours');
  });

  it('says on hover when VMCALL exits', async () => {
    const { page } = workbench;
    await word('vmcall').first().hover();
    const hover = page.locator('.monaco-hover', { hasText: 'EXIT_REASON_VMCALL' });
    await hover.first().waitFor();
    assert.match(await hover.first().innerText(), /VMX non-root operation/);
    await workbench.screenshot('language-2-hover');
    await page.mouse.move(5, 5);
    await page.keyboard.press('Escape');
  });

  it('completes mnemonics of the mode, and registers of the right size', async () => {
    const { page } = workbench;
    await goToLine(lineOf(/^\s*vmcall/));
    await page.keyboard.press('End');
    await page.keyboard.press('Enter');
    await page.keyboard.type('vmla', { delay: 60 });
    const suggestions = page.locator('.suggest-widget .monaco-list-row');
    await suggestions.filter({ hasText: 'vmlaunch' }).first().waitFor();
    await workbench.screenshot('language-3-completion');
    await page.keyboard.press('Escape');
    for (let letter = 0; letter < 'vmla'.length; letter++) await page.keyboard.press('Backspace');
    await page.keyboard.type('movl $1, %e', { delay: 60 });
    await suggestions.filter({ hasText: '%eax' }).first().waitFor();
    assert.equal(await suggestions.filter({ hasText: '%rax' }).count(), 0);
    await workbench.screenshot('language-4-registers');
    await page.keyboard.press('Escape');
    await page.keyboard.type('bx', { delay: 60 });
    await page.keyboard.press('Escape');
  });

  it('shows an error while it is there', async () => {
    const { page } = workbench;
    const squiggle = page.locator('.editor-instance .squiggly-error');
    await page.keyboard.press('Enter');
    await page.keyboard.type('movq %eax, %rbx', { delay: 40 });
    await page.keyboard.press('Escape');
    await squiggle.first().waitFor();
    await page.keyboard.press('Control+Shift+M');
    await page.locator('.markers-panel .monaco-list-row', { hasText: 'hyperstep' }).first().waitFor();
    await workbench.screenshot('language-5-diagnostic');
    await page
      .locator('.editor-instance .view-lines')
      .first()
      .click({ position: { x: 200, y: 10 } });
    await goToLine(lineOf(/^\s*vmcall/) + 2);
    await page.keyboard.press('Control+Shift+K');
    await squiggle.first().waitFor({ state: 'detached' });
    await workbench.screenshot('language-6-no-diagnostic');
    await page.keyboard.press('Control+J');
  });

  it('renames a label everywhere', async () => {
    const { page } = workbench;
    await word('greeting').first().click();
    await page.keyboard.press('F2');
    const input = page.locator('.rename-box input');
    await input.waitFor();
    await input.fill('welcome');
    await page.keyboard.press('Enter');
    await word('welcome').nth(1).waitFor();
    assert.equal(await word('greeting').count(), 0);
    await workbench.screenshot('language-7-renamed');
  });

  it('goes to a definition in an included file', async () => {
    const { page } = workbench;
    await word('print').first().click();
    await page.keyboard.press('F12');
    await page.locator('.tab.active', { hasText: 'console.S' }).waitFor();
    await page.locator('.editor-instance .view-line', { hasText: /^print:/ }).waitFor();
    await workbench.screenshot('language-8-definition');
  });
});

describe('the code lens of a hypercall', function () {
  this.timeout(SCENARIO_MS);
  let workbench: Workbench;
  let folder: string;

  before(async () => {
    folder = mkdtempSync(path.join(tmpdir(), 'hyperstep-examples-'));
    cpSync(path.join(root, 'examples'), folder, { recursive: true });
    workbench = await Workbench.open({ folder, file: path.join(folder, 'hello', 'hello.S') });
    workbench.page.setDefaultTimeout(60_000);
  });
  after(async () => {
    await workbench.screenshot('language-lens-last');
    await workbench.close();
    rmSync(folder, { recursive: true, force: true });
  });

  it('runs to the call and leaves no breakpoint', async () => {
    const { page } = workbench;
    await page.locator('.codelens-decoration a', { hasText: 'Run to here' }).first().click();
    await page.locator('.debug-toolbar').waitFor();
    const stack = await workbench.stoppedIn(/hello\.S/);
    assert.match(stack[0], /_start.*hello\.S.*12/);
    await page.locator('.codicon-debug-breakpoint').first().waitFor({ state: 'detached' });
    await workbench.screenshot('language-lens-1-stopped');
  });

  it('shows the registers before and after the last call', async () => {
    await workbench.press('Step Over');
    const lens = workbench.page.locator('.codelens-decoration', { hasText: /#0: RAX 0x64 → 0x55aa/ });
    await lens.first().waitFor();
    await workbench.screenshot('language-lens-2-answered');
    await workbench.press('Continue');
    await workbench.ended();
  });
});
