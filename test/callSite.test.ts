/** The source line of a hypercall is its caller's, however kvm_para.h got into the guest. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { baseName, ROOT, runGuest } from './runGuest.js';

const SOURCE = `#include <hyperstep/guest.h>
#include <kvm_para.h>
static __attribute__((noinline)) long twice(void)
{
	return kvm_hypercall0(KVM_HC_HYPERSTEP_HELLO) +
	       kvm_hypercall2(KVM_HC_KICK_CPU, 0, 9);
}
void _start(void)
{
	long sum = twice();
	kvm_hypercall4(sum, 1, 2, 3, 4);
	guest_done();
}
`;
const EXPECTED = ['guest.c:5', 'guest.c:6', 'guest.c:11'];

describe('source line of a hypercall', () => {
  let folder = '';
  before(() => {
    folder = mkdtempSync(path.join(tmpdir(), 'hyperstep-call-'));
    writeFileSync(path.join(folder, 'guest.c'), SOURCE);
  });
  after(() => rmSync(folder, { recursive: true }));

  const check = async (program: string, mode: 'long' | 'protected' = 'long'): Promise<void> => {
    const { calls } = await runGuest({ program: path.join(folder, program), mode });
    assert.deepEqual(
      calls.map(({ source }) => source && `${baseName(source.file)}:${source.line}`),
      EXPECTED,
    );
  };

  it('through functions that are called, in 64-bit mode', () => check('guest.c'));
  it('through functions that are called, in 32-bit mode', () => check('guest.c', 'protected'));

  it('through functions that are inlined', async function () {
    const options =
      '-O2 -g -ffreestanding -nostdlib -static -mgeneral-regs-only -fno-pic -no-pie -fcf-protection=none';
    const include = `-I${path.join(ROOT, 'hypervisors', 'include')}`;
    const link = ['-Wl,-Ttext=0x100000', '-Wl,--build-id=none', '-o', 'guest.elf', 'guest.c'];
    const { error, stderr } = spawnSync('gcc', [...options.split(' '), include, ...link], {
      cwd: folder,
      encoding: 'utf8',
    });
    if (error) this.skip();
    assert.equal(stderr, '');
    await check('guest.elf');
  });
});
