import assert from 'node:assert/strict';
import { ApicBus } from '../devices/apicBus.js';
import { SystemBus } from '../devices/bus.js';
import { DebugExit } from '../devices/debugExit.js';
import { LocalApic } from '../devices/localApic.js';
import { Uart16550 } from '../devices/uart16550.js';
import { VirtualClock } from '../devices/virtualClock.js';

function makeApic() {
  const clock = new VirtualClock();
  const apic = new LocalApic(0, clock, new ApicBus(), () => undefined);
  const write = (offset: number, value: number) => apic.writeRegister(offset, 4, BigInt(value));
  const read = (offset: number) => Number(apic.readRegister(offset, 4));
  const runTo = (ns: number) => {
    clock.advance(ns - clock.now);
    clock.fireDue();
  };
  write(0xf0, 0x1ff);
  return { clock, apic, write, read, runTo };
}

describe('local APIC', () => {
  it('counts down at the divided bus clock and fires once', () => {
    const { apic, write, read, runTo, clock } = makeApic();
    write(0x3e0, 0x3); // divide by 16
    write(0x320, 0x40);
    write(0x380, 1000);
    assert.equal(clock.nextEvent, 16_000);
    runTo(8_000);
    assert.equal(read(0x390), 500);
    assert.equal(apic.pendingVector(), -1);
    runTo(16_000);
    assert.equal(apic.pendingVector(), 0x40);
    assert.equal(read(0x390), 0);
    assert.equal(clock.nextEvent, Infinity);
  });

  it('keeps a periodic timer on its grid', () => {
    const { write, runTo, clock } = makeApic();
    write(0x3e0, 0xb); // divide by 1
    write(0x320, 0x2_0040);
    write(0x380, 1000);
    runTo(1_500);
    assert.equal(clock.nextEvent, 2_000);
  });

  it('delivers by priority class: in service, task priority, EOI', () => {
    const { apic, write } = makeApic();
    write(0x300, 0x4_0031);
    write(0x300, 0x4_0052);
    assert.equal(apic.acknowledge(), 0x52);
    assert.equal(apic.pendingVector(), -1, 'class 3 waits while class 5 is in service');
    write(0xb0, 0);
    assert.equal(apic.pendingVector(), 0x31);
    write(0x80, 0x30);
    assert.equal(apic.pendingVector(), -1, 'task priority class 3 masks class 3');
    write(0x80, 0);
    assert.equal(apic.acknowledge(), 0x31);
  });

  it('does not take interrupts while software-disabled', () => {
    const { apic, write } = makeApic();
    write(0xf0, 0xff);
    write(0x300, 0x4_0031);
    assert.equal(apic.pendingVector(), -1);
  });
});

describe('ports', () => {
  it('floats where there is no device, and routes where there is', () => {
    const sent: number[] = [];
    const exits: number[] = [];
    const bus = new SystemBus(16);
    bus.addPorts(new Uart16550(0x3f8, (byte) => sent.push(byte)));
    bus.addPorts(new DebugExit((status) => exits.push(status)));
    assert.equal(bus.readPort(0x80, 2), 0xffff);
    assert.equal(bus.readPort(0x3fd, 1), 0x60);
    bus.writePort(0x3fb, 1, 0x83);
    bus.writePort(0x3f8, 1, 0x55); // the divisor latch, not the line
    bus.writePort(0x3fb, 1, 0x03);
    bus.writePort(0x3f8, 1, 0x41);
    assert.deepEqual(sent, [0x41]);
    bus.writePort(0xf4, 4, 0x10);
    assert.deepEqual(exits, [0x21]);
  });
});
