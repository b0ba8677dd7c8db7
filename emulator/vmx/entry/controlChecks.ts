/** Checks on the VMX controls, SDM 3C 27.2.1: a violation is VMfailValid with error 7. */
import { Cr0 } from '../../cpu/registerBits.js';
import { CR3_TARGET_COUNT, VM_FUNCTIONS } from '../capabilities.js';
import {
  entryControls,
  exitControls,
  Exit,
  Pin,
  pinBased,
  Primary,
  primary,
  Secondary,
  secondary,
} from '../controls.js';
import { Field } from '../fields.js';
import {
  decodeInterruption,
  exceptionHasErrorCode,
  InterruptionType,
  isSoftwareEvent,
  isValidInterruption,
} from '../interruption.js';
import { isPhysicalAddress } from '../physicalMemory.js';
import { apicRules } from './apicChecks.js';
import { EXECUTION, msrList, pageAddress, reservedBits } from './controlRules.js';
import type { EntryRule, EntryView } from './rules.js';
import { mustHold } from './rules.js';

const EXIT = '27.2.1.2';
const ENTRY = '27.2.1.3';

interface EptPointerFormat {
  readonly id: string;
  readonly wording: string;
  readonly expected: string;
  readonly holds: (pointer: bigint) => boolean;
}

/** SDM 3C table 25-9 and section 27.2.1.1: the format of the EPT pointer. */
const eptPointerFormat: readonly EptPointerFormat[] = [
  {
    id: 'memoryType',
    wording: 'the EPT memory type (bits 2:0) must be supported.',
    expected: 'memory type 0 (UC) or 6 (WB)',
    holds: (pointer) => [0n, 6n].includes(pointer & 7n),
  },
  {
    id: 'pageWalkLength',
    wording: 'bits 5:3 must be 3: a page-walk length of 4.',
    expected: 'page-walk length 4',
    holds: (pointer) => ((pointer >> 3n) & 7n) === 3n,
  },
  {
    id: 'reserved',
    wording: 'reserved bits 11:7 and bits beyond the physical-address width must be 0.',
    expected: 'reserved bits clear',
    holds: (pointer) => isPhysicalAddress(pointer) && (pointer & 0xf80n) === 0n,
  },
];

/** Would VM entry refuse this EPT pointer? */
export const eptPointerViolation = (pointer: bigint): boolean =>
  eptPointerFormat.some(({ holds }) => !holds(pointer));

const eptPointerRules: readonly EntryRule[] = eptPointerFormat.map(({ id, wording, expected, holds }) => ({
  id: `controls.eptPointer.${id}`,
  section: EXECUTION,
  wording: `If "enable EPT" is 1: ${wording}`,
  check: (entry) => {
    if (!(entry.secondary & Secondary.enableEpt)) return undefined;
    const pointer = entry.value(Field.eptPointer);
    return mustHold(holds(pointer), expected, pointer);
  },
}));

const switchesEptp = (entry: EntryView): boolean =>
  (entry.secondary & Secondary.enableVmFunctions) !== 0 &&
  (entry.value(Field.vmFunctionControls) & VM_FUNCTIONS) !== 0n;

/** A control that may be 1 only together with "enable EPT". */
const needsEpt = (id: string, name: string, control: number): EntryRule => ({
  id: `controls.${id}.ept`,
  section: EXECUTION,
  wording: `If "${name}" is 1, "enable EPT" must be 1.`,
  check: (entry) =>
    entry.secondary & control
      ? mustHold((entry.secondary & Secondary.enableEpt) !== 0, '"enable EPT" 1', entry.secondary)
      : undefined,
});

