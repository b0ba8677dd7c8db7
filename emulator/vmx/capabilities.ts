/**
 * The VMX capability MSRs (SDM 3D appendix A), computed from the tables: what they offer is implemented, and VM entry
 * enforces what they say.
 */
import type { ControlField } from './controls.js';
import { entryControls, exitControls, pinBased, primary, secondary } from './controls.js';
import { highestFieldIndex } from './fields.js';
import { PREEMPTION_TIMER_SHIFT } from './preemptionTimer.js';

/** VMCS revision identifier, bits 30:0 of IA32_VMX_BASIC and of the first word of a VMCS region. */
export const VMCS_REVISION = 0x4853_0001;
/** Bytes of a VMXON or VMCS region. */
export const VMCS_REGION_SIZE = 4096;

/** Entries of an MSR list that the processor promises to handle (IA32_VMX_MISC[27:25] = 0). */
export const MAX_MSR_LIST_LENGTH = 512;
export const CR3_TARGET_COUNT = 4;

/** The settings that a control field allows. */
export interface AllowedSettings {
  /** Bits that must be 1. */
  readonly mustBeOne: number;
  /** Bits that may be 1. */
  readonly mayBeOne: number;
}

/** SDM 3D A.2: reserved bits keep their default; what is not implemented may not be 1. */
export function allowedSettings(
  field: ControlField,
  capability: 'default' | 'true' = 'true',
): AllowedSettings {
  const implemented = field.bits
    .filter((bit) => bit.implemented)
    .reduce((mask, { bit }) => mask | (1 << bit), 0);
  const mustBeOne = capability === 'true' ? field.default1 & ~field.flexible : field.default1;
  return { mustBeOne: mustBeOne >>> 0, mayBeOne: (field.default1 | implemented) >>> 0 };
}

/** Bits 31:0 are the allowed 0-settings, bits 63:32 the allowed 1-settings. */
const controlCapability = (field: ControlField, capability: 'default' | 'true'): bigint => {
  const { mustBeOne, mayBeOne } = allowedSettings(field, capability);
  return (BigInt(mayBeOne) << 32n) | BigInt(mustBeOne);
};

const BASIC_WRITE_BACK = 6n << 50n;
const BASIC_REPORTS_INS_OUTS = 1n << 54n;
const BASIC_TRUE_CONTROLS = 1n << 55n;

const MISC_PREEMPTION_TIMER_RATE = BigInt(PREEMPTION_TIMER_SHIFT);
const MISC_STORES_LMA = 1n << 5n;
const MISC_ACTIVITY_HLT = 1n << 6n;
const MISC_ACTIVITY_SHUTDOWN = 1n << 7n;
const MISC_ACTIVITY_WAIT_FOR_SIPI = 1n << 8n;
/** VMWRITE may write the VM-exit information fields. */
const MISC_VMWRITE_ANY_FIELD = 1n << 29n;

/** Bits of CR0 that are fixed in VMX operation: PE, NE and PG are 1 (SDM 3D A.7). */
export const CR0_FIXED0 = 0x8000_0021n;
export const CR0_FIXED1 = 0xffff_ffffn;
/** VMXE is 1 (SDM 3D A.8). Which bits may be 1 is what the CPU's CR4 has. */
export const CR4_FIXED0 = 0x2000n;

/** The VM functions that may be enabled: EPTP switching (SDM 3D A.11). */
export const VM_FUNCTIONS = 1n << 0n;

/** Bits of IA32_VMX_EPT_VPID_CAP, SDM 3D A.10. */
export const eptVpidCapabilities = [
  { bit: 0, name: 'executeOnlyTranslations' },
  { bit: 6, name: 'pageWalkLength4' },
  { bit: 8, name: 'eptStructuresUncacheable' },
  { bit: 14, name: 'eptStructuresWriteBack' },
  { bit: 16, name: 'pde2MbytePages' },
  { bit: 17, name: 'pdpte1GbytePages' },
  { bit: 20, name: 'invept' },
  { bit: 21, name: 'accessedAndDirtyFlags' },
  { bit: 22, name: 'advancedEptViolationInformation' },
  { bit: 25, name: 'singleContextInvept' },
  { bit: 26, name: 'allContextInvept' },
  { bit: 32, name: 'invvpid' },
  { bit: 40, name: 'individualAddressInvvpid' },
  { bit: 41, name: 'singleContextInvvpid' },
  { bit: 42, name: 'allContextInvvpid' },
  { bit: 43, name: 'singleContextRetainingGlobalsInvvpid' },
] as const;

