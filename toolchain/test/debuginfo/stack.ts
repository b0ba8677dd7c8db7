import type { DebugInfo, MachineContext, Variable } from '../../debuginfo/debugInfo.js';

/** A frame as a debugger shows it: several share one machine frame when calls were inlined. */
export interface Frame {
  readonly name: string;
  readonly line: number | undefined;
  /** For questions to the debug information. */
  readonly address: bigint;
  readonly inlineDepth: number;
  readonly machine: MachineContext;
  readonly variables: { arguments: Variable[]; locals: Variable[] };
}

const RIP = 16;

/** The stack of a stopped machine, up to main. */
export function walkStack(info: DebugInfo, machine: MachineContext): Frame[] {
  const frames: Frame[] = [];
  let current = machine;
  let address = machine.register(RIP)!;
  for (let depth = 0; depth < 50 && frames.at(-1)?.name !== 'main'; depth++) {
    frames.push(...framesAt(info, address, current));
    const caller = info.unwind(address, current);
    if (caller === undefined) {
      break;
    }
    const { registers } = caller;
    current = { ...machine, register: (number) => registers.get(number) };
    address = caller.returnAddress - 1n;
  }
  return frames;
}

function framesAt(info: DebugInfo, address: bigint, machine: MachineContext): Frame[] {
  const inlined = info.inlineFramesAt(address);
  const names = [...inlined.map(({ name }) => name), info.functionAt(address)?.name ?? '??'];
  const lines = [info.lineAt(address)?.line, ...inlined.map(({ call }) => call?.line)];
  return names.map((name, inlineDepth) => ({
    name,
    line: lines[inlineDepth],
    address,
    inlineDepth,
    machine,
    variables: info.variablesAt(address, inlineDepth),
  }));
}
