import assert from 'node:assert/strict';
import { fileURLToPath } from 'node:url';
import { Field } from '../../emulator/vmx/fields.js';
import { platformNode } from '../../toolchain/platformNode.js';
import { Debuggee } from '../debuggee/debuggee.js';
import { explainEntryFailure } from '../explain/ends.js';
import { isFailed, prepareLaunch } from '../launch/prepareLaunch.js';
import { ViewState } from '../views/viewState.js';
import { setVmcsField, vmcsView } from '../views/vmcsView.js';

const installFolder = fileURLToPath(new URL('../../', import.meta.url)).replace(/[/\\]$/, '');
const program = `${installFolder}/examples/broken-vmcs/broken-vmcs.S`;

describe('a VM entry that breaks a rule', () => {
  it('stops with the rule and its section; the field is corrected in the VMCS view, and the entry repeated', async () => {
    const launch = await prepareLaunch({ program, host: 'none' }, { platform: platformNode, installFolder });
    if (isFailed(launch)) assert.fail(launch.diagnostics.map(({ message }) => message).join('\n'));
    const debuggee = new Debuggee(launch, installFolder);
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
