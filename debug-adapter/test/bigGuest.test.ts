import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { launchDebuggee, runToEnd } from './disassemblyDebuggee.js';

/** Ends with the last byte of its image as the status. */
const GUEST = `
	.globl _start
_start:
	movb last(%rip), %al
	outb %al, $0xf4
	.data
	.space 24 << 20, 1
last:	.byte 21
`;

describe('a guest whose image is large', () => {
  it('has room beside its memory', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'hyperstep-large-'));
    try {
      const program = join(folder, 'guest.S');
      await writeFile(program, GUEST);
      const end = runToEnd(await launchDebuggee({ program, memory: '64M' }));
      assert.deepEqual(end, { kind: 'debugExit', status: (21 << 1) | 1 });
    } finally {
      await rm(folder, { recursive: true });
    }
  });
});
