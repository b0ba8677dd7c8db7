/** v86 of npm, in Node. It lives in a cache folder: the project does not depend on it. */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Peer } from './peer.js';

const runner = fileURLToPath(new URL('v86Runner.mjs', import.meta.url));
const cache = join(process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'hyperstep-bench');
const installed = join(cache, 'node_modules/v86');

export const v86: Peer = {
  name: 'v86',
  title: 'v86',
  width: 32,
  prepare: () => {
    if (!existsSync(installed)) {
      mkdirSync(cache, { recursive: true });
      writeFileSync(join(cache, 'package.json'), '{ "private": true }\n');
      const { status } = spawnSync('npm', ['install', '--no-audit', '--no-fund', 'v86'], {
        cwd: cache,
        stdio: ['ignore', 'ignore', 'inherit'],
      });
      if (status !== 0) return { missing: 'npm could not install v86' };
    }
    const { version } = JSON.parse(readFileSync(join(installed, 'package.json'), 'utf8')) as {
      version: string;
    };
    return { version };
  },
  cannotRun: (row) => (row.widths.includes(32) ? undefined : 'v86 has no 64-bit mode'),
  invocation: (program) => ({
    command: process.execPath,
    args: [runner, installed, program.path, `${program.memorySize}`],
    folder: cache,
  }),
};
