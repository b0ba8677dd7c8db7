/** A line for each VMREAD and VMWRITE: where it stands, which field, which value. */
import type { VmcsAccess } from '../../emulator/machine/worldSwitch.js';
import { fieldAccess } from '../../emulator/vmx/fields.js';
import type { Debuggee } from '../debuggee/debuggee.js';

const hex = (value: bigint | number): string => `0x${value.toString(16)}`;

/** `VMWRITE guestRip = 0x1000 (VMCS 0x9000, RIP 0x100040, position 812)` */
export function vmcsAccessText({ access, vmcs, encoding, value, rip, position }: VmcsAccess): string {
  const named = fieldAccess(encoding);
  const field = named ? `${named.field.name}${named.high ? ' (bits 63:32)' : ''}` : hex(encoding);
  const instruction = access === 'read' ? 'VMREAD' : 'VMWRITE';
  return `${instruction} ${field} = ${hex(value)} (VMCS ${hex(vmcs)}, RIP ${hex(rip)}, position ${position})`;
}

/** Begins or ends telling the accesses. */
export function traceVmcs({ machine }: Debuggee, enabled: boolean, output: (text: string) => void): void {
  machine.observers.onVmcsAccess = enabled ? (access) => output(`${vmcsAccessText(access)}\n`) : undefined;
}
