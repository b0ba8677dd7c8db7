/** References to code with the generation of what it held: code that was patched gets a new reference. */
import type { World } from '../../emulator/machine/machineTypes.js';
import { formatReference } from '../breakpoints/reference.js';

/** For `instructionPointerReference` of a frame. Generation 0 stands for code that never changed. */
export function instructionReference(world: World, address: bigint, generation: number): string {
  const reference = formatReference(world, address);
  return generation === 0 ? reference : `${reference}#${generation}`;
}

/** What `parseReference` reads. */
export function withoutGeneration(reference: string): string {
  return reference.replace(/#\d+$/, '');
}
