/** APIC virtualization, virtual interrupts and posted interrupts under the run loop (SDM 3C chapter 30). */
import assert from 'node:assert/strict';
import { Rflags } from '../cpu/registerBits.js';
import { Exit, Pin, Primary, Secondary } from '../vmx/controls.js';
import { ExitReason } from '../vmx/exitReasons.js';
import type { VmcsField } from '../vmx/fields.js';
import { Field } from '../vmx/fields.js';
import { code } from './vmxFixture.js';
import type { GuestSystem } from './vmxGuestFixture.js';
import { createGuest, exitOf, GUEST, guest, NOP, setGuestGate } from './vmxGuestFixture.js';

/** Host-physical pages that the fixture does not use, and the guest-physical page that maps to the APIC-access page. */
const VIRTUAL_APIC = 0x6_0000;
const MSR_BITMAP = 0x6_1000;
const DESCRIPTOR = 0x6_2000;
const APIC_PAGE = 0x2_0000;
const [VTPR, VPPR, VISR, VIRR] = [0x80, 0xa0, 0x100, 0x200];
const { vmcall } = code;
const HLT = 0xf4;
const STI = 0xfb;

const turnOn = ({ vmcs }: GuestSystem, field: VmcsField, bits: number) =>
  vmcs.write32(field, (vmcs.read32(field) | bits) >>> 0);

type Prepare = (machine: GuestSystem) => void;
const controls =
  (secondary: number): Prepare =>
  (machine) => {
    const { vmcs } = machine;
    turnOn(machine, Field.primaryProcBasedControls, Primary.useTprShadow | Primary.useMsrBitmaps);
    turnOn(machine, Field.secondaryProcBasedControls, secondary);
    vmcs.write(Field.msrBitmap, BigInt(MSR_BITMAP));
    vmcs.write(Field.virtualApicAddress, BigInt(VIRTUAL_APIC));
    vmcs.write(Field.apicAccessAddress, BigInt(GUEST + APIC_PAGE));
  };
const delivery: Prepare = (machine) => {
  controls(Secondary.virtualInterruptDelivery | Secondary.virtualizeX2apicMode)(machine);
  turnOn(machine, Field.pinBasedControls, Pin.externalInterruptExiting);
};

/** Runs a guest of this code to its first exit. */
function run(bytes: readonly number[], prepare: Prepare, budget = 100) {
  const machine = createGuest();
  machine.guestCode(guest.code, ...bytes);
  for (const vector of [0x31, 0x55, 0x80]) setGuestGate(machine, vector);
  machine.guestCode(guest.handler, NOP, ...vmcall);
  prepare(machine);
  machine.enter(budget);
  const { reason, qualification, rip } = exitOf(machine);
  const virtual = (offset: number) => Number(machine.system.peek(VIRTUAL_APIC + offset, 4));
  return { machine, reason, qualification, at: Number(rip), virtual, vmcs: machine.vmcs };
}

/** mov eax, value; mov [APIC page + offset], eax */
const write = (offset: number, value: number) => {
  const address = APIC_PAGE + offset;
  return [
    0xb8, value & 0xff, (value >> 8) & 0xff, (value >> 16) & 0xff, value >>> 24,
    0x89, 0x04, 0x25, address & 0xff, (address >> 8) & 0xff, address >> 16, 0,
  ]; // prettier-ignore
};
/** mov eax, [APIC page + offset] */
const read = (offset: number) => [0x8b, 0x04, 0x25, offset & 0xff, (offset >> 8) & 0xff, APIC_PAGE >> 16, 0];
/** mov ecx, index; mov eax, value; xor edx, edx; wrmsr */
const wrmsr = (index: number, value: number) => [0xb9, index & 0xff, index >> 8, 0, 0, 0xb8, value, 0, 0, 0, 0x31, 0xd2, 0x0f, 0x30]; // prettier-ignore
const movToCr8 = (value: number) => [0xb8, value, 0, 0, 0, 0x44, 0x0f, 0x22, 0xc0];
const movFromCr8 = [0x44, 0x0f, 0x20, 0xc0];

