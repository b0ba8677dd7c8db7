/** The PC around the processors: RAM, bus, interrupt controllers, timers, console, log, debug exit. */
import type { LinearMemory } from '../cpu/state.js';
import { ApicBus } from '../devices/apicBus.js';
import { SystemBus } from '../devices/bus.js';
import { DebugExit } from '../devices/debugExit.js';
import { InterruptLines } from '../devices/interruptLines.js';
import { IoApic } from '../devices/ioApic.js';
import { LocalApic } from '../devices/localApic.js';
import { PciConfiguration } from '../devices/pciConfiguration.js';
import { pcTestDevice } from '../devices/pcTestDevice.js';
import { InterruptControllers8259 } from '../devices/pic8259.js';
import { Pit8254 } from '../devices/pit8254.js';
import { PmTimer } from '../devices/pmTimer.js';
import { Uart16550 } from '../devices/uart16550.js';
import { VirtualClock } from '../devices/virtualClock.js';

/** First ports of the serial lines: the guest's console and the host's log. */
const SERIAL_PORTS = [0x3f8, 0x2f8] as const;
const TIMER_LINE = 0;

export interface PlatformEvents {
  /** A byte left serial port 0 (COM1) or 1 (COM2). */
  serialOutput(port: number, byte: number): void;
  /** A value was written to the debug-exit port: the run ends with this status. */
  debugExit(status: number): void;
  /** ACPI power-off. */
  powerOff(): void;
}

export interface Platform {
  readonly bus: SystemBus;
  readonly clock: VirtualClock;
  /** One for each processor; number 0 is the bootstrap processor's. */
  readonly apics: readonly LocalApic[];
  readonly lines: InterruptLines;
  /** The processor that runs sees its own local APIC at the common address. */
  selectApic(number: number): void;
}

export function createPlatform(
  memory: LinearMemory,
  processorCount: number,
  events: PlatformEvents,
): Platform {
  const bus = new SystemBus(memory.ramSize / 4096);
  const clock = new VirtualClock();
  const apicBus = new ApicBus();
  const pic = new InterruptControllers8259((level) => {
    if (level) apics[0].raiseLint0();
    clock.recheckEvents();
  });
  let selected: LocalApic | undefined;
  const show = (apic: LocalApic): void => {
    if (selected) bus.removePage(selected);
    selected = apic;
    if (apic.decoded) bus.addPage(apic);
  };
  const moved = (apic: LocalApic): void => {
    if (apic === selected) show(apic);
  };
  const apics = Array.from(
    { length: processorCount },
    (_, id) => new LocalApic(id, clock, apicBus, moved, id === 0 ? pic : undefined),
  );
  apics[0].setVirtualWire();
  show(apics[0]);

  const ioApic = new IoApic(apicBus);
  bus.addPage(ioApic);
  const lines = new InterruptLines(pic, ioApic);
  const pit = new Pit8254(clock, lines.line(TIMER_LINE));
  const testDevice = pcTestDevice(lines);
  for (const page of testDevice.pages) bus.addPage(page);
  SERIAL_PORTS.forEach((port, i) => {
    bus.addPorts(new Uart16550(port, (byte) => events.serialOutput(i, byte)));
  });
  for (const device of [
    ...pic.ports,
    ...pit.ports,
    ...testDevice.ports,
    new PciConfiguration(),
    new PmTimer(clock, () => events.powerOff()),
    new DebugExit((status) => events.debugExit(status)),
  ]) {
    bus.addPorts(device);
  }
  return { bus, clock, apics, lines, selectApic: (number) => show(apics[number]) };
}
