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
  readonly csBase: bigint;
}

export class Failures {
  /** The last exception that an instruction raised: what a triple fault began with. */
  private raised: RaisedFault | undefined;
  private text: string | undefined;

  constructor(private readonly launch: PreparedLaunch) {
    const { machine } = launch;
    const { onWorldSwitch, onEntryFailure } = machine.observers;
    machine.observers.onException = (world, fault, rip) => {
      this.raised = { world, fault, rip, csBase: machine.state.csBase };
      return false;
    };
    machine.observers.onWorldSwitch = (event) => {
      if (event.exit?.reason === ExitReason.TRIPLE_FAULT && !event.exit.entryFailure) {
        const isRaised = this.raised?.world === 'guest' && this.raised.rip === event.rip;
        // An exception that the host injected was not raised by an instruction.
        const cause = isRaised ? this.cause : this.placeAt('guest', event.rip, event.csBase);
        this.text ??= `the guest triple-faulted: ${cause}`;
      }
      return onWorldSwitch?.(event) ?? false;
    };
    machine.observers.onEntryFailure = (failure) => {
      this.text ??= explainEntryFailure(failure);
      return onEntryFailure?.(failure) ?? false;
    };
  }

  /** The first failure of the guest or its entries, in words. */
  get explanation(): string | undefined {
    return this.text;
  }

  /** The last exception that was raised, with its place. */
  get cause(): string {
    if (!this.raised) return 'no exception was raised';
    const { fault, world, rip, csBase } = this.raised;
    return explainFaultAt(fault, world, rip, this.lineOf(world, csBase + rip));
  }

  /** `at 0x100000 (hello.S:9)`. */
  placeAt(world: World, rip: bigint, csBase: bigint): string {
    const line = this.lineOf(world, csBase + rip);
    return `at ${hex(rip)}${line ? ` (${line})` : ''}`;
  }

  private lineOf(world: World, address: bigint): string | undefined {
    const { guest, host } = this.launch;
    const row = (world === 'root' && host ? host : guest).debugInfo.lineAt(address);
    return row && `${row.file}:${row.line}`;
  }
}
