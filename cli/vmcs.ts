/** `hyperstep vmcs`: the VMCS of one VM entry, field by field, and why it would or would not enter. */
import { explainEntryFailure } from '../debug-adapter/explain/ends.js';
import { describe } from '../debug-adapter/variables/vmcsContainers.js';
import { vmEntryRow } from '../debug-adapter/views/vmEntryRow.js';
import { vmcsAccessText } from '../debug-adapter/vmexits/vmcsTrace.js';
import type { Machine } from '../emulator/machine/machineTypes.js';
import type { EntryFailure } from '../emulator/machine/worldSwitch.js';
import type { Report } from './report.js';

const hex = (value: bigint | number): string => `0x${value.toString(16)}`;

/** Which entry is shown: the one with this number, from 1; without a number the first one that fails, or else the last one. */
export const showVmcs =
  (atEntry: number | undefined): Report =>
  ({ machine }, print, json) => {
    let entries = 0;
    let last: number | undefined;
    let printed = false;

    const show = (vmcs: number, failure: EntryFailure | undefined): true => {
      printed = true;
      for (const line of json
        ? [jsonOf(machine, vmcs, entries, failure)]
        : textOf(machine, vmcs, entries, failure)) {
        print(line);
      }
      return true;
    };
    machine.observers.onWorldSwitch = (event) => {
      if (event.direction !== 'entry') return false;
      entries++;
      last = event.vmcs;
      return entries === atEntry && show(event.vmcs, undefined);
    };
    machine.observers.onEntryFailure = (failure) => {
      entries++;
      last = failure.vmcs;
      return (atEntry === undefined || entries === atEntry) && show(failure.vmcs, failure);
    };
    return {
      isDone: () => printed,
      finish: () => {
        if (printed) return;
        if (atEntry === undefined && last !== undefined) show(last, undefined);
        else print(`there were ${entries} VM entries`);
      },
    };
  };

/** A line for each VMREAD and VMWRITE. */
export const traceVmcsAccesses: Report = ({ machine }, print, json) => {
  machine.observers.onVmcsAccess = (access) => {
    const { value, vmcs, rip } = access;
    print(
      json
        ? JSON.stringify({ ...access, value: hex(value), vmcs: hex(vmcs), rip: hex(rip) })
        : vmcsAccessText(access),
    );
  };
  return { finish: () => undefined };
};

function jsonOf(machine: Machine, vmcs: number, entry: number, failure: EntryFailure | undefined): string {
  const fields = describe({ debuggee: { machine } }, vmcs).flatMap((group) => group.fields);
  return JSON.stringify({
    entry,
    vmcs: hex(vmcs),
    failure: failure ? explainEntryFailure(failure) : null,
    fields: Object.fromEntries(fields.map(({ field, value }) => [field.name, hex(value)])),
    explanation: vmEntryRow(machine, vmcs),
  });
}

function textOf(
  machine: Machine,
  vmcs: number,
  entry: number,
  failure: EntryFailure | undefined,
): readonly string[] {
  return [
    `VM entry ${entry} with the VMCS at ${hex(vmcs)}`,
    ...describe({ debuggee: { machine } }, vmcs).flatMap(({ group, fields }) => [
      '',
      group,
      ...fields.map(
        ({ field, value, text }) =>
          `  ${field.name} = ${hex(value)}${text === undefined ? '' : ` (${text})`}`,
      ),
    ]),
    '',
    ...(failure ? [explainEntryFailure(failure)] : []),
    ...explanationOf(machine, vmcs),
  ];
}

function explanationOf(machine: Machine, vmcs: number): readonly string[] {
  const row = vmEntryRow(machine, vmcs);
  if (!row) return ['there is no VMCS at that address'];
  const lines = row.violations.map(
    ({ id, section, wording, expected, found, outcome }) =>
      `  ${id} (SDM ${section}): ${wording} Expected ${expected}, found ${found}: ${outcome}.`,
  );
  const verdict = row.enters
    ? `none of ${row.rules} rules is violated: it would enter`
    : `${lines.length} of ${row.rules} rules are violated:`;
  return [`With the VMCS as it is now ${verdict}`, ...lines];
}
