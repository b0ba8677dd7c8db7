/** Observes what makes a run fail: triple faults, of the guest or of the machine, and refused VM entries. */
import { explainEntryFailure } from '../debug-adapter/explain/ends.js';
import { explainFaultAt } from '../debug-adapter/explain/faults.js';
import { hex } from '../debug-adapter/explain/words.js';
import type { PreparedLaunch } from '../debug-adapter/launch/prepareLaunch.js';
import type { Fault } from '../emulator/cpu/fault.js';
import type { World } from '../emulator/machine/machineTypes.js';
import { ExitReason } from '../emulator/vmx/exitReasons.js';

interface RaisedFault {
  readonly fault: Fault;
  readonly world: World;
  readonly rip: bigint;
}

export class Failures {
  /** The last exception that an instruction raised: what a triple fault began with. */
  private raised: RaisedFault | undefined;
  private text: string | undefined;

  constructor(private readonly launch: PreparedLaunch) {
    const { observers } = launch.machine;
    const { onWorldSwitch, onEntryFailure } = observers;
    observers.onException = (world, fault, rip) => {
      this.raised = { world, fault, rip };
      return false;
    };
    observers.onWorldSwitch = (event) => {
      if (event.exit?.reason === ExitReason.TRIPLE_FAULT && !event.exit.entryFailure) {
        this.text ??= `the guest triple-faulted: ${this.causeAt('guest', event.rip, event.csBase)}`;
      }
      return onWorldSwitch?.(event) ?? false;
    };
    observers.onEntryFailure = (failure) => {
      this.text ??= explainEntryFailure(failure);
      return onEntryFailure?.(failure) ?? false;
    };
  }

  /** The first failure of the guest or its entries, in words. */
  get explanation(): string | undefined {
    return this.text;
  }

  /** What was raised at RIP, with its place: the exception, or, where the host injected it, the place alone. */
  causeAt(world: World, rip: bigint, csBase = 0n): string {
    const { raised } = this;
    const place = this.placeOf(world, csBase + rip);
    if (raised?.world === world && raised.rip === rip) return explainFaultAt(raised.fault, world, rip, place);
    return `at ${hex(rip)}${place ? ` (${place})` : ''}`;
  }

  private placeOf(world: World, address: bigint): string | undefined {
    const { guest, host } = this.launch;
    const row = (world === 'root' && host ? host : guest).debugInfo.lineAt(address);
    return row && `${row.file}:${row.line}`;
  }
}
