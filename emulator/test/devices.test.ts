import assert from 'node:assert/strict';
import { ApicBus } from '../devices/apicBus.js';
import { SystemBus } from '../devices/bus.js';
import { DebugExit } from '../devices/debugExit.js';
import { InterruptLines } from '../devices/interruptLines.js';
import { IoApic } from '../devices/ioApic.js';
import { LocalApic } from '../devices/localApic.js';
import { InterruptControllers8259 } from '../devices/pic8259.js';
import { Pit8254 } from '../devices/pit8254.js';
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

describe('8259 and IO-APIC', () => {
  function makeControllers() {
    const clock = new VirtualClock();
    const bus = new ApicBus();
    const pic = new InterruptControllers8259(() => undefined);
    const apic = new LocalApic(0, clock, bus, () => undefined, pic);
    const ioApic = new IoApic(bus);
    const lines = new InterruptLines(pic, ioApic);
    const writeEntry = (input: number, low: number) => {
      ioApic.writeRegister(0, 4, BigInt(0x10 + 2 * input));
      ioApic.writeRegister(0x10, 4, BigInt(low));
    };
    apic.writeRegister(0xf0, 4, 0x1ffn);
    return { pic, apic, lines, writeEntry, ioApic };
  }

  it('the 8259s reach the processor through LINT0 only in virtual wire mode; the slave through the cascade', () => {
    const { pic, apic, lines } = makeControllers();
    lines.set(11, true);
    assert.equal(apic.pendingVector(), -1);
    apic.setVirtualWire();
    assert.equal(apic.pendingVector(), 0x73);
    assert.equal(apic.acknowledge(), 0x73);
    lines.set(12, true);
    assert.equal(apic.pendingVector(), -1, 'a lower one waits for the EOI');
    pic.ports[1].writePort(0, 1, 0x20);
    pic.ports[0].writePort(0, 1, 0x20);
    assert.equal(apic.acknowledge(), 0x74);
  });

  it('an IO-APIC edge comes once; a level comes again after the EOI while its line is asserted', () => {
    const { apic, lines, writeEntry } = makeControllers();
    writeEntry(5, 0x45);
    lines.set(5, true);
    assert.equal(apic.acknowledge(), 0x45);
    apic.endOfInterrupt();
    assert.equal(apic.pendingVector(), -1);
    writeEntry(14, 0x8000 | 0x46);
    lines.set(14, true);
    assert.equal(apic.acknowledge(), 0x46);
    apic.endOfInterrupt();
    assert.equal(apic.acknowledge(), 0x46);
    lines.set(14, false);
    apic.endOfInterrupt();
    assert.equal(apic.pendingVector(), -1);
  });

  it('line 0, the timer, is input 2 of the IO-APIC', () => {
    const { apic, lines, writeEntry } = makeControllers();
    writeEntry(2, 0x50);
    lines.set(0, true);
    assert.equal(apic.pendingVector(), 0x50);
  });
});

describe('8254', () => {
  function makePit() {
    const clock = new VirtualClock();
    const edges: number[] = [];
    const pit = new Pit8254(clock, { set: (level) => level && edges.push(clock.now) });
    const [ports, control] = pit.ports;
    const runTo = (ns: number) => {
      while (clock.nextEvent <= ns) {
        clock.jumpTo(clock.nextEvent);
        clock.fireDue();
      }
      clock.jumpTo(ns);
    };
    return { edges, ports, control, runTo };
  }

  it('mode 2 interrupts at the rate of its divisor', () => {
    const { edges, ports, runTo } = makePit();
    ports.writePort(3, 1, 0x34);
    ports.writePort(0, 1, 11932 & 0xff);
    ports.writePort(0, 1, 11932 >> 8);
    runTo(1_000_000_000);
    assert.equal(edges.length, 99, '1,193,182 Hz / 11,932: not quite 100 times a second');
  });

  it('mode 0 of counter 2: its output, at port 61H, rises when the count is over', () => {
    const { ports, control, runTo } = makePit();
    control.writePort(0, 1, 1);
    ports.writePort(3, 1, 0xb0);
    ports.writePort(2, 1, 0x00);
    ports.writePort(2, 1, 0x10);
    runTo(3_400_000);
    assert.equal(control.readPort(0, 1) & 0x20, 0);
    runTo(3_440_000);
    assert.equal(control.readPort(0, 1) & 0x20, 0x20);
  });
});
