/** EPT violations that become virtualization exceptions: SDM 3C 26.5.7. */
import { Cr0 } from '../cpu/registerBits.js';
import type { VmxContext } from './context.js';
import { Secondary } from './controls.js';
import { ExitReason } from './exitReasons.js';
import { Field } from './fields.js';

/** The virtualization-exception information area, SDM 3C table 26-1. */
const Area = { REASON: 0, BUSY: 4, QUALIFICATION: 8, LINEAR: 16, PHYSICAL: 24, EPTP_INDEX: 32 } as const;

/**
 * Takes an EPT violation as a virtualization exception and fills the information area; false where it is a VM exit.
 * `suppressed`: bit 63 of the entry that decided.
 */
export function takesVirtualizationException(
  context: VmxContext,
  suppressed: boolean,
  qualification: number,
  linear: bigint,
  guestPhysical: number,
): boolean {
  if (suppressed || !context.secondary(Secondary.eptViolationVe)) return false;
  const { physical, vmcs, processor, delivery } = context;
  const area = Number(vmcs.read(Field.virtualizationExceptionInformationAddress));
  if ((processor.state.cr0 & Cr0.PE) === 0n || delivery || physical.read32(area + Area.BUSY) !== 0)
    return false;
  physical.write32(area + Area.REASON, ExitReason.EPT_VIOLATION);
  physical.write32(area + Area.BUSY, 0xffff_ffff);
  physical.write64(area + Area.QUALIFICATION, BigInt(qualification));
  physical.write64(area + Area.LINEAR, linear);
  physical.write64(area + Area.PHYSICAL, BigInt(guestPhysical));
  physical.write64(area + Area.EPTP_INDEX, vmcs.read(Field.eptpIndex));
  return true;
}
