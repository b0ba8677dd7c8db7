/** Observes what makes a run fail: triple faults, of the guest or of the machine, and refused VM entries. */
import { explainEntryFailure } from '../debug-adapter/explain/ends.js';
import { exceptionName, explainFaultAt } from '../debug-adapter/explain/faults.js';
import { hex, worldName } from '../debug-adapter/explain/words.js';
import type { PreparedLaunch } from '../debug-adapter/launch/prepareLaunch.js';
import type { Fault } from '../emulator/cpu/fault.js';
import type { World } from '../emulator/machine/machineTypes.js';
import type { WorldSwitch } from '../emulator/machine/worldSwitch.js';
import { ExitReason } from '../emulator/vmx/exitReasons.js';
import { Field } from '../emulator/vmx/fields.js';

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
        this.text ??= `the guest triple-faulted: ${isRaised ? this.cause : this.injectedAt(event)}`;
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

  /** What made the host give up: the exception that its code, or a handler's, raised last. */
  get hostFault(): string | undefined {
    return this.launch.host && this.raised?.world === 'root' ? `the host gave up: ${this.cause}` : undefined;
  }

  /** The last exception that was raised, with its place. */
  get cause(): string {
    if (!this.raised) return 'no exception was raised';
    const { fault, world, rip, csBase } = this.raised;
    return explainFaultAt(fault, world, rip, this.lineOf(world, csBase + rip));
  }

  /** An exception that no instruction raised was injected by the VM entry; its field keeps the vector. */
  private injectedAt({ vmcs, rip, csBase }: WorldSwitch): string {
    const information = this.launch.machine.readVmcs(vmcs, Field.vmEntryInterruptionInformation.encoding);
    const what = exceptionName(Number((information ?? 0n) & 0xffn));
    return `${what}, injected by its host; in ${worldName('guest')} ${this.placeAt('guest', rip, csBase)}`;
  }

  /** `at 0x100000 (hello.S:9)`. */
  placeAt(world: World, rip: bigint, csBase: bigint): string {
    const line = this.lineOf(world, csBase + rip);
    return `at ${hex(rip)}${line ? ` (${line})` : ''}`;
  }

  private lineOf(world: World, address: bigint): string | undefined {
    const { guest, host, handlers } = this.launch;
    const programs = world === 'root' && host ? [host, handlers] : [guest];
    const row = programs.map((program) => program?.debugInfo.lineAt(address)).find((found) => found);
    return row && `${row.file}:${row.line}`;
  }
}
