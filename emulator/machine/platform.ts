/** The PC around the processor: RAM, bus, console, log, debug exit, local APIC. */
import type { LinearMemory } from '../cpu/state.js';
import { SystemBus } from '../devices/bus.js';
import { DebugExit } from '../devices/debugExit.js';
import { LocalApic } from '../devices/localApic.js';
import { Uart16550 } from '../devices/uart16550.js';
import { VirtualClock } from '../devices/virtualClock.js';

/** First ports of the serial lines: the guest's console and the host's log. */
const SERIAL_PORTS = [0x3f8, 0x2f8] as const;

export interface PlatformEvents {
  /** A byte left serial port 0 (COM1) or 1 (COM2). */
  serialOutput(port: number, byte: number): void;
  /** A value was written to the debug-exit port: the run ends with this status. */
  debugExit(status: number): void;
}

export interface Platform {
  readonly bus: SystemBus;
  readonly clock: VirtualClock;
  readonly apic: LocalApic;
}

export function createPlatform(memory: LinearMemory, events: PlatformEvents): Platform {
  const bus = new SystemBus(memory.ramSize / 4096);
  const clock = new VirtualClock();
  const apic = new LocalApic(clock, (moved) => {
    bus.removePage(moved);
    if (moved.decoded) bus.addPage(moved);
  });
  bus.addPage(apic);
  SERIAL_PORTS.forEach((port, i) => {
    bus.addPorts(new Uart16550(port, (byte) => events.serialOutput(i, byte)));
  });
  bus.addPorts(new DebugExit((status) => events.debugExit(status)));
  return { bus, clock, apic };
}
