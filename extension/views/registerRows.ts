/** The rows of the Registers view. */
import type { RegisterGroup, RegisterRow } from '../../debug-adapter/protocol.js';
import type { Row } from './row.js';

export function registerGroupRow(group: RegisterGroup): Row {
  const changed = group.registers.filter((register) => register.changed).length;
  return {
    label: group.name,
    description: changed > 0 ? `${changed} changed` : undefined,
  };
}

/** The decoded meaning (`PE NE WP PG`) stands beside the value. */
export function registerRow(register: RegisterRow): Row {
  return {
    label: register.name,
    description: [register.value, register.detail].filter(Boolean).join('   '),
    tooltip: [`${register.name} = ${register.value}`, register.detail].filter(Boolean).join('\n'),
    changed: register.changed,
    copyText: register.value,
  };
}
