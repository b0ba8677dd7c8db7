/** VMCS shadowing, VM functions and virtualization exceptions (SDM 3C 25.6.15, 26.5.6 and 26.5.7). */
import assert from 'node:assert/strict';
import { Vector } from '../cpu/fault.js';
import { Cold } from '../cpu/seams.js';
import { VMCS_REVISION } from '../vmx/capabilities.js';
import { Primary, Secondary } from '../vmx/controls.js';
import { ExitReason } from '../vmx/exitReasons.js';
import { Field } from '../vmx/fields.js';
import { Vmcs } from '../vmx/vmcs.js';
import type { Fixture } from './vmxFixture.js';
import { code, createFixture, enteredFixture, isFaultVector, SECOND_VMCS, vmStatus } from './vmxFixture.js';
import { createGuest, exitOf, guest, GUEST_PAGES, NOP, setGuestGate } from './vmxGuestFixture.js';

const VMFUNC = [0x0f, 0x01, 0xd4];
const READ_BITMAP = 0x1_0000;
const WRITE_BITMAP = 0x1_1000;
const LIST = 0x1_2000;
const SHADOW = BigInt(VMCS_REVISION) | 0x8000_0000n;
const EPT_POINTER = 0x4000n | (3n << 3n) | 6n;

const secondary = ({ vmcs }: Fixture, controls: number): void => {
  const primary = vmcs.read32(Field.primaryProcBasedControls) | Primary.activateSecondaryControls;
  vmcs.write32(Field.primaryProcBasedControls, primary >>> 0);
  vmcs.write32(Field.secondaryProcBasedControls, controls);
};

describe('VMCS shadowing', () => {
  /** A guest with a shadow VMCS; bitmaps of zeros. */
  const shadowing = (change: (fixture: Fixture) => void = () => undefined) =>
    enteredFixture((fixture) => {
      secondary(fixture, Secondary.vmcsShadowing);
      fixture.poke(SECOND_VMCS, SHADOW);
      fixture.vmcs.write(Field.vmcsLinkPointer, BigInt(SECOND_VMCS));
      fixture.vmcs.write(Field.vmreadBitmap, BigInt(READ_BITMAP));
      fixture.vmcs.write(Field.vmwriteBitmap, BigInt(WRITE_BITMAP));
      change(fixture);
    });
  const access = (fixture: Fixture, bytes: readonly number[], encoding: number, value = 0n): string => {
    fixture.processor.state.rcx = BigInt(encoding);
    fixture.processor.state.rbx = value;
    fixture.execute(bytes);
    return fixture.vmx.inGuest ? vmStatus(fixture) : `exit ${fixture.vmcs.read32(Field.exitReason)}`;
  };
  const { encoding } = Field.guestRip;

  it('reads and writes the shadow VMCS without an exit', () => {
    const fixture = shadowing();
    assert.equal(access(fixture, code.vmwrite, encoding, 0x1234n), 'VMsucceed');
    assert.equal(new Vmcs(fixture.processor.memory, SECOND_VMCS).read(Field.guestRip), 0x1234n);
    assert.equal(access(fixture, code.vmread, encoding), 'VMsucceed');
    assert.equal(fixture.processor.state.rbx, 0x1234n);
    assert.equal(access(fixture, code.vmread, 0x7ffe), 'VMfailValid(12)');
  });

  it('exits for fields that the bitmaps mark, and for what has no bit', () => {
    const mark = (bitmap: number) => (fixture: Fixture) =>
      fixture.poke(bitmap + ((encoding >> 6) << 3), 1n << BigInt(encoding & 63));
    assert.equal(access(shadowing(mark(READ_BITMAP)), code.vmread, encoding), `exit ${ExitReason.VMREAD}`);
    assert.equal(access(shadowing(mark(READ_BITMAP)), code.vmwrite, encoding), 'VMsucceed');
    assert.equal(access(shadowing(mark(WRITE_BITMAP)), code.vmwrite, encoding), `exit ${ExitReason.VMWRITE}`);
    assert.equal(access(shadowing(), code.vmread, 0x8000), `exit ${ExitReason.VMREAD}`);
  });

  it('fails without a link, and keeps a shadow VMCS from being entered', () => {
    const unlinked = shadowing(({ vmcs }) => vmcs.write(Field.vmcsLinkPointer, 0xffff_ffff_ffff_ffffn));
    assert.equal(access(unlinked, code.vmread, encoding), 'VMfailInvalid');
    const fixture = createFixture();
    fixture.makeCurrent();
    fixture.poke(SECOND_VMCS, SHADOW);
    fixture.executeAt(code.vmptrld, BigInt(SECOND_VMCS));
    assert.equal(fixture.execute(code.vmlaunch), Cold.RETIRED);
    assert.equal(vmStatus(fixture), 'VMfailInvalid');
  });
});

