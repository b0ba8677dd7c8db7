/** The MSRs of VMX: IA32_FEATURE_CONTROL and the capability MSRs (SDM 3C 24.7 and 3D appendix A). */
import { generalProtection } from '../cpu/fault.js';
import type { MsrRow } from '../cpu/seams.js';
import { capabilityMsrs, VmxMsr } from './capabilities.js';
import { CR4_SUPPORTED } from './processorLimits.js';

const IA32_FEATURE_CONTROL = 0x3a;
const LOCK = 1n;
/** The lock bit and "enable VMX outside SMX operation". */
const FEATURE_CONTROL_SUPPORTED = 0b101n;

const featureControl: MsrRow = {
  index: IA32_FEATURE_CONTROL,
  name: 'IA32_FEATURE_CONTROL',
  read: ({ state }) => state.featureControl,
  write: ({ state }, value) => {
    const locked = (state.featureControl & LOCK) !== 0n;
    if (locked || (value & ~FEATURE_CONTROL_SUPPORTED) !== 0n) return generalProtection();
    state.featureControl = value;
    return undefined;
  },
};

/** Rows for the MSR table. The capability MSRs are read-only. */
export function vmxMsrs(): readonly MsrRow[] {
  const capabilities = capabilityMsrs(CR4_SUPPORTED);
  const names = Object.entries(VmxMsr);
  return [
    featureControl,
    ...names.map(([name, index]): MsrRow => {
      const value = capabilities.get(index)!;
      return { index, name: `IA32_VMX_${name}`, read: () => value };
    }),
  ];
}
