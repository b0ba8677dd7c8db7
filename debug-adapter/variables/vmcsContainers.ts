/** A VMCS as variables: groups, fields, bits. */
import type { DescribedField } from '../../emulator/vmx/description.js';
import { describeVmcs } from '../../emulator/vmx/description.js';
import type { VmcsField } from '../../emulator/vmx/fields.js';
import type { Container, Page, VariableRow } from './container.js';
import { pageOf } from './container.js';
import type { FrameContext } from './frameContext.js';
import { numberFrom, widthInBits } from './frameContext.js';
import type { NumberFormat } from './numberFormat.js';
import { fitted, formatNumber, hex, VariableError } from './numberFormat.js';
import { bitRow } from './registerContainers.js';

/** Every field by group, read from a VMCS of the machine. */
export const describe = (
  { debuggee: { machine } }: { readonly debuggee: Pick<FrameContext['debuggee'], 'machine'> },
  vmcs: number,
) => describeVmcs({ read: (field) => machine.readVmcs(vmcs, field.encoding) ?? 0n });

/** Sets a field. Throws VariableError that says why it cannot be. */
export function setField(
  field: VmcsField,
  value: bigint,
  vmcs: number,
  debuggee: FrameContext['debuggee'],
): bigint {
  const cut = fitted(value, widthInBits(field), field.name);
  if (!debuggee.machine.writeVmcs(vmcs, field.encoding, cut)) {
    throw new VariableError(`${field.name} cannot be changed: there is no VMCS at ${hex(vmcs)}`);
  }
  return cut;
}

export class VmcsGroups implements Container {
  constructor(
    private readonly vmcs: number,
    private readonly context: FrameContext,
  ) {}

  rows(_format: NumberFormat, page: Page): readonly VariableRow[] {
    return pageOf(describe(this.context, this.vmcs), page).map(({ group, fields }) => ({
      name: group,
      value: `${fields.length} fields`,
      presentationHint: { attributes: ['readOnly'] },
      children: new VmcsFields(this.vmcs, group, this.context),
    }));
  }

  set(name: string): VariableRow {
    throw new VariableError(`"${name}" is a group of fields`);
  }
}

class VmcsFields implements Container {
  constructor(
    private readonly vmcs: number,
    private readonly group: string,
    private readonly context: FrameContext,
  ) {}

  rows(format: NumberFormat, page: Page): readonly VariableRow[] {
    return pageOf(this.fields, page).map((field) => fieldRow(field, this.vmcs, this.context, format));
  }

  set(name: string, text: string, format: NumberFormat): VariableRow {
    const described = this.fields.find(({ field }) => field.name === name);
    if (!described) throw new VariableError(`there is no VMCS field "${name}" here`);
    const { context } = this;
    const value = setField(described.field, numberFrom(text, context), this.vmcs, context.debuggee);
    return fieldRow({ ...described, value }, this.vmcs, context, format);
  }

  private get fields(): readonly DescribedField[] {
    const groups = describe(this.context, this.vmcs);
    return groups.find(({ group }) => group === this.group)?.fields ?? [];
  }
}

class VmcsBits implements Container {
  constructor(
    private readonly vmcs: number,
    private readonly field: VmcsField,
    private readonly context: FrameContext,
  ) {}

  rows(_format: NumberFormat, page: Page): readonly VariableRow[] {
    return pageOf(this.bits, page).map(({ name, set, effect }) => ({ ...bitRow(name, set), type: effect }));
  }

  set(name: string, text: string): VariableRow {
    const bit = this.bits.find((candidate) => candidate.name === name);
    if (!bit) throw new VariableError(`${this.field.name} has no bit "${name}"`);
    const { debuggee } = this.context;
    const isSet = fitted(numberFrom(text, this.context), 1, name) !== 0n;
    const mask = 1n << BigInt(bit.bit);
    const old = debuggee.machine.readVmcs(this.vmcs, this.field.encoding) ?? 0n;
    setField(this.field, isSet ? old | mask : old & ~mask, this.vmcs, debuggee);
    return bitRow(name, isSet);
  }

  private get bits(): DescribedField['bits'] {
    const fields = describe(this.context, this.vmcs).flatMap((group) => group.fields);
    return fields.find(({ field }) => field.encoding === this.field.encoding)?.bits ?? [];
  }
}

function fieldRow(
  { field, value, text, bits }: DescribedField,
  vmcs: number,
  context: FrameContext,
  format: NumberFormat,
): VariableRow {
  return {
    name: field.name,
    value: formatNumber(value, format),
    type: text ?? field.constant,
    evaluateName: `vmcs.${field.name}`,
    children: bits.length > 0 ? new VmcsBits(vmcs, field, context) : undefined,
  };
}

/** The row of one field. */
export function fieldRowOf(
  wanted: VmcsField,
  vmcs: number,
  context: FrameContext,
  format: NumberFormat,
): VariableRow | undefined {
  const fields = describe(context, vmcs).flatMap((group) => group.fields);
  const described = fields.find(({ field }) => field.encoding === wanted.encoding);
  return described && fieldRow(described, vmcs, context, format);
}
