import assert from 'node:assert/strict';
import type { Fault } from '../../emulator/cpu/fault.js';
import { generalProtection, invalidOpcode, pageFault } from '../../emulator/cpu/fault.js';
import { explainEnd, explainEntryFailure, exitStatus } from '../explain/ends.js';
import { explainFault, explainFaultAt } from '../explain/faults.js';

describe('explanations', () => {
  const faults: [fault: Fault, text: string][] = [
    [invalidOpcode(), '#UD invalid opcode'],
    [generalProtection(), '#GP general protection: error code 0'],
    [
      generalProtection(0x1b),
      '#GP general protection: error code 0x1b: vector 3 of the IDT, while an earlier event was delivered',
    ],
    [generalProtection(0x2c), '#GP general protection: error code 0x2c: selector 0x2c, entry 5 of the LDT'],
    [
      pageFault(0x10n, 0b00010),
      '#PF page fault: a write to 0x10 in supervisor mode: the page is not present (error code 0x2)',
    ],
    [
      pageFault(0x400000n, 0b10101),
      '#PF page fault: an instruction fetch from 0x400000 in user mode: the page does not allow it (error code 0x15)',
    ],
    [
      pageFault(0x1000n, 0b01001),
      '#PF page fault: a read from 0x1000 in supervisor mode: a reserved bit is set in a paging-structure entry (error code 0x9)',
    ],
  ];
  for (const [fault, text] of faults) {
    it(text, () => assert.equal(explainFault(fault), text));
  }

  it('says where a fault was raised', () => {
    assert.equal(
      explainFaultAt(invalidOpcode(), 'guest', 0x1000n, 'main+0x4'),
      '#UD invalid opcode; in the guest at 0x1000 (main+0x4)',
    );
  });

  it('names the check that refused a VM entry', () => {
    const text = explainEntryFailure({
      position: 1,
      vmcs: 0x1000,
      outcome: { exitReason: 33 },
      check: 'RFLAGS bit 1 must be 1',
      section: '27.3.1.4',
      detail: 'RFLAGS is 0x0',
    });
    assert.equal(
      text,
      'VM entry failed with exit reason 33: VM-entry failure due to invalid guest state. ' +
        'RFLAGS bit 1 must be 1 (SDM 27.3.1.4): RFLAGS is 0x0',
    );
  });

  it('tells ends that are failures from those that have a status', () => {
    assert.equal(exitStatus({ kind: 'debugExit', status: 33 }), 33);
    assert.equal(exitStatus({ kind: 'halted' }), 0);
    const end = { kind: 'unimplemented', what: 'MSR 0x123', rip: 0x10n } as const;
    assert.equal(exitStatus(end), undefined);
    assert.equal(explainEnd(end), 'MSR 0x123 at RIP 0x10 is not implemented by this machine');
  });
});
