/** What the parts of VMX share: the processor that they belong to, the current VMCS, the observers. */
import { readRflags, writeRflags } from '../cpu/flags.js';
import type { Fatal, Processor } from '../cpu/seams.js';
import type { EntryFailure, WorldSwitch } from '../machine/worldSwitch.js';
import type { AllowedSettings } from './capabilities.js';
import { allowedSettings } from './capabilities.js';
import { entryControls, exitControls, pinBased, Primary, primary, secondary } from './controls.js';
import { Field } from './fields.js';
import { PhysicalMemory } from './physicalMemory.js';
import { TranslationContexts } from './translationContexts.js';
import { NO_VMCS, Vmcs } from './vmcs.js';

/** Values of `vmxOperation` in the processor state. */
export const VmxOperation = { OUTSIDE: 0, ROOT: 1, NON_ROOT: 2 } as const;

/** MSRs by number, for the MSR lists of VM entry and VM exit. */
export interface MsrAccess {
  /** The value, or undefined where RDMSR would raise #GP. */
  read(index: number): bigint | undefined;
  /** False where WRMSR would raise #GP. */
  write(index: number, value: bigint): boolean;
}

/** The parts of the processor that VMX works on. */
export type VmxProcessor = Pick<
  Processor,
  'memory' | 'state' | 'linear' | 'engine' | 'apic' | 'clock' | 'contextChanged' | 'flushTlb'
>;

/** Observers; an absent one costs nothing. */
export interface VmxHooks {
  onWorldSwitch?: ((event: WorldSwitch) => void) | undefined;
  onEntryFailure?: ((failure: EntryFailure) => void) | undefined;
  /** Retired instructions since reset. */
  position(): number;
}

/** The settings that the TRUE capability MSRs allow, by control field. */
export const allowed = {
  pin: allowedSettings(pinBased),
  primary: allowedSettings(primary),
  secondary: allowedSettings(secondary),
  exit: allowedSettings(exitControls),
  entry: allowedSettings(entryControls),
} satisfies Record<string, AllowedSettings>;

export class VmxContext {
  readonly physical: PhysicalMemory;
  readonly translations = new TranslationContexts();
  /** Set by a VMX abort (SDM 3C 28.7): the processor is in shutdown. */
  aborted: Fatal | undefined;
  private current: Vmcs;

  constructor(
    readonly processor: VmxProcessor,
    readonly msrs: MsrAccess,
    readonly hooks: VmxHooks,
  ) {
    this.physical = new PhysicalMemory(processor.memory);
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

  get rflags(): bigint {
    return readRflags(this.processor.memory);
  }

  set rflags(value: bigint) {
    writeRflags(this.processor.memory, value);
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
}
