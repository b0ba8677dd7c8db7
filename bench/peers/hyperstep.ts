/** This emulator, in a process of its own, with nobody debugging. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { GuestWidth } from '../rows.js';
import type { Peer } from './peer.js';

const runner = fileURLToPath(new URL('hyperstepRunner.ts', import.meta.url));

export const hyperstep = (width: GuestWidth): Peer => ({
  name: width === 64 ? 'hyperstep' : 'hyperstep-32',
  title: 'Hyperstep',
  width,
  prepare: () => ({ version: `Node ${process.version}` }),
  cannotRun: () => undefined,
  invocation: (program, folder) => {
    const plan = join(folder, 'hyperstep.json');
    writeFileSync(
      plan,
      JSON.stringify({
        image: program.path,
        memorySize: program.memorySize,
        commandLine: program.commandLine,
        modules: program.modules.map(({ name }) => name),
      }),
    );
    return { command: process.execPath, args: ['--import', 'tsx', runner, plan], folder: process.cwd() };
  },
});
