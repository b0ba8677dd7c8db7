/** The memory that a `readMemory` or `writeMemory` request means. */
import type { TranslationContext, World } from '../../emulator/machine/machineTypes.js';
import { parseReference } from '../breakpoints/reference.js';
import type { Debuggee } from '../debuggee/debuggee.js';
import { translationOf } from '../disassembly/codeSpace.js';
import { withoutGeneration } from '../disassembly/instructionReference.js';
import { RequestError } from '../session/requestError.js';

/** The world and the guest of the focused frame, for references that name none. */
export interface MemoryContext {
  readonly world: World;
  readonly vmcs: number | undefined;
}

export interface MemoryRange {
  readonly address: bigint;
  readonly translation: TranslationContext;
}

/** Throws an Error with a user's message. */
export function resolveMemory(
  debuggee: Debuggee,
  reference: string,
  offset: number,
  context: MemoryContext,
): MemoryRange {
  const { world, address } = parseReference(withoutGeneration(reference), context.world);
  const translation = translationOf(debuggee, world, context.vmcs);
  if (!translation) throw new RequestError('no guest is there yet: its memory cannot be read');
  return { address: BigInt.asUintN(64, address + BigInt(offset)), translation };
}
