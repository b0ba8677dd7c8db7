/** Checks on the host-state area, SDM 3C 27.2.2 - 27.2.4: a violation is VMfailValid with error 8. */
import { isValidPat } from '../../cpu/msr.js';
import { Cr4, Efer, isCanonical } from '../../cpu/registerBits.js';
import { CR0_FIXED0, CR0_FIXED1, CR4_FIXED0 } from '../capabilities.js';
import { Entry, Exit } from '../controls.js';
import type { VmcsField } from '../fields.js';
import { Field } from '../fields.js';
import { isPhysicalAddress } from '../physicalMemory.js';
import { EFER_SUPPORTED } from '../processorLimits.js';
import type { EntryRule, EntryView } from './rules.js';
import { canonicalRule, fitsFixedBits, mustHold } from './rules.js';

const REGISTERS = '27.2.2';
const SEGMENTS = '27.2.3';
const ADDRESS_SPACE = '27.2.4';

const registerRules: readonly EntryRule[] = [
  {
    id: 'host.cr0.fixed',
    section: REGISTERS,
    wording: 'The CR0 field must not set any bit to a value not supported in VMX operation.',
    check: (entry) => {
      const cr0 = entry.value(Field.hostCr0);
      return mustHold(fitsFixedBits(cr0, CR0_FIXED0, CR0_FIXED1), 'PE, NE and PG set, bits 63:32 clear', cr0);
    },
  },
  {
    id: 'host.cr4.fixed',
    section: REGISTERS,
    wording: 'The CR4 field must not set any bit to a value not supported in VMX operation.',
    check: (entry) => {
      const cr4 = entry.value(Field.hostCr4);
      return mustHold(
        fitsFixedBits(cr4, CR4_FIXED0, entry.cr4Supported),
        () => `VMXE set, no bit outside 0x${entry.cr4Supported.toString(16)}`,
        cr4,
      );
    },
  },
  {
    id: 'host.cr3.width',
    section: REGISTERS,
    wording: 'No bit of the CR3 field beyond the physical-address width may be set.',
    check: (entry) => {
      const cr3 = entry.value(Field.hostCr3);
      return mustHold(isPhysicalAddress(cr3), 'an address within the physical-address width', cr3);
    },
  },
  canonicalRule('host', Field.hostSysenterEsp, REGISTERS),
  canonicalRule('host', Field.hostSysenterEip, REGISTERS),
  {
    id: 'host.pat',
    section: REGISTERS,
    wording:
      'If "load IA32_PAT" is 1, each byte of the IA32_PAT field must be a memory type (0, 1, 4, 5, 6 or 7).',
    check: (entry) => {
      if (!(entry.exit & Exit.loadPat)) return undefined;
      const pat = entry.value(Field.hostPat);
      return mustHold(isValidPat(pat), 'eight memory types', pat);
    },
  },
  {
    id: 'host.efer.reserved',
    section: REGISTERS,
    wording: 'If "load IA32_EFER" is 1, bits reserved in IA32_EFER must be 0.',
    check: (entry) => {
      if (!(entry.exit & Exit.loadEfer)) return undefined;
      const efer = entry.value(Field.hostEfer);
      return mustHold((efer & ~EFER_SUPPORTED) === 0n, 'only SCE, LME, LMA and NXE', efer);
    },
  },
  {
    id: 'host.efer.mode',
    section: REGISTERS,
    wording: 'If "load IA32_EFER" is 1, LMA and LME must each equal the "host address-space size" control.',
    check: (entry) => {
      if (!(entry.exit & Exit.loadEfer)) return undefined;
      const efer = entry.value(Field.hostEfer);
      const mode = efer & (Efer.LMA | Efer.LME);
      return mustHold(
        mode === (entry.hostIs64Bit ? Efer.LMA | Efer.LME : 0n),
        () => `LMA and LME ${entry.hostIs64Bit ? 'set' : 'clear'}`,
        efer,
      );
    },
  },
];

const selectors: readonly VmcsField[] = [
  Field.hostCsSelector,
  Field.hostSsSelector,
  Field.hostDsSelector,
  Field.hostEsSelector,
  Field.hostFsSelector,
  Field.hostGsSelector,
  Field.hostTrSelector,
];