const executionRules: readonly EntryRule[] = [
  reservedBits(EXECUTION, pinBased, (entry) => entry.pin),
  reservedBits(EXECUTION, primary, (entry) => entry.primary),
  reservedBits(
    EXECUTION,
    secondary,
    (entry) => entry.secondary,
    (entry) => (entry.primary & Primary.activateSecondaryControls) !== 0,
  ),
  {
    id: 'controls.cr3TargetCount',
    section: EXECUTION,
    wording: 'The CR3-target count must not be greater than 4.',
    check: (entry) => {
      const count = entry.number(Field.cr3TargetCount);
      return mustHold(count <= CR3_TARGET_COUNT, `at most ${CR3_TARGET_COUNT}`, count);
    },
  },
  pageAddress(Field.ioBitmapA, 'use I/O bitmaps', (entry) => (entry.primary & Primary.useIoBitmaps) !== 0),
  pageAddress(Field.ioBitmapB, 'use I/O bitmaps', (entry) => (entry.primary & Primary.useIoBitmaps) !== 0),
  pageAddress(Field.msrBitmap, 'use MSR bitmaps', (entry) => (entry.primary & Primary.useMsrBitmaps) !== 0),
  ...apicRules,
  {
    id: 'controls.virtualNmis',
    section: EXECUTION,
    wording: 'If "NMI exiting" is 0, "virtual NMIs" must be 0.',
    check: (entry) =>
      mustHold(
        (entry.pin & Pin.nmiExiting) !== 0 || (entry.pin & Pin.virtualNmis) === 0,
        '"virtual NMIs" 0 or "NMI exiting" 1',
        entry.pin,
      ),
  },
  {
    id: 'controls.nmiWindowExiting',
    section: EXECUTION,
    wording: 'If "virtual NMIs" is 0, "NMI-window exiting" must be 0.',
    check: (entry) =>
      mustHold(
        (entry.pin & Pin.virtualNmis) !== 0 || (entry.primary & Primary.nmiWindowExiting) === 0,
        '"NMI-window exiting" 0 or "virtual NMIs" 1',
        entry.primary,
      ),
  },
  {
    id: 'controls.vpid',
    section: EXECUTION,
    wording: 'If "enable VPID" is 1, the VPID must not be 0000H.',
    check: (entry) =>
      entry.secondary & Secondary.enableVpid
        ? mustHold(entry.number(Field.virtualProcessorIdentifier) !== 0, 'a VPID that is not 0', 0)
        : undefined,
  },
  ...eptPointerRules,
  {
    id: 'controls.unrestrictedGuest',
    section: EXECUTION,
    wording: 'If "unrestricted guest" is 1, "enable EPT" must be 1.',
    check: (entry) =>
      mustHold(
        !(entry.secondary & Secondary.unrestrictedGuest) || (entry.secondary & Secondary.enableEpt) !== 0,
        '"enable EPT" 1',
        entry.secondary,
      ),
  },
  {
    id: 'controls.vmFunctionControls.reserved',
    section: EXECUTION,
    wording: 'If "enable VM functions" is 1, reserved bits in the VM-function controls must be 0.',
    check: (entry) => {
      if (!(entry.secondary & Secondary.enableVmFunctions)) return undefined;
      const functions = entry.value(Field.vmFunctionControls);
      return mustHold(
        (functions & ~VM_FUNCTIONS) === 0n,
        `no bit outside 0x${VM_FUNCTIONS.toString(16)}`,
        functions,
      );
    },
  },
  {
    id: 'controls.eptpSwitching.ept',
    section: EXECUTION,
    wording: 'If "EPTP switching" is 1, "enable EPT" must be 1.',
    check: (entry) =>
      mustHold(
        !switchesEptp(entry) || (entry.secondary & Secondary.enableEpt) !== 0,
        '"enable EPT" 1',
        entry.secondary,
      ),
  },
  pageAddress(Field.eptpListAddress, 'EPTP switching', switchesEptp),
  ...[Field.vmreadBitmap, Field.vmwriteBitmap].map((bitmap) =>
    pageAddress(bitmap, 'VMCS shadowing', (entry) => (entry.secondary & Secondary.vmcsShadowing) !== 0),
  ),
  pageAddress(
    Field.virtualizationExceptionInformationAddress,
    'EPT-violation #VE',
    (entry) => (entry.secondary & Secondary.eptViolationVe) !== 0,
  ),
  needsEpt('enablePml', 'enable PML', Secondary.enablePml),
  pageAddress(Field.pmlAddress, 'enable PML', (entry) => (entry.secondary & Secondary.enablePml) !== 0),
  needsEpt(
    'modeBasedExecuteControl',
    'mode-based execute control for EPT',
    Secondary.modeBasedExecuteControl,
  ),
];

