/** The VMCS view: all fields by group, control bits decoded as children, changed ones marked. */
import * as vscode from 'vscode';
import type { VmcsFieldRow } from '../../debug-adapter/protocol.js';
import type { NumberFormat } from '../format.js';
import type { Session } from '../session.js';
import type { Snapshot, SnapshotNode } from './snapshotView.js';
import { vmcsBitRow, vmcsFieldRow, vmcsGroupRow } from './vmcsRows.js';

const BIT_SET = new vscode.ThemeIcon('circle-filled');
const BIT_CLEAR = new vscode.ThemeIcon('circle-outline');

export async function takeVmcs(session: Session, format: NumberFormat): Promise<Snapshot> {
  const { threadId } = session.selection;
  const { vmcs, groups } = await session.request('hyperstep/vmcs', { threadId });
  return {
    description: vmcs ? `at ${vmcs}` : undefined,
    roots: groups.map((group) => ({
      id: group.name,
      row: vmcsGroupRow(group),
      children: group.fields.map((field) => fieldNode(session, threadId, field, format)),
    })),
  };
}

function fieldNode(
  session: Session,
  threadId: number | undefined,
  field: VmcsFieldRow,
  format: NumberFormat,
): SnapshotNode {
  const { encoding, readOnly, bits } = field;
  return {
    id: `field-${encoding}`,
    row: vmcsFieldRow(field, format),
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
