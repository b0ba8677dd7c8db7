/** What the views remember of the last stop, so that they can mark what has changed since. */
import { vmcsFields } from '../../emulator/vmx/fields.js';
import type { NamedRegisters } from '../../toolchain/debuginfo/expression.js';
import type { Debuggee } from '../debuggee/debuggee.js';
import type { CodeFrame } from '../stack/frame.js';
import { currentRegisters, guestRegisters } from '../variables/registerFile.js';
import { allRegisterNames } from '../variables/registerNames.js';

type Values = ReadonlyMap<string | number, bigint>;

/** The registers of the root world are the processor's; those of a guest belong to its VMCS. */
const ROOT = 'root';

export class ViewState {
  private registers = new Map<number | typeof ROOT, Values>();
  private fields = new Map<number, Values>();

  /** Takes the values as they are before the machine goes on. */
  remember(debuggee: Debuggee): void {
    const { machine } = debuggee;
    const guests = new Set(debuggee.lastExits.keys());
    if (machine.currentVmcs !== undefined) guests.add(machine.currentVmcs);
    if (machine.world === 'root') this.registers.set(ROOT, valuesOf(currentRegisters(machine)));
    for (const vmcs of guests) {
      this.registers.set(vmcs, valuesOf(guestRegisters(debuggee, vmcs)));
      this.fields.set(vmcs, fieldsOf(debuggee, vmcs));
    }
  }

  /** Whether a register had another value when its world was last stopped in. Calling frames have no history. */
  isRegisterChanged(frame: CodeFrame, name: string, value: bigint): boolean {
    const before = this.registers.get(frame.vmcs ?? ROOT)?.get(name);
    return frame.level === 0 && before !== undefined && before !== value;
  }

  /** What a field was when the machine last stopped, where that differs from `value`. */
  fieldBefore(vmcs: number, encoding: number, value: bigint): bigint | undefined {
    const before = this.fields.get(vmcs)?.get(encoding);
    return before === value ? undefined : before;
  }
}

function valuesOf(registers: NamedRegisters): Values {
  const values = new Map<string, bigint>();
  for (const name of allRegisterNames) {
    const register = registers.read(name);
    if (register) values.set(name, register.value);
  }
  return values;
}

function fieldsOf({ machine }: Debuggee, vmcs: number): Values {
  const values = new Map<number, bigint>();
  for (const { encoding } of vmcsFields) {
    const value = machine.readVmcs(vmcs, encoding);
    if (value !== undefined) values.set(encoding, value);
  }
  return values;
}
