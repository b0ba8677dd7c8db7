/** This emulator, in a process of its own, with nobody debugging. */
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { buildSync } from 'esbuild';
import type { GuestWidth } from '../rows.js';
import type { Peer } from './peer.js';

const source = fileURLToPath(new URL('hyperstepRunner.ts', import.meta.url));

/** The runner as users get the emulator: one file, made as scripts/build.mjs makes them. Answers its path. */
function buildRunner(folder: string): string {
  const outfile = join(folder, 'hyperstepRunner.cjs');
  if (!existsSync(outfile)) {
    buildSync({
      entryPoints: [source],
      outfile,
      bundle: true,
      platform: 'node',
      format: 'cjs',
      target: 'node20',
    });
  }
  return outfile;
}

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
    return { command: process.execPath, args: [buildRunner(folder), plan], folder };
  },
});
