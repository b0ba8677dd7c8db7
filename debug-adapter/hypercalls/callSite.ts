/** Where a hypercall was made: a guest in C makes it through a function of kvm_para.h, whose caller is what counts. */
import { GENERAL_REGISTERS } from '../../emulator/cpu/layout.js';
import type { Machine } from '../../emulator/machine/machineTypes.js';
import type { WorldSwitch } from '../../emulator/machine/worldSwitch.js';
import type { DebugInfo, SourceLocation } from '../../toolchain/debuginfo/debugInfo.js';
import type { MachineContext } from '../../toolchain/debuginfo/machineContext.js';
import { guestTranslation } from '../debuggee/translation.js';

/** Functions that hold nothing but the instruction: those of kvm_para.h, here and in Linux. */
const WRAPPER = /^_?kvm_(sev_)?hypercall\d?$/;

/** DWARF numbers of the general registers by their encoding (System V ABI; the i386 ABI numbers them as they are encoded). */
const ENCODING_OF_DWARF_64 = [0, 2, 1, 3, 6, 7, 5, 4, 8, 9, 10, 11, 12, 13, 14, 15];

export class CallSites {
  /** By the address of the instruction: whether it stands in such a function. */
  private readonly wrapped = new Map<bigint, boolean>();

  constructor(
    private readonly machine: Machine,
    private readonly guest: DebugInfo,
  ) {}

  /**
   * A linear address in the line that made the call: the instruction's, or that of the call of the function that holds it.
   * To be asked at the VM exit, while the guest's stack is as it left it.
   */
  of(event: WorldSwitch): bigint {
    const address = event.csBase + event.rip;
    if (!this.isWrapped(address)) return address;
    const caller = this.guest.unwind(address, this.contextOf(event));
    return caller ? caller.returnAddress - 1n : address;
  }

  private isWrapped(address: bigint): boolean {
    let wrapped = this.wrapped.get(address);
    if (wrapped === undefined) {
      wrapped = WRAPPER.test(this.guest.functionAt(address)?.name ?? '');
      this.wrapped.set(address, wrapped);
    }
    return wrapped;
  }

  private contextOf(event: WorldSwitch): MachineContext {
    const { machine } = this;
    const bits = event.codeBits === 64 ? 64 : 32;
    const translation = guestTranslation(machine, event.vmcs);
    return {
      bits,
      cfa: undefined,
      register: (dwarfNumber) => {
        if (dwarfNumber === (bits === 64 ? GENERAL_REGISTERS.length : GENERAL_REGISTERS.length / 2))
          return event.rip;
        const encoding = bits === 64 ? ENCODING_OF_DWARF_64[dwarfNumber] : dwarfNumber;
        return encoding === undefined ? undefined : BigInt.asUintN(bits, event.registers[encoding]);
      },
      readMemory: (at, length) => {
        const bytes = machine.readLinear(at, length, translation);
        return bytes.length === length ? bytes : undefined;
      },
    };
  }
}

/** The line of a call site: outside the functions that hold the instruction, where those are inlined. */
export function callPlace(callSite: bigint, guest: DebugInfo): SourceLocation | undefined {
  let place: SourceLocation | undefined = guest.lineAt(callSite);
  for (const { name, call } of guest.inlineFramesAt(callSite)) {
    if (!WRAPPER.test(name)) break;
    place = call ?? place;
  }
  return place;
}
