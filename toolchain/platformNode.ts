import { spawn } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { Platform, ProcessResult } from './platform.js';

/** A file that is not there, or a folder in its place. */
function isMissing(error: unknown): boolean {
  const code = (error as NodeJS.ErrnoException).code;
  return code === 'ENOENT' || code === 'ENOTDIR' || code === 'EISDIR';
}

function run(
  program: string,
  args: readonly string[],
  options: { readonly cwd?: string } = {},
): Promise<ProcessResult | undefined> {
  return new Promise((resolve) => {
    // Messages are parsed, so they must not be translated.
    const env = { ...process.env, LC_ALL: 'C' };
    const child = spawn(program, args, {
      cwd: options.cwd,
      env,
      stdio: ['ignore', 'pipe', 'pipe'],
      windowsHide: true,
    });
    const stdout: Buffer[] = [];
    const stderr: Buffer[] = [];
    child.stdout.on('data', (chunk: Buffer) => stdout.push(chunk));
    child.stderr.on('data', (chunk: Buffer) => stderr.push(chunk));
    child.on('error', () => resolve(undefined));
    child.on('close', (code) =>
      resolve({
        exitCode: code ?? -1,
        stdout: Buffer.concat(stdout).toString(),
        stderr: Buffer.concat(stderr).toString(),
      }),
    );
  });
}

/** The services of Node. */
export const platformNode: Platform = {
  operatingSystem:
    process.platform === 'linux' || process.platform === 'darwin' || process.platform === 'win32'
      ? process.platform
      : 'other',
  async readFile(file) {
    try {
      return await readFile(file);
    } catch (error) {
      if (isMissing(error)) return undefined;
      throw error;
    }
  },
  readFileSync(file) {
    try {
      return readFileSync(file);
    } catch (error) {
      if (isMissing(error)) return undefined;
      throw error;
    }
  },
  writeFile: (file, bytes) => writeFile(file, bytes),
  exists: (file) => Promise.resolve(existsSync(file)),
  resolvePath: (...parts) => path.resolve(...parts),
  directoryOf: (file) => path.dirname(file),
  async withTemporaryFolder(use) {
    const folder = await mkdtemp(path.join(tmpdir(), 'hyperstep-'));
    try {
      return await use(folder);
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  },
  run,
  environment: (name) => process.env[name],
};
