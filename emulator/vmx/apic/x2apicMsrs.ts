/** RDMSR and WRMSR of the x2APIC registers with "virtualize x2APIC mode": SDM 3C 30.5. */
import type { Fault } from '../../cpu/fault.js';
import { generalProtection } from '../../cpu/fault.js';
import type { VmxContext } from '../context.js';
import { Secondary } from '../controls.js';
import type { VirtualApic } from './virtualApic.js';
import { VirtualRegister } from './virtualApic.js';

const X2APIC_FIRST = 0x800;
const X2APIC_LAST = 0x8ff;
const offsetOf = (index: number): number => (index & 0xff) << 4;

/** Writable bits of the registers whose writes are virtualized. */
const WRITABLE: Readonly<Record<number, bigint>> = {
  [VirtualRegister.VTPR]: 0xffn,
  [VirtualRegister.VEOI]: 0n,
  [VirtualRegister.SELF_IPI]: 0xffn,
};

/** The value of a virtualized register; undefined: RDMSR operates as usual. */
export function readX2apicMsr(context: VmxContext, apic: VirtualApic, index: number): bigint | undefined {
  if (!context.secondary(Secondary.virtualizeX2apicMode)) return undefined;
  if (index < X2APIC_FIRST || index > X2APIC_LAST) return undefined;
  const offset = offsetOf(index);
  const virtualized =
    context.secondary(Secondary.apicRegisterVirtualization) || offset === VirtualRegister.VTPR;
  return virtualized ? context.physical.read64(apic.page + offset) : undefined;
}

/** Writes a virtualized register and answers its offset, or #GP(0); undefined: WRMSR operates as usual. */
export function writeX2apicMsr(
  context: VmxContext,
  apic: VirtualApic,
  index: number,
  value: bigint,
): number | Fault | undefined {
  if (!context.secondary(Secondary.virtualizeX2apicMode)) return undefined;
  if (index < X2APIC_FIRST || index > X2APIC_LAST) return undefined;
  const offset = offsetOf(index);
  const virtualized = apic.deliversInterrupts ? offset in WRITABLE : offset === VirtualRegister.VTPR;
  if (!virtualized) return undefined;
  if ((value & ~WRITABLE[offset]) !== 0n) return generalProtection();
  context.physical.write64(apic.page + offset, value);
  return offset;
}
