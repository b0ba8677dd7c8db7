/** Intel VMX of one processor: composition of the tables and parts of this folder behind the processor's seam. */
import type { Fault } from '../cpu/fault.js';
import { invalidOpcode } from '../cpu/fault.js';
import type {
  ColdSemantics,
  Fatal,
  GuestAccess,
  InjectedEvent,
  MsrRow,
  PendingEvent,
  Processor,
  Virtualization,
} from '../cpu/seams.js';
import { Activity, Cr0, Interruptibility, Rflags } from '../cpu/registerBits.js';
import type { Instruction } from '../isa/instruction.js';
import { accessApicPage, apicAccessPage } from './apic/apicAccess.js';
import { emulateApicWrite, NO_APIC_WRITE } from './apic/apicWrite.js';
import type { VirtualApic } from './apic/virtualApic.js';
import { VirtualInterrupt, VirtualRegister } from './apic/virtualApic.js';
import { readX2apicMsr, writeX2apicMsr } from './apic/x2apicMsrs.js';
import { CR0_FIXED0, CR4_FIXED0 } from './capabilities.js';
import type { VmxHooks } from './context.js';
import { VmxContext, VmxOperation } from './context.js';
import { Primary, Secondary } from './controls.js';
import type { DescribedGroup } from './description.js';
import { describeVmcs } from './description.js';
import { EptTranslation } from './eptTranslation.js';
import type { EntryExplanation } from './entry/explain.js';
import { explainEntry } from './entry/explain.js';
import type { ExitCause } from './exit.js';
import { vmExit } from './exit.js';
import { virtualizationInstructions } from './instructions/index.js';
import { keepHostBits, viewControlRegister } from './intercepts/controlRegisters.js';
import {
  exceptionExit,
  monitorTrapExit,
  pendingEventExit,
  taskSwitchExit,
  TaskSwitchSource,
  tripleFaultExit,
} from './intercepts/events.js';
import { semanticsName } from './intercepts/intercept.js';
import { interceptOf } from './intercepts/table.js';
import { vmxMsrs } from './msrs.js';
import { takeInjectedEvent } from './pendingEvents.js';
import { preemptionDeadline } from './preemptionTimer.js';
import { Vmcs } from './vmcs.js';

const taskSwitchSources = {
  call: TaskSwitchSource.CALL,
  iret: TaskSwitchSource.IRET,
  jump: TaskSwitchSource.JMP,
  taskGate: TaskSwitchSource.TASK_GATE,
} as const;

/** Instructions that "enable RDTSCP" allows (SDM 3C 26.3). */
const NEED_RDTSCP: ReadonlySet<string> = new Set(['rdtscp', 'rdpid']);

export class Vmx implements Virtualization {
  /** VMXON to VMCALL, by semantics name of the instruction table. */
  readonly instructions: Readonly<Record<string, ColdSemantics>>;
  /** IA32_FEATURE_CONTROL and the capability MSRs. */
  readonly msrs: readonly MsrRow[];
  private readonly context: VmxContext;
  private readonly ept: EptTranslation;
  private readonly virtualApic: VirtualApic;

  constructor(processor: Processor, hooks: VmxHooks) {
    this.context = new VmxContext(processor, hooks);
    this.instructions = virtualizationInstructions(this.context);
    this.msrs = vmxMsrs();
    this.ept = new EptTranslation(this.context);
    this.virtualApic = this.context.virtualApic;
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
    if (!this.inGuest || !NEED_RDTSCP.has(semanticsName(instruction))) return undefined;
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
    if (!this.inGuest) return false;
    const exit = pendingEventExit(this.context, event);
    return exit === 'handled' || this.exitFor(exit);
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

  takeVirtualInterrupt(): number {
    const { state } = this.context.processor;
    if (state.virtualInterrupt !== VirtualInterrupt.RECOGNIZED) return -1;
    const deliverable =
      (state.rflagsSystem & Rflags.IF) !== 0n &&
      (state.interruptibility & (Interruptibility.STI | Interruptibility.MOV_SS)) === 0 &&
      state.activity <= Activity.HLT;
    return deliverable ? this.virtualApic.take() : -1;
  }

  get stepsInstructions(): boolean {
    return this.inGuest && this.context.primary(Primary.monitorTrapFlag);
  }

  interceptBoundary(debugTrap: bigint): boolean {
    return this.finishApicWrite() || (this.stepsInstructions && this.exitFor(monitorTrapExit(debugTrap)));
  }

  get deadline(): number {
    return preemptionDeadline(this.context);
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

  // -------------------------------------------------------------- the virtual APIC

  private get tprShadow(): boolean {
    return this.inGuest && this.context.primary(Primary.useTprShadow);
  }

  readTaskPriority(): number | undefined {
    return this.tprShadow ? this.virtualApic.read(VirtualRegister.VTPR) & 0xff : undefined;
  }

  writeTaskPriority(value: number): boolean {
    if (!this.tprShadow) return false;
    this.virtualApic.write(VirtualRegister.VTPR, value);
    this.apicWritten(VirtualRegister.VTPR);
    return true;
  }

  readMsr(index: number): bigint | undefined {
    return this.inGuest ? readX2apicMsr(this.context, this.virtualApic, index) : undefined;
  }

  writeMsr(index: number, value: bigint): 'written' | Fault | undefined {
    if (!this.inGuest) return undefined;
    const written = writeX2apicMsr(this.context, this.virtualApic, index, value);
    if (typeof written !== 'number') return written;
    this.apicWritten(written);
    return 'written';
  }

  get apicAccessPage(): number {
    return apicAccessPage(this.context);
  }

  accessApicPage(offset: number, size: number, access: number): number {
    return accessApicPage(this.context, offset, size, access);
  }

  apicWritten(offset: number): void {
    this.context.apicWrite = offset;
    // What follows happens at the next instruction boundary.
    this.context.processor.engine.requestReturn();
  }

  private finishApicWrite(): boolean {
    const offset = this.context.apicWrite;
    if (!this.inGuest || offset === NO_APIC_WRITE) return false;
    this.context.apicWrite = NO_APIC_WRITE;
    return this.exitFor(emulateApicWrite(this.virtualApic, offset));
  }

  // -------------------------------------------------------------- address translation

  get nestedPaging(): boolean {
    return this.inGuest && this.context.secondary(Secondary.enableEpt);
  }

  get translationContext(): number {
    return this.context.translationContext;
  }

  translate(guestPhysical: number, access: number, how: GuestAccess | undefined): number {
    return this.ept.translate(guestPhysical, access, how);
  }

  probe(guestPhysical: number): number {
    return this.nestedPaging ? this.ept.probe(guestPhysical) : guestPhysical;
  }

  /** Host-physical address through the EPT paging structures at `root`, or -1 where nothing is mapped. */
  probeThrough(root: number, guestPhysical: number): number {
    return this.ept.probeThrough(root, guestPhysical);
  }
}

/**
 * Makes the VMX part of a processor. `processor.virtualization` is to become the result; only `processor.memory` and
 * `processor.state` are used before an instruction runs. The caller adds `instructions` to the cold semantics and `msrs` to the MSR table.
 */
export const createVmx = (processor: Processor, hooks: VmxHooks = {}): Vmx => new Vmx(processor, hooks);
