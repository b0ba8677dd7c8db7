import type { HypercallRecord, RegisterValues } from '../../debug-adapter/protocol.js';

const REGISTERS = ['rax', 'rbx', 'rcx', 'rdx', 'rsi'] as const satisfies readonly (keyof RegisterValues)[];

/** The last call of a line: `#3: RAX 0x64 → 0x55aa  RBX 0x0  …`, `blocked` while the host has not answered. */
export function lensTitle({ seq, before, after, blockedIn }: HypercallRecord): string {
  const values = REGISTERS.map((register) => {
    const now = after?.[register];
    const change = now !== undefined && now !== before[register] ? ` → ${now}` : '';
    return `${register.toUpperCase()} ${before[register]}${change}`;
  });
  const state = after === null ? ` (blocked${blockedIn ? ` in ${blockedIn}` : ''})` : '';
  return `#${seq}: ${values.join('  ')}${state}`;
}
