/** One VS Code for a test: its server with Hyperstep's VSIX installed, and a headless Chromium that shows the window. */
import { spawn, spawnSync } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { chromium as playwright } from 'playwright-core';
import type { BrowserContext, Page } from 'playwright-core';
import { chromium } from './chromium.js';
import { codeServer } from './codeServer.js';

const SETTINGS = {
  'workbench.startupEditor': 'none',
  'workbench.enableExperiments': false,
  'workbench.secondarySideBar.defaultVisibility': 'hidden',
  'telemetry.telemetryLevel': 'off',
  'extensions.autoUpdate': false,
  'extensions.autoCheckUpdates': false,
  'extensions.ignoreRecommendations': true,
  'update.mode': 'none',
  'chat.disableAIFeatures': true,
  'git.enabled': false,
};

const SERVER_START_MS = 60_000;

export interface CodeWindowOptions {
  /** The packaged extension to install. */
  vsix: string;
  /** The folder to open. */
  folder: string;
  /** A file to open in the editor. */
  file?: string;
  settings?: Record<string, unknown>;
  /** Variables for the server and with it for the extension host. */
  environment?: Record<string, string>;
  /**
   * A CommonJS module with `run()`, executed inside the extension host. Its folder must be an extension: VS Code runs
   * tests only while it develops one.
   */
  extensionTests?: string;
  viewport?: { width: number; height: number };
  /** Lines that the server prints. */
  onServerLine?: (line: string) => void;
  /** Called with the page before VS Code is loaded. */
  prepare?: (page: Page) => Promise<void>;
}

export class CodeWindow {
  private constructor(
    readonly page: Page,
    private readonly browser: BrowserContext,
    private readonly server: ChildProcess,
    private readonly scratch: string,
  ) {}

  static async open(options: CodeWindowOptions): Promise<CodeWindow> {
    const serverFolder = codeServer();
    const executablePath = chromium();
    const scratch = mkdtempSync(path.join(tmpdir(), 'hyperstep-vscode-'));
    let server: ChildProcess | undefined;
    let browser: BrowserContext | undefined;
    try {
      writeSettings(scratch, options.settings ?? {});
      installExtension(serverFolder, scratch, options.vsix);
      server = startServer(serverFolder, scratch, options.environment ?? {});
      const host = `127.0.0.1:${await listeningPort(server, options.onServerLine)}`;
      browser = await playwright.launchPersistentContext(path.join(scratch, 'chromium'), {
        executablePath,
        viewport: options.viewport ?? { width: 1440, height: 1000 },
        args: [
          '--no-sandbox',
          '--disable-gpu',
          '--disable-dev-shm-usage',
          '--no-first-run',
          '--disable-background-networking',
          '--disable-component-update',
          '--disable-sync',
          '--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1',
        ],
      });
      const page = browser.pages()[0] ?? (await browser.newPage());
      page.setDefaultTimeout(30_000);
      await options.prepare?.(page);
      await page.goto(windowUrl(host, options));
      await page.locator('.monaco-workbench').waitFor({ timeout: 120_000 });
      return new CodeWindow(page, browser, server, scratch);
    } catch (error) {
      await browser?.close();
      await stopServer(server);
      rmSync(scratch, { recursive: true, force: true });
      throw error;
    }
  }

  async close(): Promise<void> {
    await Promise.race([this.browser.close(), delay(5_000)]);
    await stopServer(this.server);
    rmSync(this.scratch, { recursive: true, force: true, maxRetries: 3 });
  }
}

export function delay(milliseconds: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, milliseconds).unref();
  });
}

function windowUrl(host: string, options: CodeWindowOptions): string {
  const remote = (file: string): string => `vscode-remote://${host}${encodeURI(path.resolve(file))}`;
  const payload = [
    ['skipWelcome', 'true'],
    ['skipReleaseNotes', 'true'],
  ];
  if (options.file !== undefined) payload.push(['openFile', remote(options.file)]);
  if (options.extensionTests !== undefined) {
    payload.push(
      ['extensionDevelopmentPath', remote(path.dirname(options.extensionTests))],
      ['extensionTestsPath', remote(options.extensionTests)],
    );
  }
  const query = new URLSearchParams({
    folder: path.resolve(options.folder),
    payload: JSON.stringify(payload),
  });
  return `http://${host}/?${query.toString()}`;
}

