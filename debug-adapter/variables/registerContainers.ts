/** Registers as variables: lists, the bits of one, segments with their parts. */
import { SEGMENTS } from '../../emulator/cpu/layout.js';
import { formatReference } from '../breakpoints/reference.js';
import type { Container, Page, VariableRow } from './container.js';
import { pageOf } from './container.js';
import type { FrameContext } from './frameContext.js';
import { numberFrom } from './frameContext.js';
import type { NumberFormat } from './numberFormat.js';
import { fitted, formatNumber, hex, VariableError } from './numberFormat.js';
import { registerParts, wholeRegisters } from './registerNames.js';
import { bitsOfRegister, registerDetail } from './registerText.js';

/** Width of a register in bits: 1 for a flag. */
const widthOf = (name: string): number =>
  registerParts.get(name)?.width ?? wholeRegisters.get(name)?.bits ?? 64;

/** Sets a register of a frame. Throws VariableError that says why it cannot be. */
export function setRegister(name: string, text: string, context: FrameContext): void {
  const { frame } = context;
  const register = name.toLowerCase();
  if (!frame.registers.read(register))
    throw new VariableError(`there is no register "${name}" in this frame`);
  const value = fitted(numberFrom(text, context), widthOf(register), name);
  if (frame.registers.write(register, value)) return;
  throw new VariableError(
    frame.level > 0
      ? `${name} of a calling frame cannot be changed: it is restored when the function returns`
      : `${name} cannot be changed here`,
  );
}

/** A register of a frame; undefined when its value is not known there. */
export function registerRow(
  name: string,
  context: FrameContext,
  format: NumberFormat,
  shown = name,
): VariableRow | undefined {
  const register = context.frame.registers.read(name);
  if (!register) return undefined;
  const hasBits = bitsOfRegister(name).length > 0;
  const isAddress = !hasBits && wholeRegisters.has(name) && register.bits === 64;
  return {
    name: shown,
    value: widthOf(name) === 1 ? register.value.toString() : formatNumber(register.value, format),
    type: registerDetail(name, register.value),
    evaluateName: `$${name}`,
    memoryReference: isAddress ? formatReference(context.frame.world, register.value) : undefined,
    children: hasBits ? new RegisterBits(name, context) : undefined,
  };
}

function rowOf(name: string, context: FrameContext, format: NumberFormat, shown = name): VariableRow {
  const row = registerRow(name, context, format, shown);
  if (!row) throw new VariableError(`there is no register "${shown}" in this frame`);
  return row;
}

/** Registers by their names, in capital letters as the manual has them where `capitals`. */
export class RegisterList implements Container {
  constructor(
    private readonly names: readonly string[],
    private readonly context: FrameContext,
    private readonly capitals = false,
  ) {}

  rows(format: NumberFormat, page: Page): readonly VariableRow[] {
    const { context } = this;
    const rows = this.names.map((name) => registerRow(name, context, format, this.shown(name)));
    return pageOf(
      rows.filter((row) => row !== undefined),
      page,
    );
  }

  set(name: string, text: string, format: NumberFormat): VariableRow {
    const register = this.names.find((candidate) => this.shown(candidate) === name);
    if (!register) throw new VariableError(`there is no register "${name}" here`);
    setRegister(register, text, this.context);
    return rowOf(register, this.context, format, name);
  }

  private shown(name: string): string {
    return this.capitals ? name.toUpperCase() : name;
  }
}

/** The named bits of a register, each 0 or 1. */
class RegisterBits implements Container {
  constructor(
    private readonly register: string,
    private readonly context: FrameContext,
  ) {}

  rows(_format: NumberFormat, page: Page): readonly VariableRow[] {
    const value = this.value;
    const rows = bitsOfRegister(this.register).map(({ name, mask }) => bitRow(name, (value & mask) !== 0n));
    return pageOf(rows, page);
  }

  set(name: string, text: string): VariableRow {
    const bit = bitsOfRegister(this.register).find((candidate) => candidate.name === name);
    if (!bit) throw new VariableError(`${this.register} has no bit "${name}"`);
    const isSet = fitted(numberFrom(text, this.context), 1, name) !== 0n;
    const value = isSet ? this.value | bit.mask : this.value & ~bit.mask;
    setRegister(this.register, hex(value), this.context);
    return bitRow(name, isSet);
  }

  private get value(): bigint {
    return this.context.frame.registers.read(this.register)?.value ?? 0n;
  }
}

export const bitRow = (name: string, isSet: boolean): VariableRow => ({ name, value: isSet ? '1' : '0' });

const DESCRIPTOR_TABLES = ['gdtr', 'idtr'] as const;

/** The registers that make up a segment register, by the name of the part. */
export function segmentParts(name: string): Readonly<Record<string, string>> {
  const table = { base: `${name}base`, limit: `${name}limit` };
  return wholeRegisters.has(name) ? { selector: name, ...table, access: `${name}access` } : table;
}

/** A segment or descriptor-table register in one line. */
export function segmentText(name: string, context: FrameContext, format: NumberFormat): string | undefined {
  const { registers } = context.frame;
  const parts = Object.entries(segmentParts(name)).map(([part, register]) => {
    const value = registers.read(register)?.value;
    if (value === undefined) return undefined;
    if (part === 'selector') return formatNumber(value, format);
    return part === 'access' ? registerDetail(register, value) : `${part} ${formatNumber(value, format)}`;
  });
  return parts.includes(undefined) ? undefined : parts.join(', ');
}

/** Segment registers, LDTR, TR, GDTR and IDTR; the parts of each can be changed, as they stand in the processor. */
export class SegmentList implements Container {
  constructor(private readonly context: FrameContext) {}

  rows(format: NumberFormat, page: Page): readonly VariableRow[] {
    const names = [...SEGMENTS, ...DESCRIPTOR_TABLES];
    return pageOf(names, page).flatMap((name): VariableRow[] => {
      const value = segmentText(name, this.context, format);
      if (value === undefined) return [];
      const children = new SegmentPartList(name, this.context);
      return [{ name, value, presentationHint: { attributes: ['readOnly'] }, children }];
    });
  }

  set(name: string): VariableRow {
    throw new VariableError(`change the selector, base, limit or access of ${name} below it`);
  }
}

class SegmentPartList implements Container {
  constructor(
    private readonly segment: string,
    private readonly context: FrameContext,
  ) {}

  rows(format: NumberFormat, page: Page): readonly VariableRow[] {
    const parts = Object.entries(segmentParts(this.segment));
    return pageOf(parts, page).map(([part, register]) => rowOf(register, this.context, format, part));
  }

  set(name: string, text: string, format: NumberFormat): VariableRow {
    const register = segmentParts(this.segment)[name];
    if (!register) throw new VariableError(`${this.segment} has no "${name}"`);
    setRegister(register, text, this.context);
    return rowOf(register, this.context, format, name);
  }
}