const exitRules: readonly EntryRule[] = [
  reservedBits(EXIT, exitControls, (entry) => entry.exit),
  {
    id: 'controls.savePreemptionTimer',
    section: EXIT,
    wording: 'If "activate VMX-preemption timer" is 0, "save VMX-preemption timer value" must be 0.',
    check: (entry) =>
      mustHold(
        (entry.pin & Pin.activatePreemptionTimer) !== 0 || (entry.exit & Exit.savePreemptionTimer) === 0,
        '"save VMX-preemption timer value" 0 or "activate VMX-preemption timer" 1',
        entry.exit,
      ),
  },
  ...msrList(EXIT, Field.vmExitMsrStoreAddress, Field.vmExitMsrStoreCount),
  ...msrList(EXIT, Field.vmExitMsrLoadAddress, Field.vmExitMsrLoadCount),
];

/** A rule about the event to inject; it does not apply while the valid bit is 0. */
const injection = (
  id: string,
  wording: string,
  check: (entry: EntryView, event: ReturnType<typeof decodeInterruption>) => ReturnType<EntryRule['check']>,
): EntryRule => ({
  id: `controls.injection.${id}`,
  section: ENTRY,
  wording,
  check: (entry) =>
    isValidInterruption(entry.interruption)
      ? check(entry, decodeInterruption(entry.interruption))
      : undefined,
});

const entryRules: readonly EntryRule[] = [
  reservedBits(ENTRY, entryControls, (entry) => entry.entry),
  injection('type', 'The interruption type must not be reserved (1).', (entry, { type }) =>
    mustHold(type !== InterruptionType.RESERVED, 'a type other than 1', entry.interruption),
  ),
  injection('nmiVector', 'If the interruption type is NMI, the vector must be 2.', (_, { type, vector }) =>
    mustHold(type !== InterruptionType.NMI || vector === 2, 'vector 2', vector),
  ),
  injection(
    'exceptionVector',
    'If the interruption type is hardware exception, the vector must be at most 31.',
    (_, { type, vector }) =>
      mustHold(
        type !== InterruptionType.HARDWARE_EXCEPTION || vector <= 31,
        'a vector of at most 31',
        vector,
      ),
  ),
  injection(
    'otherEventVector',
    'If the interruption type is other event, the vector must be 0 (pending MTF VM exit).',
    (_, { type, vector }) =>
      mustHold(type !== InterruptionType.OTHER_EVENT || vector === 0, 'vector 0', vector),
  ),
  injection(
    'deliverErrorCode',
    'The deliver-error-code bit must be 1 exactly for hardware exceptions that have an error code, and 0 for a guest with CR0.PE = 0.',
    (entry, { type, vector, hasErrorCode }) => {
      const protectedMode =
        !(entry.secondary & Secondary.unrestrictedGuest) || (entry.value(Field.guestCr0) & Cr0.PE) !== 0n;
      const expected =
        type === InterruptionType.HARDWARE_EXCEPTION && protectedMode && exceptionHasErrorCode(vector);
      return mustHold(
        hasErrorCode === expected,
        () => `bit 11 ${expected ? 'set' : 'clear'}`,
        entry.interruption,
      );
    },
  ),
  injection('reserved', 'Reserved bits 30:12 of the interruption-information field must be 0.', (entry) =>
    mustHold((entry.interruption & 0x7fff_f000) === 0, 'bits 30:12 clear', entry.interruption),
  ),
  injection(
    'errorCode',
    'If the deliver-error-code bit is 1, bits 31:16 of the error code must be 0.',
    (entry, { hasErrorCode }) => {
      const code = entry.number(Field.vmEntryExceptionErrorCode);
      return mustHold(!hasErrorCode || code >>> 16 === 0, 'bits 31:16 clear', code);
    },
  ),
  injection(
    'instructionLength',
    'For software interrupts and exceptions, the instruction length must be 1 to 15.',
    (entry, { type }) => {
      const length = entry.number(Field.vmEntryInstructionLength);
      return mustHold(!isSoftwareEvent(type) || (length >= 1 && length <= 15), '1 to 15', length);
    },
  ),
  ...msrList(ENTRY, Field.vmEntryMsrLoadAddress, Field.vmEntryMsrLoadCount),
];

/** In the manual's order. */
export const controlChecks: readonly EntryRule[] = [...executionRules, ...exitRules, ...entryRules];
