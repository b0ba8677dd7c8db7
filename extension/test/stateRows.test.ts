import assert from 'node:assert/strict';
import type { VmExitRow } from '../../debug-adapter/protocol.js';
import { registerGroupRow, registerRow } from '../views/registerRows.js';
import { vmcsFieldRow } from '../views/vmcsRows.js';
import { enabledBreakpoints, sortedExits, vmExitRow, withBreakpoint } from '../views/vmExitRows.js';

const vmcall: VmExitRow = {
  reason: 18,
  name: 'EXIT_REASON_VMCALL',
  title: 'VMCALL',
  description: 'The guest executed VMCALL.',
  count: 1_234,
  virtualNs: 56_000,
  breakpoint: true,
};

describe('rows of machine state', () => {
  it('a register shows its decoded bits, its group how many changed', () => {
    const cr0 = { name: 'CR0', value: '0x80000011', changed: true, detail: 'PE ET PG' };
    const row = registerRow(cr0);
    assert.equal(row.description, '0x80000011   PE ET PG');
    assert.equal(row.copyText, '0x80000011');
    assert.equal(registerGroupRow({ name: 'Control', registers: [cr0] }).description, '1 changed');
  });

  it('a VMCS field names its set bits while they are few, and all of them in the tooltip', () => {
    const field = {
      encoding: 0x4000,
      name: 'Pin-based VM-execution controls',
      kernelName: 'PIN_BASED_VM_EXEC_CONTROL',
      value: '0x9',
      width: 32,
      readOnly: false,
      changed: false,
      bits: ['External-interrupt exiting', 'NMI exiting', 'Virtual NMIs'].map((name, bit) => ({
        name,
        set: bit !== 2,
        implemented: true,
      })),
    };
    const row = vmcsFieldRow(field, 'decimal');
    assert.equal(row.description, '9   External-interrupt exiting, NMI exiting');
    assert.match(
      row.tooltip ?? '',
      /encoding 0x4000.*\n32 bits: 9\n• External-interrupt exiting\n• NMI exiting$/,
    );
  });
});

describe('the VM Exits view', () => {
  it('shows count, time and the condition of the breakpoint', () => {
    const row = vmExitRow(vmcall, { reason: 18, enabled: true, condition: '$rax == 5' });
    assert.equal(row.label, 'VMCALL');
    assert.equal(row.description, '1,234 · 56.0 µs · expression: $rax == 5');
  });

  it('puts VMCALL first, then the reasons that occurred, then the others in the order of the manual', () => {
    const exits = [0, 10, 12, 18, 30].map((reason) => ({
      ...vmcall,
      reason,
      count: reason === 30 || reason === 12 ? 1 : 0,
    }));
    assert.deepEqual(
      sortedExits(exits).map((exit) => exit.reason),
      [18, 12, 30, 0, 10],
    );
  });

  it('keeps the condition of a breakpoint that is switched off, and sends only those that are on', () => {
    let breakpoints = withBreakpoint([], 18, { enabled: true, condition: '$rax == 5' });
    breakpoints = withBreakpoint(breakpoints, 10, { enabled: true });
    breakpoints = withBreakpoint(breakpoints, 18, { enabled: false });
    breakpoints = withBreakpoint(breakpoints, 12, { enabled: true });
    breakpoints = withBreakpoint(breakpoints, 12, { enabled: false });
    assert.deepEqual(
      breakpoints.map(({ reason, enabled }) => [reason, enabled]),
      [
        [10, true],
        [18, false],
      ],
    );
    assert.deepEqual(
      enabledBreakpoints(breakpoints).map(({ reason }) => reason),
      [10],
    );
  });
});
