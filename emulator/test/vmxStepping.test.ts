/** The monitor trap flag, the VMX-preemption timer, PAUSE loops and the guest's TSC (SDM 3C 26.1.3, 26.3 and 26.5). */
import assert from 'node:assert/strict';
import { Rflags } from '../cpu/registerBits.js';
import { Exit, Pin, Primary, Secondary } from '../vmx/controls.js';
import { ExitReason } from '../vmx/exitReasons.js';
import type { VmcsField } from '../vmx/fields.js';
import { Field } from '../vmx/fields.js';
import { code } from './vmxFixture.js';
import type { GuestSystem } from './vmxGuestFixture.js';
import { createGuest, exitOf, guest, NOP, setGuestGate } from './vmxGuestFixture.js';

const HLT = 0xf4;
const PAUSE = [0xf3, 0x90];
const RDTSC = [0x0f, 0x31];
const BS = 1n << 14n;
const PENDING_MTF = 0x8000_0700;

const turnOn = ({ vmcs }: GuestSystem, field: VmcsField, bits: number) =>
  vmcs.write32(field, (vmcs.read32(field) | bits) >>> 0);

/** Where and why a guest of this code exits first. */
function firstExit(bytes: readonly number[], prepare: (machine: GuestSystem) => void, budget = 1000) {
  const machine = createGuest();
  machine.guestCode(guest.code, ...bytes);
  setGuestGate(machine, 6);
  machine.guestCode(guest.handler, NOP, NOP);
  prepare(machine);
  machine.enter(budget);
  const { reason, rip } = exitOf(machine);
  return { reason, at: Number(rip), machine };
}

const monitorTrap = (machine: GuestSystem) =>
  turnOn(machine, Field.primaryProcBasedControls, Primary.monitorTrapFlag);

describe('The monitor trap flag', () => {
  const check = (bytes: readonly number[], expected: number, prepare: (machine: GuestSystem) => void) => {
    const { reason, at, machine } = firstExit(bytes, prepare);
    assert.deepEqual({ reason, at }, { reason: ExitReason.MONITOR_TRAP_FLAG, at: expected });
    return machine;
  };

  it('exits after one instruction, and after the delivery of a fault or an injected event', () => {
    check([NOP, NOP], guest.code + 1, monitorTrap);
    check(RDTSC, guest.code + 2, monitorTrap);
    // UD2
    check([0x0f, 0x0b], guest.handler, monitorTrap);
    check([NOP], guest.handler, (machine) => {
      monitorTrap(machine);
      machine.vmcs.write32(Field.vmEntryInterruptionInformation, 0x8000_0306);
    });
  });

  it('comes before the debug trap of the same instruction, which stays pending', () => {
    const machine = check([NOP, NOP], guest.code + 1, (each) => {
      monitorTrap(each);
      each.vmcs.write(Field.guestRflags, 2n | Rflags.TF);
    });
    assert.equal(machine.vmcs.read(Field.guestPendingDebugExceptions), BS);
  });

  it('is injected by VM entry without the control, and exits before the first instruction', () => {
    const machine = check([NOP], guest.code, ({ vmcs }) => {
      vmcs.write32(Field.vmEntryInterruptionInformation, PENDING_MTF);
      vmcs.write(Field.guestPendingDebugExceptions, BS);
    });
    assert.equal(machine.vmcs.read(Field.guestPendingDebugExceptions), BS);
  });

  it('does not exit where the instruction itself exits', () => {
    const { reason } = firstExit(code.vmcall.slice(), monitorTrap);
    assert.equal(reason, ExitReason.VMCALL);
  });
});

describe('The VMX-preemption timer', () => {
  const start = (value: number) => (machine: GuestSystem) => {
    turnOn(machine, Field.pinBasedControls, Pin.activatePreemptionTimer);
    machine.vmcs.write32(Field.preemptionTimerValue, value);
  };
  const loop = [NOP, 0xeb, 0xfd];

  it('exits at an exact instruction; with 0 before the first one', () => {
    for (const [value, expected] of [
      [0, guest.code],
      // VMLAUNCH itself takes the first tick.
      [2, guest.code + 1],
      [101, guest.code],
    ]) {
      const { reason, at } = firstExit(loop, start(value));
      assert.deepEqual(
        { reason, at },
        { reason: ExitReason.PREEMPTION_TIMER, at: expected },
        `value ${value}`,
      );
    }
  });

  it('saves what is left with the control, and leaves the field alone without it', () => {
    const left = (control: number) => {
      const { machine } = firstExit([NOP, ...code.vmcall], (each) => {
        start(100)(each);
        turnOn(each, Field.vmExitControls, control);
      });
      return machine.vmcs.read32(Field.preemptionTimerValue);
    };
    assert.equal(left(0), 100);
    assert.equal(left(Exit.savePreemptionTimer), 98);
  });

  it('counts while the guest halts', () => {
    const { machine } = firstExit([HLT], start(500), 3);
    const { clock } = machine.system.processor;
    assert.equal(machine.system.processor.virtualization.deadline - clock.now, 498);
  });
});

describe('PAUSE-loop exiting', () => {
  it('exits when PAUSEs that are close together go on for too long', () => {
    const ple = (gap: number, window: number) => (machine: GuestSystem) => {
      turnOn(machine, Field.secondaryProcBasedControls, Secondary.pauseLoopExiting);
      machine.vmcs.write32(Field.pleGap, gap);
      machine.vmcs.write32(Field.pleWindow, window);
    };
    const spin = [...PAUSE, NOP, NOP, 0xeb, 0xfa];
    const { reason } = firstExit(spin, ple(10, 100));
    assert.equal(reason, ExitReason.PAUSE_INSTRUCTION);
    const apart = createGuest();
    apart.guestCode(guest.code, ...spin);
    ple(2, 100)(apart);
    apart.enter(1000);
    assert.ok(apart.system.processor.virtualization.inGuest, 'each PAUSE begins a new loop');
  });
});

describe("The guest's TSC", () => {
  it('is multiplied, then offset', () => {
    const { machine } = firstExit([...RDTSC, ...code.vmcall], (each) => {
      turnOn(each, Field.primaryProcBasedControls, Primary.useTscOffsetting);
      turnOn(each, Field.secondaryProcBasedControls, Secondary.useTscScaling);
      each.vmcs.write(Field.tscMultiplier, 5n << 47n);
      each.vmcs.write(Field.tscOffset, 1_000_000n);
      each.system.state.tscAdjust = 1000n;
    });
    const { rax } = machine.system.state;
    assert.ok(rax >= 1_002_500n && rax < 1_002_600n, String(rax));
  });
});
