/**
 * What test programs use of QEMU's pc-testdev (hw/misc/pc-testdev.c): a latch at ports E0H-E3H, interrupt request lines
 * 0-23 at ports 2000H-2017H, 64 KiB of memory behind the MMIO path at FF000000H.
 */
import type { MemoryDevice, PortDevice } from './device.js';
import type { InterruptLines } from './interruptLines.js';

const LINES = 24;
const MEMORY_BASE = 0xff00_0000;
const MEMORY_PAGES = 16;
const PAGE = 4096;

/** Four bytes that read as they were written. */
const latch = (): PortDevice => {
  const view = new DataView(new ArrayBuffer(8));
  return {
    firstPort: 0xe0,
    portCount: 4,
    readPort: (offset, size) => {
      if (size === 1) return view.getUint8(offset);
      return size === 2 ? view.getUint16(offset, true) : view.getUint32(offset, true);
    },
    writePort: (offset, size, value) => {
      if (size === 1) view.setUint8(offset, value);
      else if (size === 2) view.setUint16(offset, value, true);
      else view.setUint32(offset, value, true);
    },
  };
};

const requestLines = (lines: InterruptLines): PortDevice => ({
  firstPort: 0x2000,
  portCount: LINES,
  readPort: () => 0,
  writePort: (offset, _size, value) => lines.set(offset, (value & 1) !== 0),
});

const memoryPage = (number: number): MemoryDevice => {
  const view = new DataView(new ArrayBuffer(PAGE));
  return {
    physicalPage: MEMORY_BASE / PAGE + number,
    readRegister: (offset, size) => {
      if (size === 8) return view.getBigUint64(offset, true);
      if (size === 4) return BigInt(view.getUint32(offset, true));
      return BigInt(size === 2 ? view.getUint16(offset, true) : view.getUint8(offset));
    },
    writeRegister: (offset, size, value) => {
      if (size === 8) view.setBigUint64(offset, value, true);
      else if (size === 4) view.setUint32(offset, Number(value), true);
      else if (size === 2) view.setUint16(offset, Number(value), true);
      else view.setUint8(offset, Number(value));
    },
  };
};

/** The device's ports and pages. */
export const pcTestDevice = (
  lines: InterruptLines,
): { ports: readonly PortDevice[]; pages: readonly MemoryDevice[] } => ({
  ports: [latch(), requestLines(lines)],
  pages: Array.from({ length: MEMORY_PAGES }, (_, number) => memoryPage(number)),
});
