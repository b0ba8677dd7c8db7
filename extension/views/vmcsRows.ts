/** The rows of the VMCS view. */
import type { VmcsFieldRow, VmcsGroup, VmEntryRow, VmEntryViolation } from '../../debug-adapter/protocol.js';
import { formatValue } from '../format.js';
import type { NumberFormat } from '../format.js';
import type { Row } from './row.js';

export function vmcsGroupRow(group: VmcsGroup): Row {
  const changed = group.fields.filter((field) => field.changed).length;
  const count = group.fields.length === 1 ? '1 field' : `${group.fields.length} fields`;
  return { label: group.name, description: changed > 0 ? `${count}, ${changed} changed` : count };
}

/** The verdict of VM entry on the fields as they are now. */
export function vmEntryRow({ enters, rules, violations }: VmEntryRow): Row {
  return {
    label: 'VM entry',
    description: enters ? 'would enter' : `would fail: ${violations[0].id} (SDM ${violations[0].section})`,
    tooltip: enters
      ? `None of the ${rules} rules is violated.`
      : `${violations.length} of ${rules} rules are violated; the first one is what VM entry reports.`,
  };
}

export function vmEntryViolationRow(violation: VmEntryViolation): Row {
  const { id, section, wording, expected, found, outcome, fields } = violation;
  return {
    label: `${id} (SDM ${section})`,
    description: `expected ${expected}, found ${found}`,
    tooltip: [wording, `Expected ${expected}, found ${found}.`, outcome, fields.join(', ')].join('\n'),
    copyText: `${id} (SDM ${section}): ${wording} Expected ${expected}, found ${found}: ${outcome}`,
  };
}

/** `violations`: the rules of VM entry that look at this field and are violated now. */
export function vmcsFieldRow(
  field: VmcsFieldRow,
  format: NumberFormat,
  violations: readonly VmEntryViolation[] = [],
): Row {
  const value = formatValue(field.value, format);
  const before = field.before === undefined ? undefined : formatValue(field.before, format);
  const set = field.bits.filter((bit) => bit.set).map((bit) => bit.name);
  return {
    label: field.name,
    description: [
      before === undefined ? value : `${before} → ${value}`,
      set.length > 0 && set.length <= 3 ? set.join(', ') : '',
    ]
      .filter(Boolean)
      .join('   '),
    tooltip: [
      `${field.name} (${field.kernelName}, encoding 0x${field.encoding.toString(16).padStart(4, '0')})`,
      `${field.width} bits${field.readOnly ? ', read-only' : ''}: ${value}`,
      ...set.map((name) => `• ${name}`),
      ...violations.map(({ wording, section }) => `✗ ${wording} (SDM ${section})`),
    ].join('\n'),
    changed: field.changed,
    copyText: value,
  };
}

export function vmcsBitRow(bit: VmcsFieldRow['bits'][number]): Row {
  return { label: bit.name, description: bit.implemented ? undefined : 'not implemented by this processor' };
}
