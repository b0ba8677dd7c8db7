/** The VMCS view: all fields by group, control bits decoded as children, changed ones marked. */
import * as vscode from 'vscode';
import type { VmcsFieldRow, VmEntryRow } from '../../debug-adapter/protocol.js';
import type { NumberFormat } from '../format.js';
import type { Session } from '../session.js';
import type { Snapshot, SnapshotNode } from './snapshotView.js';
import { vmcsBitRow, vmcsFieldRow, vmcsGroupRow, vmEntryRow, vmEntryViolationRow } from './vmcsRows.js';

const BIT_SET = new vscode.ThemeIcon('circle-filled');
const BIT_CLEAR = new vscode.ThemeIcon('circle-outline');
const ENTERS = new vscode.ThemeIcon('pass');
const FAILS = new vscode.ThemeIcon('error');

export async function takeVmcs(session: Session, format: NumberFormat): Promise<Snapshot> {
  const { threadId } = session.selection;
  const { vmcs, groups, entry } = await session.request('hyperstep/vmcs', { threadId });
  return {
    description: vmcs ? `at ${vmcs}` : undefined,
    roots: [
      ...(entry
        ? [
            entryNode(
              session,
              threadId,
              entry,
              groups.flatMap((group) => group.fields),
              format,
            ),
          ]
        : []),
      ...groups.map((group) => ({
        id: group.name,
        row: vmcsGroupRow(group),
        children: group.fields.map((field) => fieldNode(session, threadId, field, format, entry)),
      })),
    ],
  };
}

/** The violated rules, each with the fields that it looks at: to be corrected right there. */
function entryNode(
  session: Session,
  threadId: number | undefined,
  entry: VmEntryRow,
  fields: readonly VmcsFieldRow[],
  format: NumberFormat,
): SnapshotNode {
  return {
    id: 'entry',
    row: vmEntryRow(entry),
    icon: entry.enters ? ENTERS : FAILS,
    expanded: !entry.enters,
    children: entry.violations.map((violation) => ({
      id: `entry-${violation.id}`,
      row: vmEntryViolationRow(violation),
      icon: FAILS,
      children: fields
        .filter(({ name }) => violation.fields.includes(name))
        .map((field) => {
          const node = fieldNode(session, threadId, field, format, null);
          return { ...node, id: `entry-${violation.id}-${field.name}`, children: undefined };
        }),
    })),
  };
}

function fieldNode(
  session: Session,
  threadId: number | undefined,
  field: VmcsFieldRow,
  format: NumberFormat,
  entry: VmEntryRow | null,
): SnapshotNode {
  const { encoding, readOnly, bits } = field;
  const violations = entry?.violations.filter(({ fields }) => fields.includes(field.name)) ?? [];
  return {
    id: `field-${encoding}`,
    row: vmcsFieldRow(field, format, violations),
    icon: violations.length > 0 ? FAILS : undefined,
    edit: readOnly
      ? undefined
      : async (value) => {
          await session.request('hyperstep/setVmcsField', { threadId, encoding, value });
        },
    children: bits.map((bit) => ({
      id: `field-${encoding}-${bit.name}`,
      row: vmcsBitRow(bit),
      icon: bit.set ? BIT_SET : BIT_CLEAR,
    })),
  };
}
