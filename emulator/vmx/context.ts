/** What the parts of VMX share: the processor that they belong to, the current VMCS, the observers. */
import { readRflags, writeRflags } from '../cpu/flags.js';
import type { Fatal, InjectedEvent, Processor } from '../cpu/seams.js';
import type { EntryFailure, VmcsAccess, WorldSwitch } from '../machine/worldSwitch.js';
import { NO_APIC_WRITE } from './apic/apicWrite.js';
import { VirtualApic } from './apic/virtualApic.js';
import { Primary, Secondary } from './controls.js';
import { PassedChecks } from './entry/passedChecks.js';
import { Field } from './fields.js';
import { PhysicalMemory } from './physicalMemory.js';
import { ROOT_CONTEXT, TranslationContexts } from './translationContexts.js';
import { NO_LINK, NO_VMCS, Vmcs } from './vmcs.js';

/** Values of `vmxOperation` in the processor state. */
export const VmxOperation = { OUTSIDE: 0, ROOT: 1, NON_ROOT: 2 } as const;

/** Observers; an absent one costs nothing. */
export interface VmxHooks {
  onWorldSwitch?: ((event: WorldSwitch) => void) | undefined;
  onEntryFailure?: ((failure: EntryFailure) => void) | undefined;
  onVmcsAccess?: ((access: VmcsAccess) => void) | undefined;
}

export class VmxContext {
  readonly physical: PhysicalMemory;
  readonly translations = new TranslationContexts();
  /** Set by a VMX abort (SDM 3C 28.7): the processor is in shutdown. */
  aborted: Fatal | undefined;
  /** The event on its way through the IDT, or undefined: what IDT-vectoring information is made of. */
  delivery: InjectedEvent | undefined;
  readonly passedChecks: PassedChecks;
  readonly virtualApic = new VirtualApic(this);
  /** Offset of the virtual APIC register that the operation under way has written. */
  apicWrite = NO_APIC_WRITE;
  private current: Vmcs;
  /** TLB tag of the running guest; undefined: to be looked up. */
  private guestContext: number | undefined;

  constructor(
    readonly processor: Processor,
    readonly hooks: VmxHooks,
  ) {
    this.physical = new PhysicalMemory(processor.memory);
    this.passedChecks = new PassedChecks(processor.memory);
    this.current = new Vmcs(processor.memory, 0);
  }

  get inGuest(): boolean {
    return this.processor.state.vmxOperation === VmxOperation.NON_ROOT;
  }

  get hasCurrentVmcs(): boolean {
    return this.processor.state.currentVmcs !== NO_VMCS;
  }

  /** The current VMCS; only meaningful while `hasCurrentVmcs`. */
  get vmcs(): Vmcs {
    // The pointer is processor state, which a restored snapshot changes behind this object's back.
    const pointer = this.processor.state.currentVmcs;
    if (this.current.physicalAddress !== pointer) this.current = new Vmcs(this.processor.memory, pointer);
    return this.current;
  }

  /**
   * The VMCS that VMREAD and VMWRITE access: the current one, in the guest the shadow VMCS at the link pointer.
   * undefined: there is none, which is VMfailInvalid.
   */
  get accessedVmcs(): Vmcs | undefined {
    if (!this.hasCurrentVmcs) return undefined;
    if (!this.inGuest) return this.vmcs;
    const link = this.vmcs.read(Field.vmcsLinkPointer);
    return link === NO_LINK ? undefined : new Vmcs(this.processor.memory, Number(link));
  }

  get rflags(): bigint {
    return readRflags(this.processor.state);
  }

  set rflags(value: bigint) {
    writeRflags(this.processor.state, value);
  }

  /** Is this pin-based control 1 in the current VMCS? */
  pin(control: number): boolean {
    return (this.vmcs.read32(Field.pinBasedControls) & control) !== 0;
  }

  /** Is this primary processor-based control 1 in the current VMCS? */
  primary(control: number): boolean {
    return (this.vmcs.read32(Field.primaryProcBasedControls) & control) !== 0;
  }

  /** Is this secondary processor-based control 1 in the current VMCS, and are they activated? */
  secondary(control: number): boolean {
    return (
      this.primary(Primary.activateSecondaryControls) &&
      (this.vmcs.read32(Field.secondaryProcBasedControls) & control) !== 0
    );
  }

  /** Is this VM-exit control 1 in the current VMCS? */
  exit(control: number): boolean {
    return (this.vmcs.read32(Field.vmExitControls) & control) !== 0;
  }

  /** Is this VM-entry control 1 in the current VMCS? */
  entry(control: number): boolean {
    return (this.vmcs.read32(Field.vmEntryControls) & control) !== 0;
  }

  // -------------------------------------------------------------- address spaces

  /** TLB tag of the address space in use. */
  get translationContext(): number {
    if (!this.inGuest) return ROOT_CONTEXT;
    this.guestContext ??= this.selectGuestContext();
    return this.guestContext;
  }

  private selectGuestContext(): number {
    if (!this.secondary(Secondary.enableVpid)) return this.translations.fresh();
    const eptPointer = this.secondary(Secondary.enableEpt) ? this.vmcs.read(Field.eptPointer) : 0n;
    return this.translations.select(this.vmcs.read32(Field.virtualProcessorIdentifier), eptPointer);
  }

  /** VMX root operation begins. */
  leaveGuestContext(): void {
    this.guestContext = undefined;
  }

  /** Processor state and memory were replaced (a snapshot): what was derived from them is void. */
  stateReplaced(): void {
    this.guestContext = undefined;
    this.delivery = undefined;
    this.apicWrite = NO_APIC_WRITE;
    this.aborted = undefined;
  }
}
