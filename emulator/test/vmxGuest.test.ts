/** A guest under the real run loop, paging and event delivery: the exits that only their interplay makes. */
import assert from 'node:assert/strict';
import { Cr0, Cr4, DR7_RESET, Efer, Rflags, SegmentAccess } from '../cpu/registerBits.js';
import { Entry, Pin, Primary } from '../vmx/controls.js';
import { ExitReason } from '../vmx/exitReasons.js';
import { Field } from '../vmx/fields.js';
import { guestSegments } from '../vmx/segmentFields.js';
import { at } from './systemFixture.js';
import { code } from './vmxFixture.js';
import {
  createGuest,
  exitOf,
  GUEST,
  guest,
  GUEST_PAGES,
  NOP,
  quiet,
  setGuestGate,
} from './vmxGuestFixture.js';

describe('A guest under the run loop', () => {
  it('runs to its VMCALL, and on behind it', () => {
    const machine = createGuest();
    machine.guestCode(guest.code, NOP, NOP, ...code.vmcall, NOP, ...code.vmcall);
    const start = machine.system.processor.position;
    const { stop } = machine.enter(3 + 2);
    assert.equal(stop.kind, 'budget');
    assert.deepEqual(exitOf(machine), { ...quiet, reason: ExitReason.VMCALL, rip: BigInt(guest.code + 2) });
    assert.equal(
      machine.system.state.rip,
      BigInt(at.handlers + 2),
      'VMLAUNCH, two NOPs; two NOPs of the host',
    );
    assert.equal(machine.system.processor.position - start, 5);

    machine.vmcs.write(Field.guestRip, BigInt(guest.code + 5));
    machine.enter(3);
    assert.equal(machine.vmcs.read(Field.guestRip), BigInt(guest.code + 6));
  });

  it('makes EPT violations by fetching, and by the guest page walk', () => {
    const machine = createGuest();
    const beyond = BigInt(GUEST_PAGES * 4096 + 0x123);
    machine.vmcs.write(Field.guestRip, beyond);
    machine.enter(2);
    assert.deepEqual(exitOf(machine), {
      ...quiet, reason: ExitReason.EPT_VIOLATION, qualification: 0x584n, rip: beyond, linear: beyond, physical: beyond,
    }); // prettier-ignore
    assert.equal(machine.vmcs.read(Field.guestRflags) & Rflags.RF, Rflags.RF);

    // The guest's page directory is moved to a page that is not there.
    machine.pokeGuest(guest.pdpt, 0x10_0003n);
    machine.vmcs.write(Field.guestRip, BigInt(guest.code));
    machine.vmcs.write(Field.guestRflags, 2n);
    machine.enter(2);
    assert.deepEqual(exitOf(machine), {
      ...quiet, reason: ExitReason.EPT_VIOLATION, qualification: 0x81n, rip: BigInt(guest.code),
      linear: BigInt(guest.code), physical: 0x10_0000n,
    }); // prettier-ignore
  });

  it('takes an injected exception through its own IDT', () => {
    const machine = createGuest();
    setGuestGate(machine, 13);
    machine.guestCode(guest.handler, ...code.vmcall);
    machine.vmcs.write32(Field.vmEntryInterruptionInformation, 0x8000_0b0d);
    machine.vmcs.write32(Field.vmEntryExceptionErrorCode, 0x18);
    machine.enter(2);
    assert.deepEqual(exitOf(machine), { ...quiet, reason: ExitReason.VMCALL, rip: BigInt(guest.handler) });
    const stack = GUEST + guest.stack - 48;
    assert.equal(machine.vmcs.read(Field.guestRsp), BigInt(guest.stack - 48));
    assert.deepEqual(
      [machine.system.peek(stack), machine.system.peek(stack + 8)],
      [0x18n, BigInt(guest.code)],
    );
  });

  it('records the event whose delivery an EPT violation interrupted', () => {
    const machine = createGuest();
    const idt = BigInt(GUEST_PAGES * 4096);
    machine.vmcs.write(Field.guestIdtrBase, idt);
    machine.vmcs.write32(Field.vmEntryInterruptionInformation, 0x8000_0b0d);
    machine.vmcs.write32(Field.vmEntryExceptionErrorCode, 0x18);
    machine.enter(2);
    const gate = idt + 13n * 16n;
    assert.deepEqual(exitOf(machine), {
      reason: ExitReason.EPT_VIOLATION, qualification: 0x581n, rip: BigInt(guest.code), linear: gate, physical: gate,
      vectoring: 0x8000_0b0d,
    }); // prettier-ignore
    assert.equal(machine.vmcs.read32(Field.idtVectoringErrorCode), 0x18);
  });

  it('exits for a triple fault', () => {
    const machine = createGuest();
    machine.vmcs.write32(Field.guestIdtrLimit, 0);
    machine.guestCode(guest.code, 0x0f, 0x0b);
    machine.enter(2);
    assert.deepEqual(exitOf(machine), { ...quiet, reason: ExitReason.TRIPLE_FAULT, rip: BigInt(guest.code) });
  });

  it('is left for an external interrupt, also from HLT, and takes one itself without the control', () => {
    const machine = createGuest();
    const { vmcs, system } = machine;
    machine.guestCode(guest.code, 0xf4);
    assert.equal(machine.enter(3).stop.kind, 'idle');
    vmcs.write32(Field.pinBasedControls, vmcs.read32(Field.pinBasedControls) | Pin.externalInterruptExiting);
    system.apic.requested.push(0x40);
    machine.run(1);
    assert.deepEqual(exitOf(machine), {
      ...quiet,
      reason: ExitReason.EXTERNAL_INTERRUPT,
      rip: BigInt(guest.code + 1),
    });
    assert.equal(vmcs.read32(Field.guestActivityState), 1);

    setGuestGate(machine, 0x40);
    machine.guestCode(guest.handler, ...code.vmcall);
    vmcs.write32(Field.pinBasedControls, vmcs.read32(Field.pinBasedControls) & ~Pin.externalInterruptExiting);
    vmcs.write(Field.guestRflags, 0x202n);
    machine.enter(2);
    assert.deepEqual(exitOf(machine), { ...quiet, reason: ExitReason.VMCALL, rip: BigInt(guest.handler) });
    assert.deepEqual(system.apic.acknowledged, [0x40]);
  });

  it('exits at the interrupt window as soon as the shadow of STI ends', () => {
    const machine = createGuest();
    const { vmcs } = machine;
    vmcs.write32(
      Field.primaryProcBasedControls,
      (vmcs.read32(Field.primaryProcBasedControls) | Primary.interruptWindowExiting) >>> 0,
    );
    machine.guestCode(guest.code, NOP, 0xfb, NOP, NOP);
    machine.enter(5);
    assert.deepEqual(exitOf(machine), {
      ...quiet,
      reason: ExitReason.INTERRUPT_WINDOW,
      rip: BigInt(guest.code + 3),
    });
  });

  it('may run in real-address mode: unrestricted guest', () => {
    const machine = createGuest();
    const { vmcs } = machine;
    vmcs.write32(Field.vmEntryControls, vmcs.read32(Field.vmEntryControls) & ~Entry.ia32eModeGuest);
    vmcs.write32(
      Field.primaryProcBasedControls,
      (vmcs.read32(Field.primaryProcBasedControls) | Primary.unconditionalIoExiting) >>> 0,
    );
    vmcs.write(Field.guestCr0, Cr0.NE | Cr0.ET);
    vmcs.write(Field.guestCr4, Cr4.VMXE);
    for (const { name, selector: field, base, limit, rights } of guestSegments) {
      if (name === 'tr' || name === 'ldtr') continue;
      vmcs.write32(field, 0x400);
      vmcs.write(base, 0x4000n);
      vmcs.write32(limit, 0xffff);
      vmcs.write32(rights, 0x93);
    }
    vmcs.write(Field.guestRip, 0x10n);
    machine.guestCode(guest.code + 0x10, NOP, 0x66, 0xe7, 0x42);
    machine.enter(3);
    assert.deepEqual(exitOf(machine), {
      ...quiet,
      reason: ExitReason.IO_INSTRUCTION,
      qualification: 0x42_0043n,
      rip: 0x11n,
    });
    assert.equal(vmcs.read(Field.guestEfer) & (Efer.LMA | Efer.LME), Efer.LME, 'LME stays, LMA is cleared');
    assert.equal(machine.system.state.efer & Efer.LMA, Efer.LMA);
    assert.equal(machine.system.state.dr7, DR7_RESET);
    assert.equal(machine.system.state.csAccess & SegmentAccess.L, SegmentAccess.L);
  });
});
