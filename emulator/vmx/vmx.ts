/** Intel VMX of one processor: composition of the tables and parts of this folder behind the processor's seam. */
import type { Fault } from '../cpu/fault.js';
import { invalidOpcode } from '../cpu/fault.js';
import { Cr0 } from '../cpu/registerBits.js';
import type {
  ColdSemantics,
  Fatal,
  InjectedEvent,
  MsrRow,
  PendingEvent,
  Processor,
  Virtualization,
} from '../cpu/seams.js';
import type { Instruction } from '../isa/instruction.js';
import { CR0_FIXED0, CR4_FIXED0 } from './capabilities.js';
import type { VmxHooks } from './context.js';
import { VmxContext, VmxOperation } from './context.js';
import { Secondary } from './controls.js';
import type { DescribedGroup } from './description.js';
import { describeVmcs } from './description.js';
import { EptResult, EptWalker } from './ept.js';
import type { EntryExplanation } from './entry/explain.js';
import { explainEntry } from './entry/explain.js';
import type { ExitCause } from './exit.js';
import { vmExit } from './exit.js';
import { ExitReason } from './exitReasons.js';
import { Field } from './fields.js';
import { virtualizationInstructions } from './instructions/index.js';
import { keepHostBits, viewControlRegister } from './intercepts/controlRegisters.js';
import {
  exceptionExit,
  pendingEventExit,
  taskSwitchExit,
  TaskSwitchSource,
  tripleFaultExit,
} from './intercepts/events.js';
import { semanticsName } from './intercepts/intercept.js';
import { interceptOf } from './intercepts/table.js';
import { vmxMsrs } from './msrs.js';
import { takeInjectedEvent } from './pendingEvents.js';
import { Vmcs } from './vmcs.js';

/** Bits of the qualification of an EPT violation beyond the access and the permissions (SDM 3C table 28-7). */
const LINEAR_ADDRESS_VALID = 1 << 7;
const FINAL_TRANSLATION = 1 << 8;
const PERMISSIONS_SHIFT = 3;
const ACCESS_BITS = 7;

/** EPTP bits 51:12: the physical address of the EPT PML4 table. */
const EPT_ROOT_MASK_LOW = 0xffff_f000;
const EPT_ROOT_MASK_HIGH = 0x000f_ffff;

const taskSwitchSources = {
  call: TaskSwitchSource.CALL,
  iret: TaskSwitchSource.IRET,
  jump: TaskSwitchSource.JMP,
  taskGate: TaskSwitchSource.TASK_GATE,
} as const;

export class Vmx implements Virtualization {
  /** VMXON to VMCALL, by semantics name of the instruction table. */
  readonly instructions: Readonly<Record<string, ColdSemantics>>;
  /** IA32_FEATURE_CONTROL and the capability MSRs. */
  readonly msrs: readonly MsrRow[];
  private readonly context: VmxContext;
  private readonly ept: EptWalker;

  constructor(processor: Processor, hooks: VmxHooks) {
    this.context = new VmxContext(processor, hooks);
    this.instructions = virtualizationInstructions(this.context);
    this.msrs = vmxMsrs();
    this.ept = new EptWalker(this.context.physical);
  }

  get inGuest(): boolean {
    return this.context.inGuest;
  }

  get aborted(): Fatal | undefined {
    return this.context.aborted;
  }

  /** Physical address of the current VMCS, or undefined. */
  get currentVmcs(): number | undefined {
    const { state } = this.context.processor;
    if (state.vmxOperation === VmxOperation.OUTSIDE || !this.context.hasCurrentVmcs) return undefined;
    return state.currentVmcs;
  }

  /** The VMCS at a physical address, or undefined when there is none of this processor's format. */
  vmcsAt(physicalAddress: number): Vmcs | undefined {
    const { memory } = this.context.processor;
    return Vmcs.isAt(memory, physicalAddress) ? new Vmcs(memory, physicalAddress) : undefined;
  }

  /** Every field of a VMCS by group, with its meaning; undefined where there is no VMCS. */
  describe(physicalAddress: number): readonly DescribedGroup[] | undefined {
    const vmcs = this.vmcsAt(physicalAddress);
    return vmcs && describeVmcs(vmcs);
  }

  /** Every violated rule of VM entry with this VMCS; undefined where there is no VMCS. */
  explainEntry(physicalAddress: number): EntryExplanation | undefined {
    const vmcs = this.vmcsAt(physicalAddress);
    return vmcs && explainEntry(vmcs, this.context.processor.state, this.context.physical);
  }

  stateReplaced(): void {
    this.context.stateReplaced();
  }

  // -------------------------------------------------------------- instructions

  faultInGuest(instruction: Instruction): Fault | undefined {
    if (!this.inGuest || semanticsName(instruction) !== 'rdtscp') return undefined;
    return this.context.secondary(Secondary.enableRdtscp) ? undefined : invalidOpcode();
  }