/** Numbers of the capability MSRs. */
export const VmxMsr = {
  BASIC: 0x480,
  PINBASED_CTLS: 0x481,
  PROCBASED_CTLS: 0x482,
  EXIT_CTLS: 0x483,
  ENTRY_CTLS: 0x484,
  MISC: 0x485,
  CR0_FIXED0: 0x486,
  CR0_FIXED1: 0x487,
  CR4_FIXED0: 0x488,
  CR4_FIXED1: 0x489,
  VMCS_ENUM: 0x48a,
  PROCBASED_CTLS2: 0x48b,
  EPT_VPID_CAP: 0x48c,
  TRUE_PINBASED_CTLS: 0x48d,
  TRUE_PROCBASED_CTLS: 0x48e,
  TRUE_EXIT_CTLS: 0x48f,
  TRUE_ENTRY_CTLS: 0x490,
  VMFUNC: 0x491,
} as const;

/**
 * The capability MSRs by number. All are read-only; a number that is not in the map does not exist.
 * @param cr4Supported bits that the CPU's CR4 allows to be 1
 */
export function capabilityMsrs(cr4Supported: bigint): ReadonlyMap<number, bigint> {
  const eptVpid = eptVpidCapabilities.reduce((value, { bit }) => value | (1n << BigInt(bit)), 0n);
  return new Map<number, bigint>([
    [
      VmxMsr.BASIC,
      BigInt(VMCS_REVISION) |
        (BigInt(VMCS_REGION_SIZE) << 32n) |
        BASIC_WRITE_BACK |
        BASIC_REPORTS_INS_OUTS |
        BASIC_TRUE_CONTROLS,
    ],
    [VmxMsr.PINBASED_CTLS, controlCapability(pinBased, 'default')],
    [VmxMsr.PROCBASED_CTLS, controlCapability(primary, 'default')],
    [VmxMsr.EXIT_CTLS, controlCapability(exitControls, 'default')],
    [VmxMsr.ENTRY_CTLS, controlCapability(entryControls, 'default')],
    [
      VmxMsr.MISC,
      MISC_PREEMPTION_TIMER_RATE |
        MISC_STORES_LMA |
        MISC_ACTIVITY_HLT |
        MISC_ACTIVITY_SHUTDOWN |
        MISC_ACTIVITY_WAIT_FOR_SIPI |
        MISC_VMWRITE_ANY_FIELD |
        (BigInt(CR3_TARGET_COUNT) << 16n),
    ],
    [VmxMsr.CR0_FIXED0, CR0_FIXED0],
    [VmxMsr.CR0_FIXED1, CR0_FIXED1],
    [VmxMsr.CR4_FIXED0, CR4_FIXED0],
    [VmxMsr.CR4_FIXED1, cr4Supported],
    [VmxMsr.VMCS_ENUM, BigInt(highestFieldIndex) << 1n],
    [VmxMsr.PROCBASED_CTLS2, controlCapability(secondary, 'default')],
    [VmxMsr.EPT_VPID_CAP, eptVpid],
    [VmxMsr.TRUE_PINBASED_CTLS, controlCapability(pinBased, 'true')],
    [VmxMsr.TRUE_PROCBASED_CTLS, controlCapability(primary, 'true')],
    [VmxMsr.TRUE_EXIT_CTLS, controlCapability(exitControls, 'true')],
    [VmxMsr.TRUE_ENTRY_CTLS, controlCapability(entryControls, 'true')],
    [VmxMsr.VMFUNC, VM_FUNCTIONS],
  ]);
}