const request = (machine: GuestSystem, vector: number) => {
  machine.system.poke(VIRTUAL_APIC + VIRR + (vector >> 5) * 16, 1n << BigInt(vector & 31), 4);
  machine.vmcs.write32(Field.guestInterruptStatus, vector);
};

describe('The TPR shadow', () => {
  it('is what MOV CR8 reads and writes; below the threshold is an exit behind the instruction', () => {
    const { machine, reason, virtual } = run([...movToCr8(5), ...movFromCr8, ...vmcall], controls(0));
    assert.deepEqual([reason, virtual(VTPR), machine.system.state.rax], [ExitReason.VMCALL, 0x50, 5n]);
    assert.equal(machine.system.apic.tpr, 0, "the processor's APIC is left alone");
    const low = run([...movToCr8(2), NOP], (each) => {
      controls(Secondary.virtualizeApicAccesses)(each);
      each.vmcs.write32(Field.tprThreshold, 4);
      each.system.poke(VIRTUAL_APIC + VTPR, 0x70n);
    });
    assert.deepEqual([low.reason, low.at], [ExitReason.TPR_BELOW_THRESHOLD, guest.code + 9]);
  });

  it('below the threshold at VM entry is an exit at once', () => {
    const { reason, at } = run([NOP], (each) => {
      controls(Secondary.virtualizeApicAccesses)(each);
      each.vmcs.write32(Field.tprThreshold, 4);
    });
    assert.deepEqual([reason, at], [ExitReason.TPR_BELOW_THRESHOLD, guest.code]);
  });
});

describe('The APIC-access page', () => {
  const check = (bytes: readonly number[], secondary: number, reason: number, qualification: number) => {
    const result = run([...bytes, ...vmcall], controls(Secondary.virtualizeApicAccesses | secondary));
    assert.deepEqual([result.reason, result.qualification], [reason, BigInt(qualification)]);
    return result;
  };

  it('shows the task priority, and nothing else without APIC-register virtualization', () => {
    assert.equal(check(write(VTPR, 0x1234_5678), 0, ExitReason.VMCALL, 0).virtual(VTPR), 0x78);
    const { vmcs } = check(read(0x20), 0, ExitReason.APIC_ACCESS, 0x20);
    assert.equal(vmcs.read32(Field.vmExitInstructionLength), 7);
    assert.equal(vmcs.read(Field.guestRflags) & Rflags.RF, Rflags.RF);
    check(write(0x20, 1), 0, ExitReason.APIC_ACCESS, 0x1020);
  });

  it('reads and writes registers with it; a write that the host must finish exits behind it', () => {
    const registers = Secondary.apicRegisterVirtualization;
    const { machine } = check([...read(0x20)], registers, ExitReason.VMCALL, 0);
    assert.equal(machine.system.state.rax, 0n);
    const { virtual, at } = check(write(0x380, 77), registers, ExitReason.APIC_WRITE, 0x380);
    assert.deepEqual([virtual(0x380), at], [77, guest.code + 12]);
    check(write(0x30, 1), registers, ExitReason.APIC_ACCESS, 0x1030);
    assert.equal(
      check(write(0x310, 0x0102_0304), registers, ExitReason.VMCALL, 0).virtual(0x310),
      0x0100_0000,
    );
    // Eight bytes, a byte that is not in a register, and a fetch.
    check([0x48, ...read(VTPR)], registers, ExitReason.APIC_ACCESS, 0x80);
    check(read(0x84), registers, ExitReason.APIC_ACCESS, 0x84);
    // jmp rax
    check([0xb8, 0, 0, 2, 0, 0xff, 0xe0], registers, ExitReason.APIC_ACCESS, 0x2000);
  });
});

