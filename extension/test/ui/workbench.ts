/** VS Code's window in the words of a user: what one looks at, clicks and types. */
import { mkdirSync } from 'node:fs';
import path from 'node:path';
import type { Locator, Page } from 'playwright-core';
import { CodeWindow } from '../harness/codeWindow.js';
import type { CodeWindowOptions } from '../harness/codeWindow.js';
import { root, vsix } from '../harness/paths.js';

const SCREENSHOTS = path.join(root, 'out', 'screenshots');

/** Wide enough for whole rows of the Hypercalls view. */
const SIDE_BAR_WIDTH = 560;

/** How long VS Code takes to scroll a list. */
const SCROLL_MS = 500;

const F5_MS = 8_000;
const F5_ATTEMPTS = 4;

/** VS Code shows the old call stack until the new one has come. */
const STEP_MS = 3_000;

const VIEWS = [
  'Variables',
  'Watch',
  'Call Stack',
  'Loaded Scripts',
  'Breakpoints',
  'Hypercalls',
  'Registers',
  'VM Exits',
  'VMCS',
] as const;
type ViewName = (typeof VIEWS)[number];

export class Workbench {
  readonly page: Page;

  private constructor(private readonly window: CodeWindow) {
    this.page = window.page;
  }

  /** Opens a folder and a file in it, and waits until the extension's language is known. */
  static async open(options: Omit<CodeWindowOptions, 'vsix'> & { file: string }): Promise<Workbench> {
    const workbench = new Workbench(await CodeWindow.open({ ...options, vsix: vsix() }));
    const language = options.file.endsWith('.c') ? 'C' : 'GNU Assembly (x86-64)';
    await workbench.page.locator('[id="status.editor.mode"]', { hasText: language }).waitFor();
    return workbench;
  }

  async close(): Promise<void> {
    await this.window.close();
  }

  /** Keeps a picture for people in out/screenshots/. */
  async screenshot(name: string): Promise<void> {
    mkdirSync(SCREENSHOTS, { recursive: true });
    await this.page.screenshot({ path: path.join(SCREENSHOTS, `${name}.png`) });
  }

  /** Opens Run and Debug, wide. */
  async showDebugSideBar(): Promise<void> {
    await this.page.keyboard.press('Control+Shift+D');
    const sideBar = this.page.locator('.part.sidebar');
    await this.page.locator('.pane-header[aria-label^="Hypercalls"]').waitFor();
    const box = await sideBar.boundingBox();
    if (!box || box.width >= SIDE_BAR_WIDTH) return;
    const edge = box.x + box.width;
    const middle = box.y + box.height / 2;
    await this.page.mouse.move(edge, middle);
    await this.page.mouse.down();
    await this.page.mouse.move(box.x + SIDE_BAR_WIDTH, middle, { steps: 5 });
    await this.page.mouse.up();
  }

  view(name: ViewName): Locator {
    const header = this.page.locator(`.pane-header[aria-label^="${name}"]`);
    return this.page.locator('.split-view-view .pane').filter({ has: header });
  }

  /** Opens or closes a view of the side bar. */
  async expand(name: ViewName, open = true): Promise<void> {
    const header = this.view(name).locator('.pane-header');
    if ((await header.getAttribute('aria-expanded')) !== String(open)) await header.click();
  }

  /** The row of a view that contains a text. */
  row(view: ViewName, text: string | RegExp): Locator {
    return this.view(view).locator('.monaco-list-row', { hasText: text }).first();
  }

  /** What the rows of a view say, one line each. */
  async rows(view: ViewName): Promise<string[]> {
    const texts = await this.view(view).locator('.monaco-list-row').allInnerTexts();
    return texts.map((text) => text.replace(/\s+/g, ' ').trim());
  }

  /** What the rows of a view say, also those at either end that must be scrolled to. */
  async allRows(view: ViewName): Promise<string[]> {
    const list = this.view(view).locator('.monaco-list');
    await list.focus();
    await this.page.keyboard.press('Home');
    await this.page.waitForTimeout(SCROLL_MS);
    const seen = await this.rows(view);
    await this.page.keyboard.press('End');
    await this.page.waitForTimeout(SCROLL_MS);
    const last = await this.rows(view);
    return [...seen, ...last.filter((row) => !seen.includes(row))];
  }

  /** Opens or closes a row of a tree. */
  async expandRow(row: Locator, open = true): Promise<void> {
    if ((await row.getAttribute('aria-expanded')) === String(open)) return;
    await row.locator('.monaco-tl-twistie').click();
    await row.and(this.page.locator(`[aria-expanded="${open}"]`)).waitFor();
  }

  /** Ticks the checkbox of a VM exit reason. */
  async stopAtVmExit(title: string): Promise<void> {
    await this.expand('VM Exits');
    const checkbox = this.row('VM Exits', title).locator('.custom-view-tree-node-item-checkbox');
    await checkbox.scrollIntoViewIfNeeded();
    await checkbox.click();
    await checkbox.and(this.page.locator('.checked, .codicon-check')).waitFor();
  }

