import assert from 'node:assert/strict';
import { fileURLToPath } from 'node:url';
import { vmEntryRow } from '../../emulator/vmx/exitReasons.js';
import { Field } from '../../emulator/vmx/fields.js';
import { platformNode } from '../../toolchain/platformNode.js';
import { ExitBreakpoints } from '../breakpoints/exitBreakpoints.js';
import { Debuggee } from '../debuggee/debuggee.js';
import { explainEntryFailure } from '../explain/ends.js';
import { isFailed, prepareLaunch } from '../launch/prepareLaunch.js';
import { traceVmcs } from '../vmexits/vmcsTrace.js';
import { ViewState } from '../views/viewState.js';
import { setVmcsField, vmcsView } from '../views/vmcsView.js';

const installFolder = fileURLToPath(new URL('../../', import.meta.url)).replace(/[/\\]$/, '');
const program = `${installFolder}/examples/broken-vmcs/broken-vmcs.S`;

const launched = async () => {
  const launch = await prepareLaunch({ program, host: 'none' }, { platform: platformNode, installFolder });
  if (isFailed(launch)) assert.fail(launch.diagnostics.map(({ message }) => message).join('\n'));
  return new Debuggee(launch, installFolder);
};

describe('a VM entry that breaks a rule', () => {
  it('stops with the rule and its section; the field is corrected in the VMCS view, and the entry repeated', async () => {
    const debuggee = await launched();
    const { machine } = debuggee;
    const console: number[] = [];
    machine.observers.onSerialOutput = (port, byte) => port === 0 && console.push(byte);
    machine.observers.onEntryFailure = () => true;
    const stop = machine.run(1_000_000);
    assert.equal(stop.kind, 'entryFailure');
    const text = stop.kind === 'entryFailure' ? explainEntryFailure(stop.failure) : '';
    assert.match(
      text,
      /^VM entry failed with exit reason 33: .*\(SDM 27\.3\.1\.4\): guest\.rflags\.reserved/,
    );

    const views = new ViewState();
    const view = () => vmcsView(debuggee, machine.currentVmcs, views);
    const [violation, ...others] = view().entry?.violations ?? [];
    assert.deepEqual(others, []);
    assert.equal(violation.id, 'guest.rflags.reserved');
    assert.equal(violation.found, '0x0');
    assert.deepEqual(violation.fields, ['guestRflags']);

    const { encoding } = Field.guestRflags;
    setVmcsField(debuggee, machine.currentVmcs, { encoding, value: '2' }, undefined);
    assert.equal(view().entry?.enters, true);
    const begin = performance.now();
    view();
    assert.ok(performance.now() - begin < 50, 'the view is made within 50 ms');

    const end = machine.run(1_000_000);
    assert.deepEqual(end, { kind: 'ended', end: { kind: 'halted' } });
    const lines = new TextDecoder().decode(Uint8Array.from(console)).trim().split('\n');
    assert.deepEqual(lines, ['VM entry failed.', 'Hello from the guest.', 'The guest has exited by VMCALL.']);
  });
});

describe('VM entries and accesses to the VMCS', () => {
  /** Corrects the mistake of the example when it is found. */
  const corrected = async () => {
    const debuggee = await launched();
    const { machine } = debuggee;
    machine.observers.onEntryFailure = ({ vmcs }) => !machine.writeVmcs(vmcs, Field.guestRflags.encoding, 2n);
    return { debuggee, machine };
  };

  it('stop at an entry as at an exit, of one VMCS where that is asked for', async () => {
    const { machine } = await corrected();
    const breakpoints = new ExitBreakpoints(
      () => 1,
      () => undefined,
      { hypercall: () => undefined, tripleFault: () => undefined },
    );
    const context = { evaluate: () => 1n, format: () => '' };
    machine.observers.onWorldSwitch = (event) => {
      const { number: reason } = vmEntryRow;
      breakpoints.setReasons([{ reason, vmcs: `0x${event.vmcs.toString(16)}` }]);
      const atEntry = event.direction === 'entry';
      assert.equal(breakpoints.wantsSwitch(event), atEntry);
      if (atEntry) assert.equal(breakpoints.atSwitch(event, context)?.description, 'VM entry');
      breakpoints.setReasons([{ reason, vmcs: '0x1000' }]);
      assert.equal(breakpoints.wantsSwitch(event), false);
      return atEntry;
    };
    const stop = machine.run(1_000_000);
    assert.equal(stop.kind, 'worldSwitch');
    assert.equal(machine.world, 'guest');
    assert.throws(() => breakpoints.setReasons([{ reason: -1, vmcs: 'here' }]), /not the address of a VMCS/);
  });

  it('tell each VMREAD and VMWRITE, and what a field was at the stop before', async () => {
    const { debuggee, machine } = await corrected();
    const lines: string[] = [];
    traceVmcs(debuggee, true, (text) => lines.push(text));
    machine.observers.onWorldSwitch = (event) => event.exit?.entryFailure !== true;
    machine.run(1_000_000);
    assert.equal(machine.world, 'guest');
    const views = new ViewState();
    views.remember(debuggee);
    machine.run(1_000_000);
    assert.match(
      lines[0],
      /^VMWRITE pinBasedControls = 0x16 \(VMCS 0x[0-9a-f]+, RIP 0x[0-9a-f]+, position \d+\)\n$/,
    );
    const fields = vmcsView(debuggee, machine.currentVmcs, views).groups.flatMap((group) => group.fields);
    const reason = fields.find(({ name }) => name === 'exitReason')!;
    assert.deepEqual([reason.before, reason.value], ['0x80000021', '0x12']);
    assert.equal(fields.find(({ name }) => name === 'hostRip')!.before, undefined);
    machine.run(1_000_000);
    assert.match(lines.at(-1)!, /^VMREAD exitReason = 0x12 /);
  });
});