const notNull = (
  selector: VmcsField,
  condition = '',
  applies: (entry: EntryView) => boolean = () => true,
): EntryRule => ({
  id: `host.${selector.name}.notNull`,
  section: SEGMENTS,
  wording: `The ${selector.name} field must not be 0000H${condition}.`,
  check: (entry) =>
    applies(entry) ? mustHold(entry.number(selector) !== 0, 'a selector that is not 0', 0) : undefined,
});

const segmentRules: readonly EntryRule[] = [
  ...selectors.map((selector): EntryRule => ({
    id: `host.${selector.name}.rplTi`,
    section: SEGMENTS,
    wording: `The RPL and the TI flag of ${selector.name} must be 0.`,
    check: (entry) => mustHold((entry.number(selector) & 7) === 0, 'RPL 0 and TI 0', entry.number(selector)),
  })),
  notNull(Field.hostCsSelector),
  notNull(Field.hostTrSelector),
  notNull(Field.hostSsSelector, ' if "host address-space size" is 0', (entry) => !entry.hostIs64Bit),
  canonicalRule('host', Field.hostFsBase, SEGMENTS),
  canonicalRule('host', Field.hostGsBase, SEGMENTS),
  canonicalRule('host', Field.hostGdtrBase, SEGMENTS),
  canonicalRule('host', Field.hostIdtrBase, SEGMENTS),
  canonicalRule('host', Field.hostTrBase, SEGMENTS),
];

const addressSpaceRules: readonly EntryRule[] = [
  {
    id: 'host.addressSpace.legacy',
    section: ADDRESS_SPACE,
    wording:
      'If the processor is outside IA-32e mode, "IA-32e mode guest" and "host address-space size" must be 0.',
    check: (entry) =>
      entry.state.efer & Efer.LMA
        ? undefined
        : mustHold(
            !entry.hostIs64Bit && !entry.guestIsIa32e,
            'both controls 0',
            () =>
              `VM-exit controls 0x${entry.exit.toString(16)}, VM-entry controls 0x${entry.entry.toString(16)}`,
          ),
  },
  {
    id: 'host.addressSpace.ia32e',
    section: ADDRESS_SPACE,
    wording: 'If the processor is in IA-32e mode, "host address-space size" must be 1.',
    check: (entry) =>
      entry.state.efer & Efer.LMA ? mustHold(entry.hostIs64Bit, 'the control 1', entry.exit) : undefined,
  },
  {
    id: 'host.addressSpace.guest',
    section: ADDRESS_SPACE,
    wording: 'If "host address-space size" is 0, "IA-32e mode guest" must be 0.',
    check: (entry) =>
      mustHold(
        entry.hostIs64Bit || (entry.entry & Entry.ia32eModeGuest) === 0,
        '"IA-32e mode guest" 0',
        entry.entry,
      ),
  },
  {
    id: 'host.addressSpace.pcide',
    section: ADDRESS_SPACE,
    wording: 'If "host address-space size" is 0, CR4.PCIDE must be 0.',
    check: (entry) => {
      const cr4 = entry.value(Field.hostCr4);
      return mustHold(entry.hostIs64Bit || (cr4 & Cr4.PCIDE) === 0n, 'PCIDE clear', cr4);
    },
  },
  {
    id: 'host.addressSpace.rip32',
    section: ADDRESS_SPACE,
    wording: 'If "host address-space size" is 0, bits 63:32 of the RIP field must be 0.',
    check: (entry) => {
      const rip = entry.value(Field.hostRip);
      return mustHold(entry.hostIs64Bit || rip >> 32n === 0n, 'bits 63:32 clear', rip);
    },
  },
  {
    id: 'host.addressSpace.pae',
    section: ADDRESS_SPACE,
    wording: 'If "host address-space size" is 1, CR4.PAE must be 1.',
    check: (entry) => {
      const cr4 = entry.value(Field.hostCr4);
      return mustHold(!entry.hostIs64Bit || (cr4 & Cr4.PAE) !== 0n, 'PAE set', cr4);
    },
  },
  {
    id: 'host.addressSpace.rip64',
    section: ADDRESS_SPACE,
    wording: 'If "host address-space size" is 1, the RIP field must contain a canonical address.',
    check: (entry) => {
      const rip = entry.value(Field.hostRip);
      return mustHold(!entry.hostIs64Bit || isCanonical(rip), 'a canonical address', rip);
    },
  },
];

/** In the manual's order. */
export const hostChecks: readonly EntryRule[] = [...registerRules, ...segmentRules, ...addressSpaceRules];
