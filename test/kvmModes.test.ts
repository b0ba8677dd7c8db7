/** Hypercalls from every mode that a guest can switch itself to under the KVM host. */
import assert from 'node:assert/strict';
import path from 'node:path';
import { ROOT, runGuest } from './runGuest.js';

const ENOSYS_32 = '0xfffffc18';

const guests: readonly [file: string, calls: readonly string[], console: string][] = [
  [
    'pagingModes.S',
    [
      'kvm 0x55aa', // PAE paging
      'kvm-vmmcall 0x55aa',
      'kvm 0x55aa', // compatibility mode
      'kvm 0xfffffffffffffc18', // 64-bit mode
      'kvm 0x55aa', // no paging
      'kvm-vmmcall 0x55aa', // 32-bit paging
    ],
    'ok\n',
  ],
  ['realMode.S', ['kvm 0x55aa', `kvm-vmmcall ${ENOSYS_32}`, 'kvm 0x55aa'], ''],
];

describe('KVM host: modes of the guest', () => {
  for (const [file, calls, console] of guests) {
    it(file, async () => {
      const run = await runGuest({ program: path.join(ROOT, 'test', 'guests', file), mode: 'protected' });
      assert.deepEqual(
        run.calls.map(({ kind, after }) => `${kind} ${after?.rax}`),
        calls,
        run.log,
      );
      assert.deepEqual([run.status, run.console], [0, console]);
    });
  }
});
