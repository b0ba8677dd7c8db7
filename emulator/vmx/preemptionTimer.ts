/** The VMX-preemption timer, SDM 3C 26.5.1: it counts down with every tick of the TSC. */
import { layout } from '../cpu/layout.js';
import type { VmxContext } from './context.js';
import { Exit, Pin } from './controls.js';
import { Field } from './fields.js';

/** IA32_VMX_MISC bits 4:0: the TSC bit whose changes the timer counts. */
export const PREEMPTION_TIMER_SHIFT = 0;

/** `preemptionDeadline` of a guest without the timer. */
const OFF = 0n;

/** At VM entry: starts the timer from its VMCS field. */
export function startPreemptionTimer(context: VmxContext): void {
  const { state } = context.processor;
  state.preemptionDeadline = OFF;
  if (!context.pin(Pin.activatePreemptionTimer)) return;
  const now = Math.floor(context.processor.clock.now);
  // The guest's offset and multiplier of the TSC do not matter.
  state.preemptionDeadline = BigInt(now + context.vmcs.read32(Field.preemptionTimerValue));
}

/** At VM exit: stops the timer; its value goes to the VMCS with "save VMX-preemption timer value". */
export function stopPreemptionTimer(context: VmxContext): void {
  const { state } = context.processor;
  const deadline = state.preemptionDeadline;
  state.preemptionDeadline = OFF;
  if (deadline === OFF || !context.exit(Exit.savePreemptionTimer)) return;
  const left = Number(deadline) - Math.floor(context.processor.clock.now);
  context.vmcs.write32(Field.preemptionTimerValue, Math.max(0, left));
}

/** Virtual time at which the timer reaches zero, or Infinity. */
export function preemptionDeadline({ processor: { memory } }: VmxContext): number {
  // Asked at every instruction boundary of a guest: no bigint.
  const low = memory.u32[layout.preemptionDeadline >> 2];
  const high = memory.u32[(layout.preemptionDeadline >> 2) + 1];
  return low === 0 && high === 0 ? Infinity : high * 2 ** 32 + low;
}
