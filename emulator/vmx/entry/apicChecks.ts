/** Checks on the controls of APIC virtualization and posted interrupts, SDM 3C 27.2.1.1. */
import { VirtualRegister } from '../apic/virtualApic.js';
import { Exit, Pin, Primary, Secondary } from '../controls.js';
import { Field } from '../fields.js';
import { isPhysicalAddress } from '../physicalMemory.js';
import { EXECUTION, pageAddress } from './controlRules.js';
import type { EntryRule, EntryView } from './rules.js';
import { mustHold } from './rules.js';

const usesTprShadow = (entry: EntryView): boolean => (entry.primary & Primary.useTprShadow) !== 0;
const has = (entry: EntryView, control: number): boolean => (entry.secondary & control) !== 0;
const posts = (entry: EntryView): boolean => (entry.pin & Pin.processPostedInterrupts) !== 0;

/** TPR threshold, which counts while virtual interrupts are not delivered. */
const usesThreshold = (entry: EntryView): boolean =>
  usesTprShadow(entry) && !has(entry, Secondary.virtualInterruptDelivery);

/** If one control is 1, another must be 1. */
const needs = (
  id: string,
  name: string,
  applies: (entry: EntryView) => boolean,
  needed: string,
  holds: (entry: EntryView) => boolean,
): EntryRule => ({
  id: `controls.${id}`,
  section: EXECUTION,
  wording: `If "${name}" is 1, "${needed}" must be 1.`,
  check: (entry) => mustHold(!applies(entry) || holds(entry), `"${needed}" 1`, '0'),
});

const needsTprShadow = (id: string, name: string, control: number): EntryRule =>
  needs(`${id}.tprShadow`, name, (entry) => has(entry, control), 'use TPR shadow', usesTprShadow);

/** In the manual's order. */
export const apicRules: readonly EntryRule[] = [
  pageAddress(Field.virtualApicAddress, 'use TPR shadow', usesTprShadow),
  {
    id: 'controls.tprThreshold.reserved',
    section: EXECUTION,
    wording:
      'If "use TPR shadow" is 1 and "virtual-interrupt delivery" is 0, bits 31:4 of the TPR threshold must be 0.',
    check: (entry) => {
      const threshold = entry.number(Field.tprThreshold);
      return mustHold(!usesThreshold(entry) || threshold <= 0xf, 'bits 31:4 clear', threshold);
    },
  },
  {
    id: 'controls.tprThreshold.vtpr',
    section: EXECUTION,
    wording:
      'If "use TPR shadow" is 1, "virtualize APIC accesses" and "virtual-interrupt delivery" are 0, the TPR threshold must not be greater than bits 7:4 of VTPR.',
    check: (entry) => {
      if (!usesThreshold(entry) || has(entry, Secondary.virtualizeApicAccesses)) return undefined;
      const vtpr = entry.physical.read32(
        Number(entry.value(Field.virtualApicAddress)) + VirtualRegister.VTPR,
      );
      const priority = (vtpr >> 4) & 0xf;
      const threshold = entry.number(Field.tprThreshold) & 0xf;
      return mustHold(threshold <= priority, () => `at most ${priority}`, threshold);
    },
  },
  pageAddress(Field.apicAccessAddress, 'virtualize APIC accesses', (entry) =>
    has(entry, Secondary.virtualizeApicAccesses),
  ),
  needsTprShadow('virtualizeX2apicMode', 'virtualize x2APIC mode', Secondary.virtualizeX2apicMode),
  needsTprShadow(
    'apicRegisterVirtualization',
    'APIC-register virtualization',
    Secondary.apicRegisterVirtualization,
  ),
  needsTprShadow(
    'virtualInterruptDelivery',
    'virtual-interrupt delivery',
    Secondary.virtualInterruptDelivery,
  ),
  {
    id: 'controls.virtualizeX2apicMode.apicAccesses',
    section: EXECUTION,
    wording: 'If "virtualize x2APIC mode" is 1, "virtualize APIC accesses" must be 0.',
    check: (entry) =>
      mustHold(
        !has(entry, Secondary.virtualizeX2apicMode) || !has(entry, Secondary.virtualizeApicAccesses),
        '"virtualize APIC accesses" 0',
        entry.secondary,
      ),
  },
  needs(
    'virtualInterruptDelivery.externalInterrupts',
    'virtual-interrupt delivery',
    (entry) => has(entry, Secondary.virtualInterruptDelivery),
    'external-interrupt exiting',
    (entry) => (entry.pin & Pin.externalInterruptExiting) !== 0,
  ),
  needs(
    'processPostedInterrupts.delivery',
    'process posted interrupts',
    posts,
    'virtual-interrupt delivery',
    (entry) => has(entry, Secondary.virtualInterruptDelivery),
  ),
  needs(
    'processPostedInterrupts.acknowledge',
    'process posted interrupts',
    posts,
    'acknowledge interrupt on exit',
    (entry) => (entry.exit & Exit.acknowledgeInterruptOnExit) !== 0,
  ),
  {
    id: 'controls.postedInterruptNotificationVector',
    section: EXECUTION,
    wording: 'If "process posted interrupts" is 1, the notification vector must be 0 to 255.',
    check: (entry) => {
      const vector = entry.number(Field.postedInterruptNotificationVector);
      return mustHold(!posts(entry) || vector <= 0xff, '0 to 255', vector);
    },
  },
  {
    id: 'controls.postedInterruptDescriptorAddress',
    section: EXECUTION,
    wording:
      'If "process posted interrupts" is 1, bits 5:0 of the descriptor address must be 0, and no bit beyond the physical-address width may be set.',
    check: (entry) => {
      const address = entry.value(Field.postedInterruptDescriptorAddress);
      return mustHold(
        !posts(entry) || isPhysicalAddress(address, 64),
        'a 64-byte-aligned physical address',
        address,
      );
    },
  },
];
