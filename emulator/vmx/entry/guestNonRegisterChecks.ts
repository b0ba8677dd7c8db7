/** Checks on guest non-register state and page-directory-pointer-table entries: SDM 3C 27.3.1.5 and 27.3.1.6. */
import { Activity, Cr0, Cr4, Interruptibility, Rflags } from '../../cpu/registerBits.js';
import { isValidPdpte } from '../../cpu/pdpte.js';
import { VMCS_REVISION } from '../capabilities.js';
import { Entry, Pin, Secondary } from '../controls.js';
import { Field } from '../fields.js';
import type { Interruption } from '../interruption.js';
import { decodeInterruption, InterruptionType, isValidInterruption } from '../interruption.js';
import { isPhysicalAddress } from '../physicalMemory.js';
import { DEBUGCTL_BTF } from '../processorLimits.js';
import { segmentDpl } from '../segmentFormat.js';
import { readPdptes } from '../pdptes.js';
import { NO_LINK } from '../vmcs.js';
import type { EntryRule, EntryView, Violation } from './rules.js';
import { hex, mustHold } from './rules.js';

const SECTION = '27.3.1.5';
const PDPTES = '27.3.1.6';

/** Exit qualifications of a failed entry, SDM 3C 28.2.1 and 27.8. */
const EntryQualification = { PDPTE: 2, LINK_POINTER: 4 } as const;

const interruptibility = (entry: EntryView): number => entry.number(Field.guestInterruptibilityState);
const activity = (entry: EntryView): number => entry.number(Field.guestActivityState);
const rflags = (entry: EntryView): bigint => entry.value(Field.guestRflags);

const EVENT_BLOCKING = Interruptibility.STI | Interruptibility.MOV_SS;

const rule = (
  id: string,
  wording: string,
  check: (entry: EntryView) => Violation | undefined,
): EntryRule => ({ id: `guest.${id}`, section: SECTION, wording, check });

/** A rule that applies while an event is injected. */
const injecting = (
  id: string,
  wording: string,
  check: (entry: EntryView, event: Interruption) => Violation | undefined,
): EntryRule =>
  rule(id, wording, (entry) =>
    isValidInterruption(entry.interruption)
      ? check(entry, decodeInterruption(entry.interruption))
      : undefined,
  );

// -------------------------------------------------------------- activity state

const isException = (event: Interruption, ...vectors: number[]): boolean =>
  event.type === InterruptionType.HARDWARE_EXCEPTION && vectors.includes(event.vector);

const isPendingMonitorTrap = (event: Interruption): boolean =>
  event.type === InterruptionType.OTHER_EVENT && event.vector === 0;

/** May this event be injected in the HLT state: it would wake the processor. */
const wakesFromHlt = (event: Interruption): boolean =>
  event.type === InterruptionType.EXTERNAL_INTERRUPT ||
  event.type === InterruptionType.NMI ||
  isException(event, 1, 18) ||
  isPendingMonitorTrap(event);

/** May this event be injected in the shutdown state? */
const wakesFromShutdown = (event: Interruption): boolean =>
  event.type === InterruptionType.NMI || isException(event, 18);

const activityRules: readonly EntryRule[] = [
  rule(
    'activityState.supported',
    'The activity state must be one that IA32_VMX_MISC reports: 0 to 3.',
    (entry) =>
      mustHold(
        activity(entry) <= Activity.WAIT_FOR_SIPI,
        'active (0), HLT (1), shutdown (2) or wait-for-SIPI (3)',
        activity(entry),
      ),
  ),
  rule('activityState.hlt', 'The activity state must not be HLT if SS.DPL is not 0.', (entry) => {
    const dpl = segmentDpl(entry.number(Field.guestSsAccessRights));
    return mustHold(
      activity(entry) !== Activity.HLT || dpl === 0,
      'SS.DPL 0 in the HLT state',
      () => `SS.DPL ${dpl}`,
    );
  }),
  rule(
    'activityState.blocking',
    'The activity state must be active if there is blocking by STI or by MOV SS.',
    (entry) =>
      mustHold(
        !(interruptibility(entry) & EVENT_BLOCKING) || activity(entry) === Activity.ACTIVE,
        'active (0)',
        activity(entry),
      ),
  ),
  injecting(
    'activityState.injection',
    'The injected event must be one that the activity state admits.',
    (entry, event) => {
      const state = activity(entry);
      const admitted =
        state === Activity.ACTIVE ||
        (state === Activity.HLT && wakesFromHlt(event)) ||
        (state === Activity.SHUTDOWN && wakesFromShutdown(event));
      return mustHold(
        admitted,
        'an event that wakes the processor',
        () => `activity state ${state}, event ${hex(entry.interruption)}`,
      );
    },
  ),
];

