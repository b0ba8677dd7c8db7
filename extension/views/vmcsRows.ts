/** The rows of the VMCS view. */
import type { VmcsFieldRow, VmcsGroup } from '../../debug-adapter/protocol.js';
import { formatValue } from '../format.js';
import type { NumberFormat } from '../format.js';
import type { Row } from './row.js';

export function vmcsGroupRow(group: VmcsGroup): Row {
  const changed = group.fields.filter((field) => field.changed).length;
  const count = group.fields.length === 1 ? '1 field' : `${group.fields.length} fields`;
  return { label: group.name, description: changed > 0 ? `${count}, ${changed} changed` : count };
}

export function vmcsFieldRow(field: VmcsFieldRow, format: NumberFormat): Row {
  const value = formatValue(field.value, format);
  const set = field.bits.filter((bit) => bit.set).map((bit) => bit.name);
  return {
    label: field.name,
    description: [value, set.length > 0 && set.length <= 3 ? set.join(', ') : ''].filter(Boolean).join('   '),
    tooltip: [
      `${field.name} (${field.kernelName}, encoding 0x${field.encoding.toString(16).padStart(4, '0')})`,
      `${field.width} bits${field.readOnly ? ', read-only' : ''}: ${value}`,
      ...set.map((name) => `• ${name}`),
    ].join('\n'),
    changed: field.changed,
    copyText: value,
  };
}

export function vmcsBitRow(bit: VmcsFieldRow['bits'][number]): Row {
  return { label: bit.name, description: bit.implemented ? undefined : 'not implemented by this processor' };
}
