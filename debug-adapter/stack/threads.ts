/** DAP threads: one for each vCPU that the host publishes, else one for each physical processor. */
import type { Debuggee } from '../debuggee/debuggee.js';
import { ThreadState } from '../launch/hostContract.js';
import type { HostThread } from '../launch/hostThreads.js';

export interface DebugThread {
  readonly id: number;
  readonly name: string;
  /** It is on the processor: its registers are the processor's. */
  readonly isCurrent: boolean;
  /** The host thread behind a vCPU. */
  readonly hostThread: HostThread | undefined;
  /** The guest that it runs; undefined before its VMCS exists. */
  readonly vmcs: number | undefined;
}

/** The host while it runs no vCPU: idle, or booting. */
const HOST_THREAD_ID = 1000;

/** `blockedIn`: the host function that a sleeping vCPU waits in, for its name. */
export function threadsOf(
  debuggee: Debuggee,
  blockedIn: (thread: HostThread) => string | undefined,
): DebugThread[] {
  const host = debuggee.hostThreads;
  const vcpus =
    host?.threads.filter(({ vcpuId, state }) => vcpuId >= 0 && state !== ThreadState.UNUSED) ?? [];
  if (!host || vcpus.length === 0) return [processorThread(debuggee)];
  const threads = vcpus.map((hostThread): DebugThread => ({
    id: hostThread.vcpuId + 1,
    name: `vCPU ${hostThread.vcpuId}${suffix(debuggee, hostThread, blockedIn)}`,
    isCurrent: hostThread.index === host.current,
    hostThread,
    vmcs: hostThread.vmcs === 0 ? undefined : hostThread.vmcs,
  }));
  if (!threads.some(({ isCurrent }) => isCurrent)) {
    const name = host.threads[host.current]?.name ?? 'host';
    threads.push({
      id: HOST_THREAD_ID,
      name: `host: ${name}`,
      isCurrent: true,
      hostThread: undefined,
      vmcs: undefined,
    });
  }
  return threads;
}

function processorThread({ machine, lastExits }: Debuggee): DebugThread {
  const vmcs = machine.currentVmcs;
  const known = vmcs !== undefined && (machine.world === 'guest' || lastExits.has(vmcs));
  return { id: 1, name: 'CPU 0', isCurrent: true, hostThread: undefined, vmcs: known ? vmcs : undefined };
}

function suffix(
  debuggee: Debuggee,
  thread: HostThread,
  blockedIn: (thread: HostThread) => string | undefined,
): string {
  switch (thread.state) {
    case ThreadState.SLEEPING: {
      const inCall = debuggee.log.openCallOf(thread.vmcs) !== undefined;
      const where = blockedIn(thread);
      return `: ${inCall ? 'blocked' : 'sleeping'}${where ? ` in ${where}` : ''}`;
    }
    case ThreadState.HALTED:
      return ': halted';
    case ThreadState.DEAD:
      return ': over';
    default:
      return '';
  }
}
