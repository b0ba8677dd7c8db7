/** Page tables of the worlds that do not run now, from a VMCS. */
import { Efer } from '../../emulator/cpu/registerBits.js';
import type { Machine, TranslationContext } from '../../emulator/machine/machineTypes.js';
import { Entry, Primary, Secondary } from '../../emulator/vmx/controls.js';
import type { VmcsFieldName } from '../../emulator/vmx/fields.js';
import { Field } from '../../emulator/vmx/fields.js';

const fieldsOf =
  (machine: Machine, vmcs: number) =>
  (name: VmcsFieldName): bigint =>
    machine.readVmcs(vmcs, Field[name].encoding) ?? 0n;

/** What a VM exit through this VMCS would load. */
export function hostTranslation(machine: Machine, vmcs: number): TranslationContext {
  const read = fieldsOf(machine, vmcs);
  return {
    cr0: read('hostCr0'),
    cr3: read('hostCr3'),
    cr4: read('hostCr4'),
    // SDM 3C 28.5.1: "host address-space size" sets LMA and LME; NXE stays unless EFER is loaded.
    efer: read('hostEfer') | machine.state.efer | Efer.LMA | Efer.LME,
    eptPointer: undefined,
  };
}

/** The guest's, with EPT where its controls enable it. */
export function guestTranslation(machine: Machine, vmcs: number): TranslationContext {
  const read = fieldsOf(machine, vmcs);
  const ia32eMode = (Number(read('vmEntryControls')) & Entry.ia32eModeGuest) !== 0;
  const hasSecondary = (Number(read('primaryProcBasedControls')) & Primary.activateSecondaryControls) !== 0;
  const secondary = hasSecondary ? Number(read('secondaryProcBasedControls')) : 0;
  return {
    cr0: read('guestCr0'),
    cr3: read('guestCr3'),
    cr4: read('guestCr4'),
    efer: ia32eMode ? read('guestEfer') | Efer.LMA | Efer.LME : read('guestEfer') & ~Efer.LMA,
    eptPointer: (secondary & Secondary.enableEpt) !== 0 ? read('eptPointer') : undefined,
  };
}
