/** What the machine is run for: until something stops it, or for a step. */
import type { World } from '../../emulator/machine/machineTypes.js';
import type { WorldSwitch } from '../../emulator/machine/worldSwitch.js';

/** How a plan wants the machine to move next. */
export type Motion =
  /** At full speed, to `stopAt` addresses and wanted world switches. */
  | { readonly kind: 'run'; readonly stopAt?: Partial<Record<World, bigint>> }
  /** One instruction at a time. */
  | { readonly kind: 'step' };

/** A step, or plain running. The runner asks `motion`, moves the machine, and tells what it met. */
export interface Plan {
  /** What the stop is called when the plan is complete. */
  readonly reason: 'step' | 'entry';
  motion(): Motion;
  /** One instruction is done (motion 'step'), or a `stopAt` address is reached. True: the step is complete. */
  arrived(): boolean;
  /** Should the machine stop for this switch? True stops, and `arrived` is asked. */
  wantsSwitch(event: WorldSwitch): boolean;
}

/** Until a breakpoint, the end or the user. */
export const runFreely: Plan = {
  reason: 'step',
  motion: () => ({ kind: 'run' }),
  arrived: () => false,
  wantsSwitch: () => false,
};