  interceptInstruction(instruction: Instruction): boolean {
    if (!this.inGuest) return false;
    const intercept = interceptOf(semanticsName(instruction));
    if (!intercept) return false;
    const exits = intercept.exits(this.context, instruction);
    if (exits === 'exited') return true;
    if (!exits) return false;
    vmExit(this.context, {
      reason: intercept.reason,
      instructionLength: instruction.length,
      ...intercept.details?.(this.context, instruction),
    });
    return true;
  }

  viewControlRegister(register: 0 | 4, value: bigint): bigint {
    return this.inGuest ? viewControlRegister(this.context, register, value) : value;
  }

  admitControlRegister(register: 0 | 4, value: bigint): bigint | undefined {
    const { state } = this.context.processor;
    if (state.vmxOperation === VmxOperation.OUTSIDE) return value;
    const current = register === 0 ? state.cr0 : state.cr4;
    const stored = this.inGuest ? keepHostBits(this.context, register, current, value) : value;
    const fixed = register === 4 ? CR4_FIXED0 : this.fixedCr0Bits();
    return (stored & fixed) === fixed ? stored : undefined;
  }

  /** SDM 3C 24.8: an unrestricted guest may clear PE and PG. */
  private fixedCr0Bits(): bigint {
    const unrestricted = this.inGuest && this.context.secondary(Secondary.unrestrictedGuest);
    return unrestricted ? CR0_FIXED0 & ~(Cr0.PE | Cr0.PG) : CR0_FIXED0;
  }

  // -------------------------------------------------------------- events

  interceptException(fault: Fault): boolean {
    return this.inGuest && this.exitFor(exceptionExit(this.context, fault));
  }

  interceptTripleFault(): boolean {
    return this.inGuest && this.exitFor(tripleFaultExit());
  }

  interceptPendingEvent(event: PendingEvent): boolean {
    return this.inGuest && this.exitFor(pendingEventExit(this.context, event));
  }

  interceptTaskSwitch(
    selector: number,
    source: keyof typeof taskSwitchSources,
    instructionLength: number,
  ): boolean {
    if (!this.inGuest) return false;
    return this.exitFor(taskSwitchExit(selector, taskSwitchSources[source], instructionLength));
  }

  private exitFor(cause: ExitCause | undefined): boolean {
    if (!cause) return false;
    vmExit(this.context, cause);
    return true;
  }

  takeInjectedEvent(): InjectedEvent | undefined {
    return this.inGuest ? takeInjectedEvent(this.context) : undefined;
  }

  beginDelivery(event: InjectedEvent): void {
    this.context.delivery = this.inGuest ? event : undefined;
  }

  endDelivery(): void {
    this.context.delivery = undefined;
  }

  // -------------------------------------------------------------- address translation

  get nestedPaging(): boolean {
    return this.inGuest && this.context.secondary(Secondary.enableEpt);
  }

  get translationContext(): number {
    return this.context.translationContext;
  }

  translate(guestPhysical: number, access: number, linear: bigint | undefined, pageWalk: boolean): number {
    const result = this.ept.walk(this.eptRoot(), guestPhysical, access);
    if (result === EptResult.TRANSLATED) return this.ept.physicalAddress;
    if (result === EptResult.MISCONFIGURATION) {
      vmExit(this.context, {
        reason: ExitReason.EPT_MISCONFIG,
        guestPhysicalAddress: guestPhysical,
        setsResumeFlag: true,
      });
      return -1;
    }
    const qualification =
      (access & ACCESS_BITS) |
      (this.ept.permissions << PERMISSIONS_SHIFT) |
      (linear === undefined ? 0 : LINEAR_ADDRESS_VALID | (pageWalk ? 0 : FINAL_TRANSLATION));
    vmExit(this.context, {
      reason: ExitReason.EPT_VIOLATION,
      qualification: BigInt(qualification),
      guestLinearAddress: linear,
      guestPhysicalAddress: guestPhysical,
      setsResumeFlag: true,
    });
    return -1;
  }

  probe(guestPhysical: number): number {
    if (!this.nestedPaging) return guestPhysical;
    return this.probeThrough(this.eptRoot(), guestPhysical);
  }

  /** Host-physical address through the EPT paging structures at `root`, or -1 where nothing is mapped. */
  probeThrough(root: number, guestPhysical: number): number {
    return this.ept.walk(root, guestPhysical, 0) === EptResult.TRANSLATED ? this.ept.physicalAddress : -1;
  }

  private eptRoot(): number {
    const { vmcs } = this.context;
    const high = vmcs.readHigh(Field.eptPointer) & EPT_ROOT_MASK_HIGH;
    return high * 2 ** 32 + ((vmcs.read32(Field.eptPointer) & EPT_ROOT_MASK_LOW) >>> 0);
  }
}

/**
 * Makes the VMX part of a processor. `processor.virtualization` is to become the result; only `processor.memory` and
 * `processor.state` are used before an instruction runs. The caller adds `instructions` to the cold semantics and `msrs` to the MSR table.
 */
export const createVmx = (processor: Processor, hooks: VmxHooks = {}): Vmx => new Vmx(processor, hooks);
