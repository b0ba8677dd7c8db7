/** Valid states that the tests of VM entry start from, and how they change a VMCS. */
import { Cr0, Cr4, Rflags, SegmentAccess } from '../cpu/registerBits.js';
import { Entry, Exit, Pin, Primary, Secondary } from '../vmx/controls.js';
import type { VmcsFieldName } from '../vmx/fields.js';
import { Field } from '../vmx/fields.js';
import { guestSegments } from '../vmx/segmentFields.js';
import type { Fixture } from './vmxFixture.js';
import { createFixture } from './vmxFixture.js';

export type Change = (fixture: Fixture) => void;

export const NON_CANONICAL = 0x0000_8000_0000_0000n;
export const BEYOND = 1n << 40n;
export const EPT_POINTER = 0x4000n | (3n << 3n) | 6n;
const INJECT = 0x8000_0000;

export const set =
  (name: VmcsFieldName, value: bigint | number): Change =>
  ({ vmcs }) =>
    vmcs.write(Field[name], BigInt(value));
export const turnOn =
  (name: VmcsFieldName, bits: bigint | number): Change =>
  ({ vmcs }) =>
    vmcs.write(Field[name], vmcs.read(Field[name]) | BigInt(bits));
export const turnOff =
  (name: VmcsFieldName, bits: bigint | number): Change =>
  ({ vmcs }) =>
    vmcs.write(Field[name], vmcs.read(Field[name]) & ~BigInt(bits));
export const both =
  (...changes: Change[]): Change =>
  (fixture) => {
    for (const change of changes) change(fixture);
  };

// -------------------------------------------------------------- states that other rules apply to

export const useSecondary = (controls: number): Change =>
  both(
    turnOn('primaryProcBasedControls', Primary.activateSecondaryControls),
    turnOn('secondaryProcBasedControls', controls),
  );
export const tprShadow = both(
  turnOn('primaryProcBasedControls', Primary.useTprShadow),
  set('virtualApicAddress', 0xb000),
);
export const postedInterrupts = both(
  tprShadow,
  useSecondary(Secondary.virtualInterruptDelivery),
  turnOn('pinBasedControls', Pin.externalInterruptExiting | Pin.processPostedInterrupts),
  turnOn('vmExitControls', Exit.acknowledgeInterruptOnExit),
);
export const useEpt = both(useSecondary(Secondary.enableEpt), set('eptPointer', EPT_POINTER));
export const unrestricted = both(useEpt, useSecondary(Secondary.unrestrictedGuest));
export const inject = (information: number, errorCode = 0, length = 0): Change =>
  both(
    set('vmEntryInterruptionInformation', (INJECT | information) >>> 0),
    set('vmEntryExceptionErrorCode', errorCode),
    set('vmEntryInstructionLength', length),
  );
export const injectInterrupt = both(inject(0x30), turnOn('guestRflags', Rflags.IF));

/** A guest outside IA-32e mode, with paging off. */
export const unpaged32 = both(
  unrestricted,
  turnOff('vmEntryControls', Entry.ia32eModeGuest),
  turnOff('guestCr0', Cr0.PG),
  turnOff('guestCsAccessRights', SegmentAccess.L),
);
/** A guest with 32-bit paging. */
export const protected32 = both(
  turnOff('vmEntryControls', Entry.ia32eModeGuest),
  turnOff('guestCr4', Cr4.PAE),
  turnOff('guestCsAccessRights', SegmentAccess.L),
);
export const virtual8086 = both(protected32, turnOn('guestRflags', Rflags.VM), ({ vmcs }) => {
  for (const { name, selector, base, limit, rights } of guestSegments) {
    if (name === 'tr' || name === 'ldtr') continue;
    vmcs.write32(selector, 0x1234);
    vmcs.write(base, 0x1_2340n);
    vmcs.write32(limit, 0xffff);
    vmcs.write32(rights, 0xf3);
  }
});
export const paeGuest = both(
  useEpt,
  turnOff('vmEntryControls', Entry.ia32eModeGuest),
  turnOff('guestCsAccessRights', SegmentAccess.L),
);
export const host32 = both(
  ({ processor }) => void (processor.state.efer = 0n),
  turnOff('vmExitControls', Exit.hostAddressSpaceSize),
  set('hostSsSelector', 0x10),
  protected32,
);
export const usableLdtr = both(
  set('guestLdtrAccessRights', SegmentAccess.P | 2),
  set('guestLdtrLimit', 0xffff),
);

/** A valid VMCS that is current, changed. */
export const prepared = (change: Change): Fixture => {
  const fixture = createFixture();
  fixture.makeCurrent();
  change(fixture);
  return fixture;
};