  /** Chooses a launch configuration in the drop-down of the Run and Debug side bar. */
  async chooseConfiguration(name: string): Promise<void> {
    await this.page.locator('.start-debug-action-item select').selectOption({ label: name });
  }

  /** F5 with the focus in the editor. */
  async startDebugging(): Promise<void> {
    await this.pressF5(this.page.locator('.debug-toolbar'));
  }

  /** F5 until something appears: a window that has just opened may not know its debuggers yet. */
  async pressF5(appears: Locator): Promise<void> {
    await this.page.locator('.editor-instance .view-lines').first().click();
    for (let attempt = 1; ; attempt++) {
      await this.page.keyboard.press('F5');
      try {
        await appears.waitFor({ timeout: F5_MS });
        return;
      } catch (error) {
        if (attempt === F5_ATTEMPTS) throw error;
      }
    }
  }

  async press(button: 'Continue' | 'Pause' | 'Step Over' | 'Step Into' | 'Step Out' | 'Stop'): Promise<void> {
    await this.page.locator(`.debug-toolbar [aria-label^="${button} "]`).click();
  }

  /** Runs a command by its title, as from the keyboard. */
  async runCommand(title: string): Promise<void> {
    await this.page.keyboard.press('F1');
    await this.page.locator('.quick-input-widget input').first().fill(`>${title}`);
    await this.page.locator('.quick-input-list .monaco-list-row', { hasText: title }).first().waitFor();
    await this.page.keyboard.press('Enter');
  }

  /** Clicks the button that a row shows under the mouse. */
  async clickRowAction(row: Locator, title: string): Promise<void> {
    await row.hover();
    await row.locator(`.action-label[aria-label^="${title}"]`).click();
  }

  /** Types into the input box or quick pick that is open. */
  async answer(text: string): Promise<void> {
    await this.page.locator('.quick-input-widget input').first().fill(text);
    await this.page.keyboard.press('Enter');
  }

  /** Waits until the editor shows a file with the cursor in a line: there VS Code puts it at a stop. */
  async editorIsAt(file: string, line: number): Promise<void> {
    await this.page.locator('.tab.active', { hasText: file }).waitFor();
    await this.page.locator('[id="status.editor.selection"]', { hasText: `Ln ${line},` }).waitFor();
  }

  /** Opens these views of the side bar and closes all others. */
  async showOnly(...names: ViewName[]): Promise<void> {
    for (const name of VIEWS) {
      if (await this.view(name).count()) await this.expand(name, names.includes(name));
    }
  }

  /** Waits until the machine is stopped with a top frame of this text, and answers the call stack. */
  async stoppedIn(topFrame: string | RegExp): Promise<string[]> {
    const frames = this.page
      .locator('.debug-call-stack .monaco-list-row')
      .filter({ has: this.page.locator('.stack-frame') });
    await frames.first().filter({ hasText: topFrame }).waitFor();
    return (await frames.allInnerTexts()).map((text) => text.replace(/\s+/g, ' ').trim());
  }

  /** Steps until the top frame is as wanted, and answers the call stack then. */
  async stepUntil(
    button: 'Step Into' | 'Step Out',
    topFrame: string | RegExp,
    most: number,
  ): Promise<string[]> {
    const pattern = typeof topFrame === 'string' ? new RegExp(`^${topFrame}\\b`) : topFrame;
    let stack = await this.stoppedIn(/./);
    for (let steps = 0; !pattern.test(stack[0]); steps++) {
      if (steps === most)
        throw new Error(`Not in ${pattern} after ${most} steps, but in\n${stack.join('\n')}`);
      await this.press(button);
      stack = await this.changedStack(stack);
    }
    return stack;
  }

  /** The call stack once its top frame differs; the same one when a step led back to the same line. */
  private async changedStack(before: string[]): Promise<string[]> {
    let stack = before;
    for (const end = Date.now() + STEP_MS; Date.now() < end && stack[0] === before[0];) {
      await this.page.waitForTimeout(50);
      stack = await this.stoppedIn(/./);
    }
    return stack;
  }

  /** The time in the row of a blocked call: `3.20 s in msleep` is 3.2. */
  async blockedSeconds(row: Locator): Promise<number> {
    const text = await row.innerText();
    const match = /([\d.]+)\s(m|µ)?s\sin/.exec(text);
    if (!match) throw new Error(`No time in "${text}"`);
    const scale = { m: 1e-3, µ: 1e-6 }[match[2]] ?? 1;
    return Number(match[1]) * scale;
  }

  /** Waits until the session is over. */
  async ended(): Promise<void> {
    await this.page.locator('.debug-toolbar').waitFor({ state: 'hidden' });
  }
}
