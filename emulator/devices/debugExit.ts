/** The debug-exit port 0xf4: a write ends the run with status (value << 1) | 1, as QEMU's isa-debug-exit does. */
import type { PortDevice } from './device.js';

export const DEBUG_EXIT_PORT = 0xf4;

export class DebugExit implements PortDevice {
  readonly firstPort = DEBUG_EXIT_PORT;
  readonly portCount = 4;

  /** @param exit gets the exit status, cut to 8 bits as a process's is. */
  constructor(private readonly exit: (status: number) => void) {}

  readPort(): number {
    return 0;
  }

  writePort(_offset: number, _size: number, value: number): void {
    this.exit(((value << 1) | 1) & 0xff);
  }
}
