/** The threads that a host publishes through `hyperstep_host` (hypervisors/include/hyperstep/host.h). */
import type { Machine, TranslationContext } from '../../emulator/machine/machineTypes.js';
import type { DebugInfo } from '../../toolchain/debuginfo/debugInfo.js';
import {
  HOST_MAGIC,
  HOST_SIZE,
  HOST_SYMBOL,
  HOST_VERSION,
  HostOffset,
  MAX_THREADS,
  THREAD_SIZE,
  ThreadOffset,
} from './hostContract.js';

/** One host thread, as its structure says now. */
export interface HostThread {
  readonly index: number;
  /** A ThreadState. */
  readonly state: number;
  /** The vCPU that it runs, or -1. */
  readonly vcpuId: number;
  readonly name: string;
  /** Saved registers of a thread that does not run, by name. */
  readonly saved: Readonly<Record<'rip' | 'rsp' | 'rbp' | 'rbx' | 'r12' | 'r13' | 'r14' | 'r15', bigint>>;
  readonly wakeupNs: bigint;
  /** Physical address of the vCPU's VMCS; 0 for none. */
  readonly vmcs: number;
  /** Where the host keeps the guest's general registers; 0n for nowhere. */
  readonly guestRegisters: bigint;
}

export interface HostThreads {
  readonly current: number;
  readonly threads: readonly HostThread[];
}

/** Reads the host's threads through the host's address space; undefined when it has none to show (yet). */
export function readHostThreads(
  machine: Machine,
  host: DebugInfo,
  context: TranslationContext,
): HostThreads | undefined {
  const symbol = host.symbolNamed(HOST_SYMBOL);
  if (!symbol) return undefined;
  const read = (address: bigint, length: number): DataView | undefined => {
    const bytes = machine.readLinear(address, length, context);
    return bytes.length === length ? new DataView(bytes.buffer, bytes.byteOffset, length) : undefined;
  };
  const structure = read(symbol.address, HOST_SIZE);
  if (structure?.getBigUint64(HostOffset.magic, true) !== HOST_MAGIC) return undefined;
  if (structure.getUint32(HostOffset.version, true) !== HOST_VERSION) return undefined;
  const count = Math.min(structure.getUint32(HostOffset.threadCount, true), MAX_THREADS);
  const table = read(structure.getBigUint64(HostOffset.threads, true), count * THREAD_SIZE);
  if (!table) return undefined;
  const nameAt = (address: bigint): string => {
    const bytes = machine.readLinear(address, 32, context);
    const end = bytes.indexOf(0);
    return new TextDecoder().decode(bytes.subarray(0, end < 0 ? bytes.length : end));
  };
  const threads = Array.from({ length: count }, (_, index) => {
    const word = (offset: number): bigint => table.getBigUint64(index * THREAD_SIZE + offset, true);
    return {
      index,
      state: table.getUint32(index * THREAD_SIZE + ThreadOffset.state, true),
      vcpuId: table.getInt32(index * THREAD_SIZE + ThreadOffset.vcpuId, true),
      name: nameAt(word(ThreadOffset.name)),
      saved: {
        rip: word(ThreadOffset.rip),
        rsp: word(ThreadOffset.rsp),
        rbp: word(ThreadOffset.rbp),
        rbx: word(ThreadOffset.rbx),
        r12: word(ThreadOffset.r12),
        r13: word(ThreadOffset.r13),
        r14: word(ThreadOffset.r14),
        r15: word(ThreadOffset.r15),
      },
      wakeupNs: word(ThreadOffset.wakeupNs),
      vmcs: Number(word(ThreadOffset.vmcs)),
      guestRegisters: word(ThreadOffset.guestRegisters),
    };
  });
  return { current: structure.getUint32(HostOffset.currentThread, true), threads };
}
