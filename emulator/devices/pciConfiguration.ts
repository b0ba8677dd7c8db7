/** PCI configuration mechanism #1 (PCI 3.0, 3.2.2.3.2) of a bus without devices: every read ends in a master abort. */
import type { PortDevice } from './device.js';

const WRITABLE_ADDRESS = 0x80ff_fffc;

export class PciConfiguration implements PortDevice {
  readonly firstPort = 0xcf8;
  readonly portCount = 8;
  private address = 0;

  readPort(offset: number, size: number): number {
    // CONFIG_ADDRESS is a doubleword; narrower accesses go to other devices.
    if (offset === 0 && size === 4) return this.address;
    return size === 4 ? 0xffff_ffff : 2 ** (size * 8) - 1;
  }

  writePort(offset: number, size: number, value: number): void {
    if (offset === 0 && size === 4) this.address = (value & WRITABLE_ADDRESS) >>> 0;
  }
}
