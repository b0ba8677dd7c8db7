/** Checks on guest control registers, MSRs, descriptor tables, RIP and RFLAGS: SDM 3C 27.3.1.1, .3 and .4. */
import { isValidPat } from '../../cpu/msr.js';
import { Cr0, Cr4, Efer, isCanonical, Rflags, SegmentAccess } from '../../cpu/registerBits.js';
import { CR0_FIXED0, CR0_FIXED1, CR4_FIXED0 } from '../capabilities.js';
import { Entry, Secondary } from '../controls.js';
import type { VmcsField } from '../fields.js';
import { Field } from '../fields.js';
import { decodeInterruption, InterruptionType, isValidInterruption } from '../interruption.js';
import { isPhysicalAddress } from '../physicalMemory.js';
import { DEBUGCTL_SUPPORTED, EFER_SUPPORTED } from '../processorLimits.js';
import type { EntryRule, EntryView } from './rules.js';
import { canonicalRule, fitsFixedBits, mustHold } from './rules.js';

const REGISTERS = '27.3.1.1';
const DESCRIPTOR_TABLES = '27.3.1.3';
const RIP_RFLAGS = '27.3.1.4';

const loadsDebugControls = (entry: EntryView): boolean => (entry.entry & Entry.loadDebugControls) !== 0;
const loadsEfer = (entry: EntryView): boolean => (entry.entry & Entry.loadEfer) !== 0;

/** With "unrestricted guest", PE and PG are not checked; CD and NW never are. */
const cr0FixedOne = (entry: EntryView): bigint =>
  entry.secondary & Secondary.unrestrictedGuest ? CR0_FIXED0 & ~(Cr0.PE | Cr0.PG) : CR0_FIXED0;

export const guestRegisterRules: readonly EntryRule[] = [
  {
    id: 'guest.cr0.fixed',
    section: REGISTERS,
    wording: 'The CR0 field must not set any bit to a value not supported in VMX operation.',
    check: (entry) => {
      const cr0 = entry.value(Field.guestCr0);
      const ones = cr0FixedOne(entry);
      return mustHold(
        fitsFixedBits(cr0, ones, CR0_FIXED1),
        () => `bits 0x${ones.toString(16)} set, 63:32 clear`,
        cr0,
      );
    },
  },
  {
    id: 'guest.cr0.paging',
    section: REGISTERS,
    wording: 'If bit 31 of the CR0 field (PG) is 1, bit 0 (PE) must be 1.',
    check: (entry) => {
      const cr0 = entry.value(Field.guestCr0);
      return mustHold((cr0 & Cr0.PG) === 0n || (cr0 & Cr0.PE) !== 0n, 'PE set with PG', cr0);
    },
  },
  {
    id: 'guest.cr4.fixed',
    section: REGISTERS,
    wording: 'The CR4 field must not set any bit to a value not supported in VMX operation.',
    check: (entry) => {
      const cr4 = entry.value(Field.guestCr4);
      return mustHold(
        fitsFixedBits(cr4, CR4_FIXED0, entry.cr4Supported),
        () => `VMXE set, no bit outside 0x${entry.cr4Supported.toString(16)}`,
        cr4,
      );
    },
  },
  {
    id: 'guest.debugctl',
    section: REGISTERS,
    wording: 'If "load debug controls" is 1, bits reserved in IA32_DEBUGCTL must be 0.',
    check: (entry) => {
      if (!loadsDebugControls(entry)) return undefined;
      const debugctl = entry.value(Field.guestDebugctl);
      return mustHold((debugctl & ~DEBUGCTL_SUPPORTED) === 0n, 'reserved bits clear', debugctl);
    },
  },
  {
    id: 'guest.ia32e.paging',
    section: REGISTERS,
    wording: 'If "IA-32e mode guest" is 1, CR0.PG and CR4.PAE must be 1.',
    check: (entry) => {
      if (!entry.guestIsIa32e) return undefined;
      const cr0 = entry.value(Field.guestCr0);
      const cr4 = entry.value(Field.guestCr4);
      return mustHold(
        (cr0 & Cr0.PG) !== 0n && (cr4 & Cr4.PAE) !== 0n,
        'CR0.PG and CR4.PAE set',
        () => `CR0 0x${cr0.toString(16)}, CR4 0x${cr4.toString(16)}`,
      );
    },
  },
  {
    id: 'guest.cr4.pcide',
    section: REGISTERS,
    wording: 'If "IA-32e mode guest" is 0, CR4.PCIDE must be 0.',
    check: (entry) => {
      const cr4 = entry.value(Field.guestCr4);
      return mustHold(entry.guestIsIa32e || (cr4 & Cr4.PCIDE) === 0n, 'PCIDE clear', cr4);
    },
  },
  {
    id: 'guest.cr3.width',
    section: REGISTERS,
    wording: 'No bit of the CR3 field beyond the physical-address width may be set.',
    check: (entry) => {
      const cr3 = entry.value(Field.guestCr3);
      return mustHold(isPhysicalAddress(cr3), 'an address within the physical-address width', cr3);
    },
  },
  {
    id: 'guest.dr7',
    section: REGISTERS,
    wording: 'If "load debug controls" is 1, bits 63:32 of the DR7 field must be 0.',
    check: (entry) => {
      if (!loadsDebugControls(entry)) return undefined;
      const dr7 = entry.value(Field.guestDr7);
      return mustHold(dr7 >> 32n === 0n, 'bits 63:32 clear', dr7);
    },
  },
  canonicalRule('guest', Field.guestSysenterEsp, REGISTERS),
  canonicalRule('guest', Field.guestSysenterEip, REGISTERS),
  {
    id: 'guest.pat',
    section: REGISTERS,
    wording:
      'If "load IA32_PAT" is 1, each byte of the IA32_PAT field must be a memory type (0, 1, 4, 5, 6 or 7).',
    check: (entry) => {
      if (!(entry.entry & Entry.loadPat)) return undefined;
      const pat = entry.value(Field.guestPat);
      return mustHold(isValidPat(pat), 'eight memory types', pat);
    },
  },
  {
    id: 'guest.efer.reserved',
    section: REGISTERS,
    wording: 'If "load IA32_EFER" is 1, bits reserved in IA32_EFER must be 0.',
    check: (entry) => {
      if (!loadsEfer(entry)) return undefined;
      const efer = entry.value(Field.guestEfer);
      return mustHold((efer & ~EFER_SUPPORTED) === 0n, 'only SCE, LME, LMA and NXE', efer);
    },
  },
  {
    id: 'guest.efer.lma',
    section: REGISTERS,
    wording: 'If "load IA32_EFER" is 1, bit 10 (LMA) must equal "IA-32e mode guest".',
    check: (entry) => {
      if (!loadsEfer(entry)) return undefined;
      const efer = entry.value(Field.guestEfer);
      return mustHold(
        ((efer & Efer.LMA) !== 0n) === entry.guestIsIa32e,
        () => `LMA ${entry.guestIsIa32e ? 'set' : 'clear'}`,
        efer,
      );
    },
  },
  {
    id: 'guest.efer.lme',
    section: REGISTERS,
    wording: 'If "load IA32_EFER" is 1 and CR0.PG is 1, LMA must equal bit 8 (LME).',
    check: (entry) => {
      if (!loadsEfer(entry) || !(entry.value(Field.guestCr0) & Cr0.PG)) return undefined;
      const efer = entry.value(Field.guestEfer);
      return mustHold(((efer & Efer.LMA) !== 0n) === ((efer & Efer.LME) !== 0n), 'LME equal to LMA', efer);
    },
  },
];