/** The server keeps the user's settings on disk, not in the browser. */
function writeSettings(scratch: string, settings: Record<string, unknown>): void {
  const folder = path.join(scratch, 'data', 'User');
  mkdirSync(folder, { recursive: true });
  writeFileSync(path.join(folder, 'settings.json'), JSON.stringify({ ...SETTINGS, ...settings }, null, 2));
}

function installExtension(serverFolder: string, scratch: string, vsix: string): void {
  const words = serverWords(serverFolder, scratch, '--install-extension', vsix, '--force');
  const result = spawnSync(process.execPath, words, { env: serverEnvironment({}), encoding: 'utf8' });
  if (result.status !== 0 || !/successfully installed/.test(result.stdout)) {
    throw new Error(`${vsix} cannot be installed:\n${result.stdout}${result.stderr}`);
  }
}

function startServer(
  serverFolder: string,
  scratch: string,
  environment: Record<string, string>,
): ChildProcess {
  const words = serverWords(
    serverFolder,
    scratch,
    ...['--host', '127.0.0.1', '--port', '0', '--without-connection-token', '--disable-workspace-trust'],
  );
  // Its own process group, so that extension hosts and debug adapters end with it.
  return spawn(process.execPath, words, {
    env: serverEnvironment(environment),
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
}

function serverWords(serverFolder: string, scratch: string, ...more: string[]): string[] {
  const data = path.join(scratch, 'data');
  return [
    path.join(serverFolder, 'out', 'server-main.js'),
    '--accept-server-license-terms',
    ...['--telemetry-level', 'off'],
    ...['--server-data-dir', data],
    ...['--user-data-dir', data],
    ...['--extensions-dir', path.join(scratch, 'extensions')],
    ...more,
  ];
}

function serverEnvironment(extra: Record<string, string>): NodeJS.ProcessEnv {
  const environment: NodeJS.ProcessEnv = {
    ...process.env,
    ...extra,
    // No marketplace: the tests stay on loopback.
    EXTENSIONS_GALLERY: '{"serviceUrl":"","itemUrl":"","resourceUrlTemplate":""}',
  };
  delete environment.NODE_OPTIONS;
  delete environment.VSCODE_IPC_HOOK_CLI;
  return environment;
}

function listeningPort(
  server: ChildProcess,
  onLine: (line: string) => void = () => undefined,
): Promise<number> {
  return new Promise((resolve, reject) => {
    let output = '';
    const read = (chunk: Buffer): void => {
      const text = chunk.toString();
      output = (output + text).slice(-20_000);
      text.split('\n').filter(Boolean).forEach(onLine);
      const match = /Extension host agent listening on (\d+)/.exec(output);
      if (match) resolve(Number(match[1]));
    };
    server.stdout?.on('data', read);
    server.stderr?.on('data', read);
    server.once('exit', (code) => reject(new Error(`VS Code's server ended (${code}):\n${output}`)));
    setTimeout(() => {
      reject(new Error(`VS Code's server does not listen:\n${output}`));
    }, SERVER_START_MS).unref();
  });
}

async function stopServer(server: ChildProcess | undefined): Promise<void> {
  if (server?.pid === undefined) return;
  const group = -server.pid;
  if (server.exitCode === null && server.signalCode === null) {
    const gone = new Promise((resolve) => server.once('exit', resolve));
    signal(group, 'SIGTERM');
    await Promise.race([gone, delay(3_000)]);
  }
  signal(group, 'SIGKILL');
}

function signal(group: number, name: NodeJS.Signals): void {
  try {
    process.kill(group, name);
  } catch {
    // The group is gone already.
  }
}
