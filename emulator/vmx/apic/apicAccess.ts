/** Accesses to the APIC-access page: SDM 3C 30.4. */
import { Access } from '../../cpu/seams.js';
import type { VmxContext } from '../context.js';
import { Primary, Secondary } from '../controls.js';
import { vmExit } from '../exit.js';
import { ExitReason } from '../exitReasons.js';
import { Field } from '../fields.js';
import { VirtualRegister } from './virtualApic.js';

/** Bits 15:12 of the exit qualification, SDM 3C table 28-6. */
const AccessType = {
  READ: 0,
  WRITE: 1,
  FETCH: 2,
  EVENT_DELIVERY: 3,
  GUEST_PHYSICAL_EVENT_DELIVERY: 10,
  GUEST_PHYSICAL: 15,
} as const;
const ACCESS_TYPE_SHIFT = 12;

const range = (first: number, last: number): readonly number[] =>
  Array.from({ length: (last - first) / 0x10 + 1 }, (_, i) => first + i * 0x10);

const COMMON = [
  0x20,
  0x80,
  0xb0,
  0xd0,
  0xe0,
  0xf0,
  0x280,
  0x300,
  0x310,
  ...range(0x320, 0x370),
  0x380,
  0x3e0,
];
/** Registers whose reads and writes "APIC-register virtualization" virtualizes (SDM 3C 30.4.2 and 30.4.3.1). */
const readable: ReadonlySet<number> = new Set([...COMMON, 0x30, ...range(0x100, 0x270)]);
const writable: ReadonlySet<number> = new Set(COMMON);
/** Writes that "virtual-interrupt delivery" virtualizes by itself. */
const writableForDelivery: ReadonlySet<number> = new Set([
  VirtualRegister.VTPR,
  VirtualRegister.VEOI,
  VirtualRegister.VICR_LOW,
]);

/** Page number of the APIC-access page, or -1 while accesses to it are nothing special. */
export function apicAccessPage(context: VmxContext): number {
  if (!context.inGuest || !context.secondary(Secondary.virtualizeApicAccesses)) return -1;
  return Number(context.vmcs.read(Field.apicAccessAddress) >> 12n);
}

/** Is this access made to the virtual-APIC page instead? */
function isVirtualized(context: VmxContext, offset: number, size: number, access: number): boolean {
  const register = offset & ~0xf;
  const withinRegister = (offset & 0xf) + size <= 4;
  if (!withinRegister || (access & Access.EXECUTE) !== 0 || !context.primary(Primary.useTprShadow))
    return false;
  const registers = context.secondary(Secondary.apicRegisterVirtualization);
  if ((access & Access.WRITE) === 0) {
    return registers ? readable.has(register) : register === VirtualRegister.VTPR;
  }
  if (registers) return writable.has(register);
  return context.secondary(Secondary.virtualInterruptDelivery)
    ? writableForDelivery.has(offset)
    : offset === VirtualRegister.VTPR;
}

/** Physical address of the bytes to access on the virtual-APIC page, or -1 when the access made a VM exit. */
export function accessApicPage(context: VmxContext, offset: number, size: number, access: number): number {
  if (isVirtualized(context, offset, size, access)) {
    return Number(context.vmcs.read(Field.virtualApicAddress)) + offset;
  }
  const type = linearAccessType(context, access);
  const isData = type === AccessType.READ || type === AccessType.WRITE;
  // Hosts skip the instruction by its length (SDM 3C 28.2.5).
  const length = isData ? (context.processor.engine.decodeCurrent()?.length ?? 0) : 0;
  apicAccessExit(context, offset, type, length);
  return -1;
}

const linearAccessType = (context: VmxContext, access: number): number => {
  if (context.delivery) return AccessType.EVENT_DELIVERY;
  if ((access & Access.EXECUTE) !== 0) return AccessType.FETCH;
  return (access & Access.WRITE) !== 0 ? AccessType.WRITE : AccessType.READ;
};

/** A guest-physical access that belongs to no linear address, or to its translation (SDM 3C 30.4.6.1): a VM exit. */
export function accessApicPageByGuestPhysical(context: VmxContext, offset: number): void {
  apicAccessExit(
    context,
    offset,
    context.delivery ? AccessType.GUEST_PHYSICAL_EVENT_DELIVERY : AccessType.GUEST_PHYSICAL,
    0,
  );
}

function apicAccessExit(context: VmxContext, offset: number, type: number, instructionLength: number): void {
  vmExit(context, {
    reason: ExitReason.APIC_ACCESS,
    qualification: BigInt(offset | (type << ACCESS_TYPE_SHIFT)),
    instructionLength,
    setsResumeFlag: true,
  });
}