describe('Virtual interrupts', () => {
  it('are delivered at VM entry when RVI is above the processor priority and IF is 1', () => {
    const { reason, at, virtual, vmcs } = run([STI, NOP, NOP, ...vmcall], (each) => {
      delivery(each);
      request(each, 0x55);
    });
    assert.deepEqual([reason, at], [ExitReason.VMCALL, guest.handler + 1]);
    assert.equal(vmcs.read32(Field.guestInterruptStatus), 0x5500, 'SVI, no RVI');
    assert.deepEqual([virtual(VPPR), virtual(VISR + 0x20), virtual(VIRR + 0x20)], [0x50, 1 << 0x15, 0]);
  });

  it('wait for the task priority to go down, and wake HLT', () => {
    const waiting: Prepare = (each) => {
      delivery(each);
      request(each, 0x55);
      each.system.poke(VIRTUAL_APIC + VTPR, 0x60n);
    };
    assert.equal(run([STI, NOP, NOP, ...vmcall], waiting).at, guest.code + 3);
    assert.equal(
      run([STI, ...wrmsr(0x808, 0x50), NOP, ...vmcall], waiting).at,
      guest.code + 16,
      'its own class',
    );
    assert.equal(run([STI, ...wrmsr(0x808, 0x40), NOP, ...vmcall], waiting).at, guest.handler + 1);
    assert.equal(run([...wrmsr(0x808, 0x40), STI, HLT, ...vmcall], waiting).at, guest.handler + 1);
  });

  it('come from self-IPIs, and end by EOI, with an exit where the bitmap says so', () => {
    assert.equal(run([STI, ...wrmsr(0x83f, 0x80), NOP, ...vmcall], delivery).at, guest.handler + 1);
    const ending: Prepare = (each) => {
      delivery(each);
      request(each, 0x55);
      each.guestCode(guest.handler, ...wrmsr(0x80b, 0), ...vmcall);
    };
    const { vmcs, virtual, at } = run([STI, NOP, NOP], ending);
    assert.deepEqual(
      [vmcs.read32(Field.guestInterruptStatus), virtual(VISR + 0x20), at],
      [0, 0, guest.handler + 14],
    );
    const exiting = run([STI, NOP, NOP], (each) => {
      ending(each);
      each.vmcs.write(Field.eoiExitBitmap1, 1n << 0x15n);
    });
    assert.deepEqual(
      [exiting.reason, exiting.qualification, exiting.at],
      [ExitReason.EOI_INDUCED, 0x55n, guest.handler + 14],
    );
    // A value that EOI does not take.
    setGuestGate(exiting.machine, 13);
    const refused = run(wrmsr(0x80b, 1), (each) => {
      delivery(each);
      each.vmcs.write32(Field.exceptionBitmap, 1 << 13);
    });
    assert.equal(refused.reason, ExitReason.EXCEPTION_NMI);
  });

  it('are posted: the notification takes them over without an exit', () => {
    const posted = (vector: number) =>
      run([STI, NOP, NOP, ...vmcall], (each) => {
        delivery(each);
        turnOn(each, Field.pinBasedControls, Pin.processPostedInterrupts);
        turnOn(each, Field.vmExitControls, Exit.acknowledgeInterruptOnExit);
        each.vmcs.write32(Field.postedInterruptNotificationVector, 0xf2);
        each.vmcs.write(Field.postedInterruptDescriptorAddress, BigInt(DESCRIPTOR));
        each.system.poke(DESCRIPTOR, 1n << 0x31n, 8);
        each.system.poke(DESCRIPTOR + 32, 1n);
        each.system.apic.requested.push(vector);
      });
    const { machine, at, vmcs } = posted(0xf2);
    assert.equal(at, guest.handler + 1);
    assert.equal(vmcs.read32(Field.guestInterruptStatus), 0x3100);
    assert.deepEqual([machine.system.peek(DESCRIPTOR), machine.system.peek(DESCRIPTOR + 32)], [0n, 0n]);
    assert.equal(machine.system.apic.ended, 1);
    assert.equal(posted(0xf3).reason, ExitReason.EXTERNAL_INTERRUPT);
  });
});
