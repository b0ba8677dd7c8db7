/** A hypercall as variables: `RAX  0x5 → 0x0`. */
import type { LoggedCall } from '../hypercalls/log.js';
import { SHOWN_REGISTERS } from '../hypercalls/conventions.js';
import { nameOf } from '../hypercalls/record.js';
import type { Container, Page, VariableRow } from './container.js';
import { pageOf } from './container.js';
import type { FrameContext } from './frameContext.js';
import { numberFrom, vcpuVmcsOf } from './frameContext.js';
import type { NumberFormat } from './numberFormat.js';
import { fitted, formatNumber, VariableError } from './numberFormat.js';
import { guestRegisters } from './registerFile.js';

/** Bytes of VMCALL and VMMCALL. */
const CALL_BYTES = 3n;
/** How far back in the log the last call of a virtual processor is looked for. */
const MOST_LOOKED_AT = 64;

/** The call that a frame is about: the open one of its virtual processor, or in the guest, right behind one, that one. */
export function hypercallOf(context: FrameContext): LoggedCall | undefined {
  const { debuggee, frame } = context;
  const vmcs = vcpuVmcsOf(context);
  if (vmcs === undefined) return undefined;
  const open = debuggee.log.openCallOf(vmcs);
  if (open || frame.world !== 'guest' || frame.level !== 0) return open;
  const last = lastCallOf(vmcs, context);
  return last && last.csBase + last.rip + CALL_BYTES === frame.pc ? last : undefined;
}

function lastCallOf(vmcs: number, { debuggee: { log } }: FrameContext): LoggedCall | undefined {
  const end = Math.max(0, log.length - MOST_LOOKED_AT);
  for (let seq = log.length - 1; seq >= end; seq--) {
    const call = log.at(seq);
    if (call.vmcs === vmcs) return call;
  }
  return undefined;
}

export class HypercallRegisters implements Container {
  constructor(
    private readonly call: LoggedCall,
    private readonly context: FrameContext,
  ) {}

  rows(format: NumberFormat, page: Page): readonly VariableRow[] {
    const { call } = this;
    const { debuggee } = this.context;
    const name = nameOf(debuggee.log, call, debuggee.ownHypercalls);
    const readOnly = { attributes: ['readOnly'] };
    const number = `${formatNumber(call.nr, format)}${name ? ` ${name}` : ''}`;
    const result = debuggee.log.resultOf(call);
    return pageOf(
      [
        { name: 'hypercall', value: number, presentationHint: readOnly },
        ...SHOWN_REGISTERS.map((_register, index) => this.row(index, format)),
        { name: 'result', value: result ?? 'not answered yet', presentationHint: readOnly },
      ],
      page,
    );
  }

  /** Sets the guest's register as it is now: what was before the call is history. */
  set(name: string, text: string, format: NumberFormat): VariableRow {
    const index = SHOWN_REGISTERS.findIndex((register) => register.toUpperCase() === name);
    if (index < 0) throw new VariableError(`"${name}" cannot be changed`);
    if (this.call.after) throw new VariableError(`the call is answered: change ${name} among the registers`);
    const typed = text.includes('→') ? text.slice(text.lastIndexOf('→') + 1) : text;
    const value = fitted(numberFrom(typed, this.context), 64, name);
    const registers = guestRegisters(this.context.debuggee, this.call.vmcs);
    if (!registers.write(SHOWN_REGISTERS[index], value)) {
      throw new VariableError(
        `the guest's ${name} cannot be changed: the host does not publish where it keeps it`,
      );
    }
    return this.row(index, format);
  }

  private row(index: number, format: NumberFormat): VariableRow {
    const { call, context } = this;
    const register = SHOWN_REGISTERS[index];
    const now = call.after
      ? call.after[index]
      : guestRegisters(context.debuggee, call.vmcs).read(register)?.value;
    const before = formatNumber(call.before[index], format);
    const value = `${before} → ${now === undefined ? '?' : formatNumber(now, format)}`;
    const presentationHint = call.after ? { attributes: ['readOnly'] } : undefined;
    return { name: register.toUpperCase(), value, presentationHint };
  }
}
