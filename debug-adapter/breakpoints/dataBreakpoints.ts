/** Data breakpoints: watched bytes of linear memory. */
import type { DebugProtocol } from '@vscode/debugprotocol';
import type { WatchHit, Watchpoint } from '../../emulator/machine/machineTypes.js';
import { Condition } from './conditions/condition.js';
import { withVerdict } from './exitBreakpoints.js';
import type { HitContext, StopCause } from './types.js';

/** What a name in a frame or a container stands for. */
export interface DataTarget {
  readonly address: bigint;
  /** Bytes. */
  readonly size: number;
  readonly description: string;
}

interface DataBreakpoint {
  readonly watchpoint: Watchpoint;
  readonly condition: Condition;
  readonly description: string;
}

const MOST_BYTES = 4096;

export function dataBreakpointInfo(
  target: DataTarget | string,
): DebugProtocol.DataBreakpointInfoResponse['body'] {
  if (typeof target === 'string') return { dataId: null, description: target };
  const { address, size, description } = target;
  return {
    dataId: `0x${address.toString(16)}:${size}:${description}`,
    description: `${description} (${size} bytes at 0x${address.toString(16)})`,
    accessTypes: ['read', 'write', 'readWrite'],
  };
}

export class DataBreakpoints {
  private all: DataBreakpoint[] = [];

  constructor(
    private readonly nextId: () => number,
    private readonly output: (text: string) => void,
  ) {}

  set({ breakpoints }: DebugProtocol.SetDataBreakpointsArguments): DebugProtocol.Breakpoint[] {
    this.all = [];
    return breakpoints.map(({ dataId, accessType = 'write', condition, hitCondition }) => {
      const match = /^(0x[0-9a-f]+):(\d+):(.*)$/s.exec(dataId);
      const length = Number(match?.[2]);
      if (!match || length < 1 || length > MOST_BYTES)
        return { verified: false, message: `"${dataId}" cannot be watched` };
      const asked = new Condition({ condition, hitCondition }, this.output);
      if (asked.error !== undefined) return { verified: false, message: asked.error };
      const id = this.nextId();
      const watchpoint = { id, address: BigInt(match[1]), length, access: accessType };
      this.all.push({ watchpoint, condition: asked, description: match[3] });
      return { id, verified: true };
    });
  }

  get watchpoints(): readonly Watchpoint[] {
    return this.all.map(({ watchpoint }) => watchpoint);
  }

  at(hits: readonly WatchHit[], context: HitContext): StopCause | undefined {
    for (const hit of hits) {
      const found = this.all.find(({ watchpoint }) => watchpoint.id === hit.id);
      const cause =
        found &&
        withVerdict(found.condition.ask(context), {
          reason: 'data breakpoint',
          description: `${found.description} was ${hit.access === 'write' ? 'written' : 'read'}`,
          hitBreakpointIds: [hit.id],
        });
      if (cause) return cause;
    }
    return undefined;
  }
}