// -------------------------------------------------------------- interruptibility state

const INTERRUPTIBILITY_RESERVED = ~0xf;

const interruptibilityRules: readonly EntryRule[] = [
  rule('interruptibility.reserved', 'Reserved bits 31:4 of the interruptibility state must be 0.', (entry) =>
    mustHold(
      (interruptibility(entry) & INTERRUPTIBILITY_RESERVED) === 0,
      'bits 31:4 clear',
      interruptibility(entry),
    ),
  ),
  rule(
    'interruptibility.both',
    'Blocking by STI and blocking by MOV SS must not both be indicated.',
    (entry) =>
      mustHold(
        (interruptibility(entry) & EVENT_BLOCKING) !== EVENT_BLOCKING,
        'at most one of bits 0 and 1',
        interruptibility(entry),
      ),
  ),
  rule('interruptibility.sti', 'Blocking by STI must be 0 if RFLAGS.IF is 0.', (entry) =>
    mustHold(
      !(interruptibility(entry) & Interruptibility.STI) || (rflags(entry) & Rflags.IF) !== 0n,
      'bit 0 clear, or IF set',
      interruptibility(entry),
    ),
  ),
  injecting(
    'interruptibility.interrupt',
    'Blocking by STI and by MOV SS must be 0 if the event to inject is an external interrupt.',
    (entry, { type }) =>
      mustHold(
        type !== InterruptionType.EXTERNAL_INTERRUPT || !(interruptibility(entry) & EVENT_BLOCKING),
        'bits 1:0 clear',
        interruptibility(entry),
      ),
  ),
  injecting(
    'interruptibility.nmi',
    'Blocking by MOV SS must be 0 if the event to inject is an NMI.',
    (entry, { type }) =>
      mustHold(
        type !== InterruptionType.NMI || !(interruptibility(entry) & Interruptibility.MOV_SS),
        'bit 1 clear',
        interruptibility(entry),
      ),
  ),
  rule('interruptibility.smi', 'Blocking by SMI must be 0 outside SMM.', (entry) =>
    mustHold(!(interruptibility(entry) & Interruptibility.SMI), 'bit 2 clear', interruptibility(entry)),
  ),
  injecting(
    'interruptibility.virtualNmi',
    'Blocking by NMI must be 0 if "virtual NMIs" is 1 and the event to inject is an NMI.',
    (entry, { type }) =>
      mustHold(
        type !== InterruptionType.NMI ||
          !(entry.pin & Pin.virtualNmis) ||
          !(interruptibility(entry) & Interruptibility.NMI),
        'bit 3 clear',
        interruptibility(entry),
      ),
  ),
];

// -------------------------------------------------------------- pending debug exceptions

const PENDING_BS = 1n << 14n;
/** Bits 3:0, 12 (enabled breakpoint) and 14 (BS) exist; bit 16 needs RTM. */
const PENDING_RESERVED = ~(0xfn | (1n << 12n) | PENDING_BS);

