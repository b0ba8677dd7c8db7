/** Where the machine stands while a step is under way. */
import type { World } from '../../emulator/machine/machineTypes.js';
import { ExitReason } from '../../emulator/vmx/exitReasons.js';
import type { Debuggee } from '../debuggee/debuggee.js';

/** The virtual or physical processor that a step belongs to. */
export interface StepOwner {
  readonly threadId: number;
  /** Its guest's VMCS, if it runs one. */
  readonly vmcs: number | undefined;
}

/** Linear address of the next instruction. */
export function currentPc({ machine: { state } }: Debuggee): bigint {
  return BigInt.asUintN(64, state.csBase + state.rip);
}

/** Is the owner on the processor now? */
export function isCurrent(debuggee: Debuggee, owner: StepOwner): boolean {
  const { machine } = debuggee;
  if (machine.world === 'guest') return owner.vmcs === undefined || machine.currentVmcs === owner.vmcs;
  const host = debuggee.hostThreads;
  const running = host?.threads[host.current];
  return running === undefined || running.vcpuId < 0 || running.vcpuId + 1 === owner.threadId;
}

/** The word on top of the stack: a return address right after a call. */
export function topOfStack({ machine }: Debuggee, bits: 32 | 64): bigint | undefined {
  const bytes = machine.readLinear(machine.state.rsp, bits / 8);
  if (bytes.length !== bits / 8) return undefined;
  return bytes.reduceRight((value, byte) => (value << 8n) | BigInt(byte), 0n);
}

const EXIT_HANDLERS = 'kvm_vmx_exit_handlers';

/** Address of the host's function for an exit reason: from its table of exit handlers, where it has one. */
export function exitHandler(debuggee: Debuggee, reason: number): bigint | undefined {
  const table = debuggee.launch.host?.debugInfo.symbolNamed(EXIT_HANDLERS);
  if (!table || BigInt(reason * 8 + 8) > table.size) return undefined;
  const bytes = debuggee.machine.readLinear(table.address + BigInt(reason * 8), 8, debuggee.rootTranslation);
  if (bytes.length !== 8) return undefined;
  const address = new DataView(bytes.buffer, bytes.byteOffset, 8).getBigUint64(0, true);
  return address === 0n ? undefined : address;
}

/** Where a function's body begins, for a stop inside it; the address itself without debug information. */
export function bodyOf(debuggee: Debuggee, world: World, address: bigint): bigint {
  return debuggee.imageAt(world, address)?.debugInfo.functionAt(address)?.bodyStart ?? address;
}

export const isHypercall = (reason: number | undefined): boolean => reason === ExitReason.VMCALL;
