/** The platform's address decoder: who answers a port or a physical page that is not RAM. */
import type { Bus } from '../cpu/seams.js';
import type { MemoryDevice, PortDevice } from './device.js';

const allOnes = (size: number): number => (size === 4 ? 0xffff_ffff : size === 2 ? 0xffff : 0xff);

export class SystemBus implements Bus {
  private readonly ports = new Map<number, PortDevice>();
  private readonly pages = new Map<number, MemoryDevice>();

  /** @param ramPages physical pages of RAM, from page 0. */
  constructor(private readonly ramPages: number) {}

  addPorts(device: PortDevice): void {
    for (let port = device.firstPort; port < device.firstPort + device.portCount; port++) {
      this.ports.set(port, device);
    }
  }

  addPage(device: MemoryDevice): void {
    this.pages.set(device.physicalPage, device);
  }

  /** A device's page moved (the APIC base MSR). */
  removePage(device: MemoryDevice): void {
    for (const [page, at] of this.pages) if (at === device) this.pages.delete(page);
  }

  /** An unclaimed port floats: all ones. */
  readPort(port: number, size: number): number {
    const device = this.ports.get(port);
    return device ? device.readPort(port - device.firstPort, size) : allOnes(size);
  }

  writePort(port: number, size: number, value: number): void {
    const device = this.ports.get(port);
    device?.writePort(port - device.firstPort, size, value);
  }

  isDevice(physicalPage: number): boolean {
    return physicalPage >= this.ramPages || this.pages.has(physicalPage);
  }

  /** Nobody there: the read ends in all ones, as after a master abort. */
  readDevice(physicalAddress: number, size: number): bigint {
    const device = this.pages.get(Math.floor(physicalAddress / 4096));
    if (device) return device.readRegister(physicalAddress % 4096, size);
    return (1n << BigInt(size * 8)) - 1n;
  }

  writeDevice(physicalAddress: number, size: number, value: bigint): void {
    this.pages.get(Math.floor(physicalAddress / 4096))?.writeRegister(physicalAddress % 4096, size, value);
  }
}
