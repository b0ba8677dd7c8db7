/** The task-state segment as far as the hardware reads it without task switching: inner stacks, IST, I/O map. */
import type { Failure } from './cold/operands.js';
import { selectorError, SystemType, typeOf } from './descriptors.js';
import { invalidTss } from './fault.js';
import type { Processor, Unimplemented } from './seams.js';

/** SS:ESP of an inner privilege level, as the TSS holds it (SDM 3A figures 8-2 and 8-10). */
export interface InnerStack {
  readonly selector: number;
  readonly pointer: bigint;
}

/** Is the current TSS a 16-bit one? */
const isTss16 = (access: number): boolean => (typeOf(access) & ~2) === SystemType.TSS16;

/** Stack for privilege level `level` outside IA-32e mode. `ext`: the EXT bit of error codes. */
export function innerStack(processor: Processor, level: number, ext: number): InnerStack | Failure {
  const narrow = isTss16(processor.state.trAccess);
  const offset = narrow ? 2 + level * 4 : 4 + level * 8;
  const pointerSize = narrow ? 2 : 4;
  const pointer = readTss(processor, offset, pointerSize, pointerSize + 2, ext);
  if (typeof pointer !== 'bigint') return pointer;
  const selector = readTss(processor, offset + pointerSize, 2, 2, ext);
  if (typeof selector !== 'bigint') return selector;
  return { selector: Number(selector), pointer };
}

/** RSP0-RSP2 of the 64-bit TSS (SDM 3A figure 8-11). */
export const innerStackPointer64 = (processor: Processor, level: number, ext: number): bigint | Failure =>
  readTss(processor, 4 + level * 8, 8, 8, ext);

/** IST1-IST7 of the 64-bit TSS. */
export const interruptStackPointer = (processor: Processor, index: number, ext: number): bigint | Failure =>
  readTss(processor, 0x24 + (index - 1) * 8, 8, 8, ext);

function readTss(
  processor: Processor,
  offset: number,
  size: 2 | 4 | 8,
  needed: number,
  ext: number,
): bigint | Failure {
  const { state } = processor;
  if (offset + needed - 1 > state.trLimit) return invalidTss(selectorError(state.trSelector) | ext);
  return processor.linear.read(state.trBase + BigInt(offset), size, true);
}

/**
 * A task switch: in the guest a VM exit (SDM 3C 26.4.2). Outside the machine has none, and says so.
 */
export function switchTask(
  processor: Processor,
  selector: number,
  source: 'call' | 'iret' | 'jump' | 'taskGate',
  instructionLength: number,
): 'exited' | Unimplemented {
  if (processor.virtualization.interceptTaskSwitch(selector, source, instructionLength)) return 'exited';
  return { kind: 'unimplemented', what: `task switch (${source}, selector 0x${selector.toString(16)})` };
}