const pendingDebugRules: readonly EntryRule[] = [
  rule('pendingDebug.reserved', 'Reserved bits of the pending debug exceptions must be 0.', (entry) => {
    const pending = entry.value(Field.guestPendingDebugExceptions);
    return mustHold((pending & PENDING_RESERVED) === 0n, 'only bits 3:0, 12 and 14', pending);
  }),
  rule(
    'pendingDebug.singleStep',
    'With blocking by STI or MOV SS, or in the HLT state, bit 14 (BS) must be 1 exactly if RFLAGS.TF is 1 and IA32_DEBUGCTL.BTF is 0.',
    (entry) => {
      if (!(interruptibility(entry) & EVENT_BLOCKING) && activity(entry) !== Activity.HLT) return undefined;
      const debugctl =
        entry.entry & Entry.loadDebugControls ? entry.value(Field.guestDebugctl) : entry.state.debugctl;
      const singleStep = (rflags(entry) & Rflags.TF) !== 0n && (debugctl & DEBUGCTL_BTF) === 0n;
      const pending = entry.value(Field.guestPendingDebugExceptions);
      return mustHold(
        ((pending & PENDING_BS) !== 0n) === singleStep,
        () => `BS ${singleStep ? 'set' : 'clear'}`,
        pending,
      );
    },
  ),
];

// -------------------------------------------------------------- VMCS link pointer

const linkRule = (
  id: string,
  wording: string,
  expected: string,
  holds: (entry: EntryView, link: bigint) => boolean,
): EntryRule =>
  rule(`linkPointer.${id}`, `The VMCS link pointer, unless all ones: ${wording}`, (entry) => {
    const link = entry.value(Field.vmcsLinkPointer);
    if (link === NO_LINK) return undefined;
    return mustHold(holds(entry, link), expected, link, EntryQualification.LINK_POINTER);
  });

const linkPointerRules: readonly EntryRule[] = [
  linkRule(
    'address',
    'bits 11:0 must be 0 and no bit beyond the physical-address width may be set.',
    'a page-aligned physical address',
    (_, link) => isPhysicalAddress(link, 4096),
  ),
  linkRule(
    'revision',
    'bits 30:0 of the region it points to must be the revision identifier.',
    `revision identifier ${hex(VMCS_REVISION)} there`,
    (entry, link) => (entry.physical.read32(Number(link)) & 0x7fff_ffff) === VMCS_REVISION,
  ),
  linkRule(
    'shadow',
    'bit 31 of the region it points to must be the "VMCS shadowing" control.',
    'a shadow VMCS exactly with "VMCS shadowing"',
    (entry, link) =>
      entry.physical.read32(Number(link)) >>> 31 ===
      ((entry.secondary & Secondary.vmcsShadowing) !== 0 ? 1 : 0),
  ),
  linkRule(
    'current',
    'it must not be the current-VMCS pointer.',
    'another VMCS than the current one',
    (entry, link) => Number(link) !== entry.vmcs.physicalAddress,
  ),
];

export const guestNonRegisterRules: readonly EntryRule[] = [
  ...activityRules,
  ...interruptibilityRules,
  ...pendingDebugRules,
  ...linkPointerRules,
];

// -------------------------------------------------------------- PDPTEs

/** Does the guest use PAE paging: then VM entry loads the PDPTEs. */
export const usesPaePaging = (entry: EntryView): boolean =>
  !entry.guestIsIa32e &&
  (entry.value(Field.guestCr0) & Cr0.PG) !== 0n &&
  (entry.value(Field.guestCr4) & Cr4.PAE) !== 0n;

/** The PDPTEs that VM entry loads: from the VMCS with EPT, else from memory at CR3. */
export const guestPdptes = (entry: EntryView): readonly bigint[] =>
  entry.secondary & Secondary.enableEpt
    ? [Field.guestPdpte0, Field.guestPdpte1, Field.guestPdpte2, Field.guestPdpte3].map((field) =>
        entry.value(field),
      )
    : readPdptes(entry.value(Field.guestCr3), entry.physical);

export const guestPdpteRules: readonly EntryRule[] = [
  {
    id: 'guest.pdptes',
    section: PDPTES,
    wording: 'If the guest uses PAE paging, reserved bits of present PDPTEs must be 0.',
    check: (entry) => {
      if (!usesPaePaging(entry)) return undefined;
      const wrong = guestPdptes(entry).find((pdpte) => !isValidPdpte(pdpte));
      return wrong === undefined
        ? undefined
        : { expected: 'reserved bits clear', found: hex(wrong), qualification: EntryQualification.PDPTE };
    },
  },
];
