/** QEMU's TCG, freely running or counting instructions. */
import { spawnSync } from 'node:child_process';
import type { Peer } from './peer.js';

const COMMAND = 'qemu-system-x86_64';
/** One instruction is one nanosecond and idle time is skipped: what Hyperstep does. */
const EXACT_TIME = ['-icount', 'shift=0,sleep=off'];

export const qemu = (exactTime: boolean): Peer => ({
  name: exactTime ? 'qemu-icount' : 'qemu',
  title: exactTime ? 'QEMU TCG -icount' : 'QEMU TCG',
  width: 64,
  prepare: () => {
    const { stdout, error } = spawnSync(COMMAND, ['--version'], { encoding: 'utf8' });
    if (error) return { missing: `${COMMAND} is not installed (apt-get install qemu-system-x86)` };
    return { version: stdout.split('\n')[0].replace(/^QEMU emulator version /, '') };
  },
  cannotRun: (row) => (row.needsVmx ? 'TCG has no VMX' : undefined),
  invocation: (program, folder) => ({
    command: COMMAND,
    args: [
      '-nodefaults', '-no-user-config', '-display', 'none', '-no-reboot', '-machine', 'pc', '-accel', 'tcg', '-cpu', 'max',
      '-m', `${program.memorySize / 2 ** 20}`, '-serial', 'stdio', '-device', 'isa-debug-exit,iobase=0xf4,iosize=1',
      '-kernel', program.path, ...(exactTime ? EXACT_TIME : []),
    ], // prettier-ignore
    folder,
  }),
});
