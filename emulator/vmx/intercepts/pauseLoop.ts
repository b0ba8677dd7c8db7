/** PAUSE-loop exiting, SDM 3C 26.1.3. */
import type { VmxContext } from '../context.js';
import { Secondary } from '../controls.js';
import { Field } from '../fields.js';

/**
 * Does this PAUSE end a loop that took longer than PLE_Window? A PAUSE later than PLE_Gap after the one before, and the
 * first one after a VM entry, begin a loop.
 */
export function pauseLoopExits(context: VmxContext): boolean {
  const { clock, state } = context.processor;
  if (state.cpl !== 0 || !context.secondary(Secondary.pauseLoopExiting)) return false;
  const now = BigInt(Math.floor(clock.now)) + state.tscAdjust;
  const begins =
    state.pauseLoopLast === 0n || now - state.pauseLoopLast > BigInt(context.vmcs.read32(Field.pleGap));
  if (begins) state.pauseLoopFirst = now;
  state.pauseLoopLast = now;
  return now - state.pauseLoopFirst > BigInt(context.vmcs.read32(Field.pleWindow));
}
