/** Bochs, booted from a disk that holds RAM as a multiboot loader leaves it. */
import { spawnSync } from 'node:child_process';
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createMachine } from '../../emulator/machine/machine.js';
import type { BootProgram } from '../build.js';
import { buildBootSector } from '../build.js';
import type { Peer } from './peer.js';

/** TCP port for the serial line. */
const SERIAL_PORT = 20_000 + (process.pid % 20_000);

const SECTOR = 512;
const CHUNK = 64 * SECTOR;
const LOAD_ADDRESS = 0x10_0000;
/** Offset of {sectors, entry, EBX} in the boot sector. */
const BOOT_PARAMETERS = 0x1f0;
const HEADS = 16;
const SECTORS_A_TRACK = 63;

export interface BochsOptions {
  /** The executable. */
  readonly command: string;
  readonly title: string;
  /** Try to install the package when the command is missing. */
  readonly install: boolean;
}

export const bochs = ({ command, title, install }: BochsOptions): Peer => ({
  name: 'bochs',
  title,
  width: 64,
  prepare: () => {
    const version = versionOf(command) ?? (install && installPackage() ? versionOf(command) : undefined);
    if (version === undefined)
      return { missing: `${command} is not installed (apt-get install bochs bochsbios vgabios)` };
    return { version };
  },
  cannotRun: () => undefined,
  invocation: (program, folder) => {
    const { path, cylinders } = writeDisk(program, folder);
    const memory = program.memorySize / 2 ** 20;
    const configuration = [
      'config_interface: textconfig',
      // No window: a VNC server that waits for nobody.
      'display_library: rfb, options="timeout=0"',
      'speaker: enabled=0',
      'sound: waveoutdrv=dummy',
      'cpu: model=corei7_haswell_4770, count=1, ips=100000000, reset_on_triple_fault=0',
      'clock: sync=none, time0=0',
      `memory: guest=${memory}, host=${memory}`,
      'romimage: file=/usr/share/bochs/BIOS-bochs-legacy',
      'vgaromimage: file=/usr/share/bochs/VGABIOS-lgpl-latest',
      `ata0-master: type=disk, path=${path}, mode=flat, cylinders=${cylinders}, heads=${HEADS}, spt=${SECTORS_A_TRACK}`,
      'boot: disk',
      // Its files are buffered, its sockets are not.
      `com1: enabled=1, mode=socket-client, dev=127.0.0.1:${SERIAL_PORT}`,
      `log: ${join(folder, 'bochs.log')}`,
      'panic: action=fatal',
      'error: action=ignore',
      'info: action=ignore',
    ];
    const file = join(folder, 'bochsrc');
    writeFileSync(file, `${configuration.join('\n')}\n`);
    // A build with Bochs's own debugger waits for "c".
    const commands = join(folder, 'bochs-commands');
    writeFileSync(commands, 'c\n');
    return { command, args: ['-q', '-f', file, '-rc', commands], folder, serialPort: SERIAL_PORT };
  },
});

function versionOf(command: string): string | undefined {
  const { stdout, stderr, error } = spawnSync(command, ['--help'], { encoding: 'utf8' });
  return error ? undefined : (/Emulator (\S+)/.exec(stdout + stderr)?.[1] ?? 'unknown version');
}

function installPackage(): boolean {
  if (process.getuid?.() !== 0) return false;
  const packages = ['bochs', 'bochsbios', 'vgabios'];
  return (
    spawnSync('apt-get', ['install', '-y', '--no-install-recommends', ...packages], { stdio: 'inherit' })
      .status === 0
  );
}

/** RAM as this project's own multiboot loader leaves it, behind a boot sector. */
function writeDisk(program: BootProgram, folder: string): { path: string; cylinders: number } {
  const machine = createMachine({ ...program, imageName: program.path });
  const ram = machine.readPhysical(LOAD_ADDRESS, program.memorySize - LOAD_ADDRESS);
  const chunks = Math.ceil((ram.findLastIndex((byte) => byte !== 0) + 1) / CHUNK);
  const sector = buildBootSector(folder);
  const parameters = new DataView(sector.buffer, sector.byteOffset + BOOT_PARAMETERS);
  parameters.setUint32(0, (chunks * CHUNK) / SECTOR, true);
  parameters.setUint32(4, Number(machine.state.rip), true);
  parameters.setUint32(8, Number(machine.state.rbx), true);
  const cylinders = Math.ceil((SECTOR + chunks * CHUNK) / (SECTOR * HEADS * SECTORS_A_TRACK));
  const disk = new Uint8Array(cylinders * HEADS * SECTORS_A_TRACK * SECTOR);
  disk.set(sector);
  disk.set(ram.subarray(0, chunks * CHUNK), SECTOR);
  const path = join(folder, 'bochs-disk.img');
  // Left behind by a Bochs that was killed.
  rmSync(`${path}.lock`, { force: true });
  writeFileSync(path, disk);
  return { path, cylinders };
}
