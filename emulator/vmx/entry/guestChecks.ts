/** Checks on the guest-state area, SDM 3C 27.3.1: a violation is a VM exit with reason 33. */
import { guestDescriptorTableRules, guestRegisterRules, guestRipRules } from './guestRegisterChecks.js';
import { guestNonRegisterRules, guestPdpteRules } from './guestNonRegisterChecks.js';
import { guestSegmentRules } from './guestSegmentChecks.js';
import type { EntryRule } from './rules.js';

/** On RIP, RFLAGS, activity, interruptibility, debug exceptions, the link pointer, PDPTEs. */
export const changingGuestChecks: readonly EntryRule[] = [
  ...guestRipRules,
  ...guestNonRegisterRules,
  ...guestPdpteRules,
];

/** In the manual's order. */
export const guestChecks: readonly EntryRule[] = [
  ...guestRegisterRules,
  ...guestSegmentRules,
  ...guestDescriptorTableRules,
  ...changingGuestChecks,
];