const tableLimit = (field: VmcsField): EntryRule => ({
  id: `guest.${field.name}`,
  section: DESCRIPTOR_TABLES,
  wording: `Bits 31:16 of ${field.name} must be 0.`,
  check: (entry) => mustHold(entry.number(field) <= 0xffff, 'bits 31:16 clear', entry.number(field)),
});

export const guestDescriptorTableRules: readonly EntryRule[] = [
  canonicalRule('guest', Field.guestGdtrBase, DESCRIPTOR_TABLES),
  canonicalRule('guest', Field.guestIdtrBase, DESCRIPTOR_TABLES),
  tableLimit(Field.guestGdtrLimit),
  tableLimit(Field.guestIdtrLimit),
];

/** RFLAGS bits 63:22, 15, 5 and 3. */
const RFLAGS_RESERVED = 0xffff_ffff_ffc0_8028n;

export const guestRipRules: readonly EntryRule[] = [
  {
    id: 'guest.rip.upper',
    section: RIP_RFLAGS,
    wording:
      'Bits 63:32 of the RIP field must be 0 unless the guest is in 64-bit mode ("IA-32e mode guest" 1, CS.L 1).',
    check: (entry) => {
      const rip = entry.value(Field.guestRip);
      return mustHold(is64BitGuest(entry) || rip >> 32n === 0n, 'bits 63:32 clear', rip);
    },
  },
  {
    id: 'guest.rip.canonical',
    section: RIP_RFLAGS,
    // The manual asks for identical bits 63:48 here, not for a canonical address: bit 47 may differ.
    wording: 'In 64-bit mode, bits 63:48 of the RIP field must be identical.',
    check: (entry) => {
      const rip = entry.value(Field.guestRip);
      return mustHold(
        !is64BitGuest(entry) || isCanonical(rip & ~(1n << 47n)) || isCanonical(rip | (1n << 47n)),
        'bits 63:48 identical',
        rip,
      );
    },
  },
  {
    id: 'guest.rflags.reserved',
    section: RIP_RFLAGS,
    wording: 'Reserved bits 63:22, 15, 5 and 3 of the RFLAGS field must be 0, and bit 1 must be 1.',
    check: (entry) => {
      const rflags = entry.value(Field.guestRflags);
      return mustHold(
        (rflags & RFLAGS_RESERVED) === 0n && (rflags & Rflags.FIXED) !== 0n,
        'reserved bits clear, bit 1 set',
        rflags,
      );
    },
  },
  {
    id: 'guest.rflags.vm',
    section: RIP_RFLAGS,
    wording: 'The VM flag must be 0 if "IA-32e mode guest" is 1 or CR0.PE is 0.',
    check: (entry) => {
      const rflags = entry.value(Field.guestRflags);
      const mayBeSet = !entry.guestIsIa32e && (entry.value(Field.guestCr0) & Cr0.PE) !== 0n;
      return mustHold(mayBeSet || (rflags & Rflags.VM) === 0n, 'VM clear', rflags);
    },
  },
  {
    id: 'guest.rflags.if',
    section: RIP_RFLAGS,
    wording: 'The IF flag must be 1 if the event to inject is an external interrupt.',
    check: (entry) => {
      const rflags = entry.value(Field.guestRflags);
      const injectsInterrupt =
        isValidInterruption(entry.interruption) &&
        decodeInterruption(entry.interruption).type === InterruptionType.EXTERNAL_INTERRUPT;
      return mustHold(!injectsInterrupt || (rflags & Rflags.IF) !== 0n, 'IF set', rflags);
    },
  },
];

const is64BitGuest = (entry: EntryView): boolean =>
  entry.guestIsIa32e && (entry.number(Field.guestCsAccessRights) & SegmentAccess.L) !== 0;
