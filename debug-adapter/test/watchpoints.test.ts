import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Watchpoint } from '../../emulator/machine/machineTypes.js';
import { launchDebuggee } from './disassemblyDebuggee.js';

/** One access of each kind; the label behind it names it. */
const GUEST = `
	.globl _start
_start:
	incl counter(%rip)
read_and_written:
	movl $7, counter(%rip)
written:
	cmpl $7, counter(%rip)
read:
	movl other(%rip), %eax
	cli
	hlt
	.data
counter: .long 1
other:	.long 2
`;

describe('watched memory', () => {
  let folder: string;

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'hyperstep-watch-'));
    await writeFile(join(folder, 'guest.S'), GUEST);
  });
  after(() => rm(folder, { recursive: true }));

  /** The machine stops behind these accesses, in this order. */
  async function check(access: Watchpoint['access'], expected: readonly string[]): Promise<void> {
    const { machine, launch } = await launchDebuggee({ program: join(folder, 'guest.S'), host: 'none' });
    const { debugInfo } = launch.guest;
    const { address } = debugInfo.symbolNamed('counter')!;
    machine.setWatchpoints([{ id: 1, address, length: 4, access }]);
    const stops: string[] = [];
    for (let stop = machine.run(1000); stop.kind === 'watchpoint'; stop = machine.run(1000)) {
      stops.push(debugInfo.symbolAt(machine.state.rip)!.name);
    }
    assert.deepEqual(stops, expected);
  }

  it('for reads: an instruction that reads and writes reads', () =>
    check('read', ['read_and_written', 'read']));
  it('for writes', () => check('write', ['read_and_written', 'written']));
  it('for both', () => check('readWrite', ['read_and_written', 'written', 'read']));
});
