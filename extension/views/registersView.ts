/** The Registers view: groups of registers with their decoded bits, changed ones marked. */
import type { RegisterRow } from '../../debug-adapter/protocol.js';
import type { Session } from '../session.js';
import { registerGroupRow, registerRow } from './registerRows.js';
import type { Snapshot, SnapshotNode } from './snapshotView.js';

/** Groups that are open at first; the others are one click away. */
const OPEN_GROUPS = 1;

export async function takeRegisters(session: Session): Promise<Snapshot> {
  const { world, groups } = await session.request('hyperstep/registers', session.selection);
  return {
    description: world,
    roots: groups.map((group, index) => ({
      id: group.name,
      row: registerGroupRow(group),
      expanded: index < OPEN_GROUPS,
      children: group.registers.map((register) => registerNode(session, group.name, register)),
    })),
  };
}

function registerNode(session: Session, group: string, register: RegisterRow): SnapshotNode {
  const { name, variablesReference } = register;
  return {
    id: `${group}/${name}`,
    row: registerRow(register),
    edit:
      variablesReference === undefined
        ? undefined
        : (value) => session.setVariable(variablesReference, name, value),
  };
}
