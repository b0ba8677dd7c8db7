/** The language server as a web worker, in Chromium: it loads, reads files through its client, and answers. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { chromium as playwright } from 'playwright-core';
import type { Browser, Page } from 'playwright-core';
import { chromium } from '../harness/chromium.js';
import { root } from '../harness/paths.js';

const ORIGIN = 'http://hyperstep.test/';
const URI = 'vscode-vfs://github/user/guests/main.S';
const SOURCE = '#include "part.inc"\n\t.globl _start\n_start:\n\tmovl $NUMBER, %eax\n\tbogus\n\tvmcall\n';
const PART = '#define NUMBER 100\n';

/** Inside of the page: a client as small as can be. */
interface Client {
  ask(method: string, parameters: unknown): Promise<unknown>;
  tell(method: string, parameters: unknown): void;
  heard: { method: string; params: unknown }[];
}

describe('the language server in the browser', function () {
  this.timeout(120_000);
  let browser: Browser;
  let page: Page;

  before(async () => {
    browser = await playwright.launch({ executablePath: chromium(), args: ['--no-sandbox'] });
    page = await browser.newPage();
    // tsx marks functions with their names; the page has no helper for that.
    await page.addInitScript('globalThis.__name = (value) => value;');
    const script = readFileSync(path.join(root, 'dist', 'web', 'languageServer.js'), 'utf8');
    await page.route(`${ORIGIN}**`, (route) => {
      const isScript = route.request().url().endsWith('.js');
      return route.fulfill({
        contentType: isScript ? 'text/javascript' : 'text/html',
        body: isScript ? script : '<!doctype html>',
      });
    });
    await page.goto(ORIGIN);
    await page.evaluate(
      ({ origin, part }) => {
        const worker = new Worker(`${origin}languageServer.js`);
        const waiting = new Map<number, (result: unknown) => void>();
        const heard: Client['heard'] = [];
        let last = 0;
        worker.onmessage = ({ data }) => {
          if (data.method === undefined) waiting.get(data.id)?.(data.result ?? data.error);
          else if (data.method === 'hyperstep/readFile') {
            const isPart = String(data.params.uri).endsWith('/guests/part.inc');
            worker.postMessage({ jsonrpc: '2.0', id: data.id, result: isPart ? btoa(part) : null });
          } else heard.push(data);
        };
        const client: Client = {
          heard,
          ask: (method, params) =>
            new Promise((resolve) => {
              waiting.set(++last, resolve);
              worker.postMessage({ jsonrpc: '2.0', id: last, method, params });
            }),
          tell: (method, params) => worker.postMessage({ jsonrpc: '2.0', method, params }),
        };
        (globalThis as unknown as { client: Client }).client = client;
      },
      { origin: ORIGIN, part: PART },
    );
  });
  after(() => browser.close());

  const ask = (method: string, parameters: unknown): Promise<unknown> =>
    page.evaluate(
      ([name, params]) => (globalThis as unknown as { client: Client }).client.ask(name as string, params),
      [method, parameters] as const,
    );
  const tell = (method: string, parameters: unknown): Promise<void> =>
    page.evaluate(
      ([name, params]) => (globalThis as unknown as { client: Client }).client.tell(name as string, params),
      [method, parameters] as const,
    );

  it('answers a hover from iced-x86’s tables', async () => {
    await ask('initialize', { processId: null, rootUri: null, capabilities: {}, initializationOptions: {} });
    await tell('initialized', {});
    const textDocument = { uri: URI, languageId: 'hyperstep-gas', version: 1, text: SOURCE };
    await tell('textDocument/didOpen', { textDocument });
    const hover = await ask('textDocument/hover', {
      textDocument: { uri: URI },
      position: { line: 5, character: 3 },
    });
    assert.match(JSON.stringify(hover), /EXIT_REASON_VMCALL/);
  });

  it('assembles with the included file that the client gave it', async () => {
    await page.waitForFunction(() =>
      (globalThis as unknown as { client: Client }).client.heard.some(
        ({ method, params }) =>
          method === 'textDocument/publishDiagnostics' &&
          JSON.stringify(params).includes('bogus') &&
          !JSON.stringify(params).includes('cannot find'),
      ),
    );
  });
});