describe('EPTP switching', () => {
  const switching = (pointer: bigint, functions = 1n) =>
    enteredFixture((fixture) => {
      secondary(fixture, Secondary.enableVmFunctions | Secondary.enableEpt | Secondary.eptViolationVe);
      const { vmcs, poke } = fixture;
      vmcs.write(Field.eptPointer, EPT_POINTER);
      vmcs.write(Field.vmFunctionControls, functions);
      vmcs.write(Field.eptpListAddress, BigInt(LIST));
      poke(LIST + 3 * 8, pointer);
    });
  const call = (fixture: Fixture, rax: bigint, rcx: bigint) => {
    Object.assign(fixture.processor.state, { rax, rcx });
    return fixture.execute(VMFUNC);
  };
  const other = EPT_POINTER + 0x1000n;

  it('takes the EPT pointer from the list, and its index', () => {
    const fixture = switching(other);
    const before = fixture.vmx.translationContext;
    assert.equal(call(fixture, 0n, 3n), Cold.RETIRED);
    assert.equal(fixture.vmcs.read(Field.eptPointer), other);
    assert.equal(fixture.vmcs.read32(Field.eptpIndex), 3);
    assert.notEqual(fixture.vmx.translationContext, before);
  });

  it('exits for what is not enabled or not valid', () => {
    const cases: [Fixture, bigint, bigint][] = [
      [switching(other), 1n, 3n],
      [switching(other, 0n), 0n, 3n],
      [switching(other), 0n, 512n],
      [switching(other | 7n), 0n, 3n],
    ];
    for (const [fixture, rax, rcx] of cases) {
      assert.equal(call(fixture, rax, rcx), Cold.SWITCHED);
      assert.equal(fixture.vmcs.read32(Field.exitReason), ExitReason.VMFUNC);
      assert.equal(fixture.vmcs.read32(Field.vmExitInstructionLength), 3);
      assert.equal(fixture.vmcs.read(Field.eptPointer), EPT_POINTER);
    }
    assert.ok(isFaultVector(enteredFixture().execute(VMFUNC), Vector.UD), 'without the control');
  });
});

describe('Virtualization exceptions', () => {
  const AREA = 0x4_3000;
  const beyond = GUEST_PAGES * 4096;
  /** mov rax, [beyond] */
  const load = [0x48, 0x8b, 0x04, 0x25, beyond & 0xff, (beyond >> 8) & 0xff, beyond >> 16, 0];

  const violating = (busy: bigint) => {
    const machine = createGuest();
    const { vmcs } = machine;
    vmcs.write32(
      Field.secondaryProcBasedControls,
      vmcs.read32(Field.secondaryProcBasedControls) | Secondary.eptViolationVe,
    );
    vmcs.write(Field.virtualizationExceptionInformationAddress, BigInt(AREA));
    vmcs.write32(Field.eptpIndex, 7);
    machine.system.poke(AREA, busy);
    setGuestGate(machine, Vector.VE);
    machine.guestCode(guest.code, ...load);
    machine.guestCode(guest.handler, NOP, ...code.vmcall);
    machine.enter(5);
    return machine;
  };

  it('are raised for EPT violations, with what the exit would have said', () => {
    const machine = violating(0n);
    const { reason, rip } = exitOf(machine);
    assert.deepEqual({ reason, rip }, { reason: ExitReason.VMCALL, rip: BigInt(guest.handler + 1) });
    assert.deepEqual(
      [0, 8, 16, 24, 32].map((offset) => machine.system.peek(AREA + offset)),
      [0xffff_ffff_0000_0030n, 0x581n, BigInt(beyond), BigInt(beyond), 7n],
    );
  });

  it('are VM exits while the area is in use', () => {
    assert.equal(exitOf(violating(1n << 32n)).reason, ExitReason.EPT_VIOLATION);
  });
});
