/** APIC-write emulation: what follows when an operation that wrote a virtual APIC register is complete (SDM 3C 30.4.3.2). */
import type { ExitCause } from '../exit.js';
import { ExitReason } from '../exitReasons.js';
import type { VirtualApic } from './virtualApic.js';
import { VirtualRegister } from './virtualApic.js';

/** No virtual APIC register was written. */
export const NO_APIC_WRITE = -1;

const aprWriteExit = (offset: number): ExitCause => ({
  reason: ExitReason.APIC_WRITE,
  qualification: BigInt(offset),
});

/** VICR_LO that asks for a fixed, edge-triggered interrupt to the processor itself, its vector 16 or more. */
const isSelfIpi = (command: number): boolean => (command & ~0xff) === 0x4_0000 && (command & 0xf0) !== 0;

type Emulation = (apic: VirtualApic, offset: number) => ExitCause | undefined;

const emulations: Readonly<Record<number, Emulation>> = {
  [VirtualRegister.VTPR]: (apic) => {
    apic.write(VirtualRegister.VTPR, apic.read(VirtualRegister.VTPR) & 0xff);
    return apic.virtualizeTpr() ? { reason: ExitReason.TPR_BELOW_THRESHOLD } : undefined;
  },
  [VirtualRegister.VEOI]: (apic, offset) => {
    if (!apic.deliversInterrupts) return aprWriteExit(offset);
    apic.write(VirtualRegister.VEOI, 0);
    const vector = apic.virtualizeEoi();
    return vector === undefined
      ? undefined
      : { reason: ExitReason.EOI_INDUCED, qualification: BigInt(vector) };
  },
  [VirtualRegister.VICR_LOW]: (apic, offset) => {
    const command = apic.read(VirtualRegister.VICR_LOW);
    if (!apic.deliversInterrupts || !isSelfIpi(command)) return aprWriteExit(offset);
    apic.virtualizeSelfIpi(command & 0xff);
    return undefined;
  },
  [VirtualRegister.VICR_HIGH]: (apic) => {
    apic.write(VirtualRegister.VICR_HIGH, apic.read(VirtualRegister.VICR_HIGH) & 0xff00_0000);
    return undefined;
  },
  [VirtualRegister.SELF_IPI]: (apic, offset) => {
    const vector = apic.read(VirtualRegister.SELF_IPI) & 0xff;
    if (vector < 0x10) return aprWriteExit(offset);
    apic.virtualizeSelfIpi(vector);
    return undefined;
  },
};

/** Does what a write at this offset asks for; answers the trap-like exit that it causes. */
export const emulateApicWrite = (apic: VirtualApic, offset: number): ExitCause | undefined =>
  (emulations[offset & ~0xf] ?? ((_, at) => aprWriteExit(at)))(apic, offset);
