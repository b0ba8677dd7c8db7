/** World-switch events for observers. Built only when there is one. */
import { GENERAL_REGISTERS, layout } from '../cpu/layout.js';
import { codeBits } from '../cpu/registerBits.js';
import type { ExitInformation, WorldSwitch } from '../machine/worldSwitch.js';
import type { VmxContext } from './context.js';

const FIRST_REGISTER = layout.rax >> 3;

/** The guest as the processor state holds it now: before host state is loaded, or after guest state was. */
export function worldSwitchEvent(context: VmxContext, exit: ExitInformation | undefined): WorldSwitch {
  const { memory, state, clock, position } = context.processor;
  return {
    direction: exit ? 'exit' : 'entry',
    position,
    virtualNs: clock.now,
    vmcs: state.currentVmcs,
    registers: memory.u64.slice(FIRST_REGISTER, FIRST_REGISTER + GENERAL_REGISTERS.length),
    rip: state.rip,
    rflags: context.rflags,
    cpl: state.cpl,
    cr3: state.cr3,
    codeBits: codeBits(state),
    csBase: state.csBase,
    exit,
  };
}
