/** The bodies of `hyperstep/vmcs` and `hyperstep/setVmcsField`. */
import type { DescribedField } from '../../emulator/vmx/description.js';
import { controlFields } from '../../emulator/vmx/controls.js';
import { fieldAccess } from '../../emulator/vmx/fields.js';
import type { Debuggee } from '../debuggee/debuggee.js';
import type { HyperstepRequests, VmcsFieldRow } from '../protocol.js';
import type { FrameContext } from '../variables/frameContext.js';
import { numberFrom, widthInBits } from '../variables/frameContext.js';
import { hex, parseNumber, VariableError } from '../variables/numberFormat.js';
import { describe, setField } from '../variables/vmcsContainers.js';
import type { ViewState } from './viewState.js';
import { vmEntryRow } from './vmEntryRow.js';

const controls = new Map(controlFields.map((control) => [control.field, control.bits]));

/** Bits with names. The controls show also those that this processor does not implement: they must be 0. */
function bitsOf({ field, value, bits }: DescribedField): VmcsFieldRow['bits'] {
  const control = controls.get(field.name);
  if (!control) return bits.map(({ name, set }) => ({ name, set, implemented: true }));
  return control.map(({ bit, wording, implemented }) => ({
    name: wording,
    set: ((value >> BigInt(bit)) & 1n) !== 0n,
    implemented,
  }));
}

/** All fields of a VMCS by group; no group without a VMCS. */
export function vmcsView(
  debuggee: Debuggee,
  vmcs: number | undefined,
  views: ViewState,
): HyperstepRequests['hyperstep/vmcs']['body'] {
  if (vmcs === undefined) return { vmcs: null, groups: [], entry: null };
  const groups = describe({ debuggee }, vmcs).map(({ group, fields }) => ({
    name: group,
    fields: fields.map((described): VmcsFieldRow => {
      const { field, value } = described;
      const before = views.fieldBefore(vmcs, field.encoding, value);
      return {
        encoding: field.encoding,
        name: field.name,
        kernelName: field.constant,
        value: hex(value),
        width: widthInBits(field),
        readOnly: field.readOnly,
        changed: before !== undefined,
        before: before === undefined ? undefined : hex(before),
        bits: bitsOf(described),
      };
    }),
  }));
  return { vmcs: hex(vmcs), groups, entry: vmEntryRow(debuggee.machine, vmcs) };
}

/**
 * Changes a field, also one that VMWRITE may not write: what the host reads next is what the user wants it to read.
 * `context`: where an expression is evaluated; without it only numbers are taken. Throws VariableError or
 * ExpressionError with the reason.
 */
export function setVmcsField(
  debuggee: Debuggee,
  vmcs: number | undefined,
  { encoding, value }: HyperstepRequests['hyperstep/setVmcsField']['arguments'],
  context: FrameContext | undefined,
): HyperstepRequests['hyperstep/setVmcsField']['body'] {
  const access = fieldAccess(encoding);
  if (!access || access.high) throw new VariableError(`there is no VMCS field ${hex(encoding)}`);
  if (vmcs === undefined) throw new VariableError('there is no current VMCS');
  const number = context ? numberFrom(value, context) : parseNumber(value);
  if (number === undefined) throw new VariableError(`"${value}" is not a number`);
  return { value: hex(setField(access.field, number, vmcs, debuggee)) };
}
