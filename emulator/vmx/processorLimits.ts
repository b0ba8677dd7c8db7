/** What this processor supports of registers that the VM-entry checks look at. */
export { CR4_SUPPORTED, EFER_SUPPORTED } from '../cpu/features.js';

/** Bits of IA32_DEBUGCTL that are not reserved: none of its features is there. */
export const DEBUGCTL_SUPPORTED = 0n;
export const DEBUGCTL_BTF = 1n << 1n;
