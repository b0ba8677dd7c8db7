/** Numbers of virtual processors by VMCS: what the host says, else the order of appearance. */
import type { Machine } from '../../emulator/machine/machineTypes.js';
import type { DebugInfo } from '../../toolchain/debuginfo/debugInfo.js';
import { readHostThreads } from './hostThreads.js';

export class VcpuNumbers {
  private readonly numbers = new Map<number, number>();

  constructor(
    private readonly machine: Machine,
    private readonly host: DebugInfo | undefined,
  ) {}

  /** To be asked first while the machine is in the root world, where the host's memory is mapped. */
  of(vmcs: number): number {
    let number = this.numbers.get(vmcs);
    if (number === undefined) {
      number = this.published(vmcs) ?? this.numbers.size;
      this.numbers.set(vmcs, number);
    }
    return number;
  }

  private published(vmcs: number): number | undefined {
    if (!this.host || this.machine.world !== 'root') return undefined;
    const found = readHostThreads(this.machine, this.host, this.machine.translation);
    const id = found?.threads.find((thread) => thread.vmcs === vmcs)?.vcpuId;
    return id === undefined || id < 0 ? undefined : id;
  }
}
