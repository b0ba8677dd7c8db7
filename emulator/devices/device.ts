/** What the bus asks of a device. Each device is a file of its own behind one of these. */

/** A device behind a range of I/O ports. Values are unsigned and `size` bytes (1, 2 or 4) wide. */
export interface PortDevice {
  readonly firstPort: number;
  readonly portCount: number;
  readPort(offset: number, size: number): number;
  writePort(offset: number, size: number, value: number): void;
}

/** A device behind one page of physical addresses. */
export interface MemoryDevice {
  readonly physicalPage: number;
  readRegister(offset: number, size: number): bigint;
  writeRegister(offset: number, size: number, value: bigint): void;
}
