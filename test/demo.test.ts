/** README's first command, without its set-up: the main job over the debug adapter, from the sources. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import path from 'node:path';
import { ROOT } from './runGuest.js';

describe('demo', () => {
  it('debugs hello through VMCALL into kvm_emulate_hypercall and back', () => {
    const { status, stdout, stderr } = spawnSync(
      process.execPath,
      ['scripts/demo.ts', path.join(ROOT, 'debug-adapter', 'main.ts')],
      { cwd: ROOT, encoding: 'utf8', env: { ...process.env, NODE_OPTIONS: '--import=tsx' } },
    );
    assert.equal(status, 0, stdout + stderr);
    const stops = stdout.split('\n\n').map((part) => part.split('\n', 2).join(': '));
    const expected = [
      /^F5: .*_start \(examples\/hello\/hello\.S:12\)$/,
      /^Step Into: .*handle_vmcall \(hypervisors\/kvm\/vmx\/vmx\.c:\d+\)$/,
      /^Step Into: .*> kvm_emulate_hypercall \(hypervisors\/kvm\/x86\.c:\d+\)$/,
      /^Step Out: .*handle_vmcall \(hypervisors\/kvm\/vmx\/vmx\.c:\d+\)$/,
      /^Step Out: .*_start \(examples\/hello\/hello\.S:13\)$/,
    ];
    expected.forEach((pattern, i) => assert.match(stops[i + 1], pattern));
    assert.match(
      stdout,
      /handle_vmcall [^]*---- VM exit: VMCALL ----\n +_start \(examples\/hello\/hello\.S:12\)\n/,
    );
    assert.match(stdout, /\n +RAX +0x64 +0x55aa +<- changed\n/);
  });
});
