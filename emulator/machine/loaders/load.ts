/** Loads what `MachineOptions` names and sets the processor to its entry. */
import type { LinearMemory, ProcessorState } from '../../cpu/state.js';
import type { MachineOptions } from '../machineTypes.js';
import { isElf, readElfImage } from './elfImage.js';
import { enterLong, enterMultiboot, enterProtected, startArea } from './entryState.js';
import { ImageError } from './imageError.js';
import { findMultibootHeader, loadMultiboot } from './multiboot.js';
import { Placement } from './placement.js';

/** Where a flat image (`.bin`) is loaded and entered. */
export const FLAT_LOAD_ADDRESS = 0x10_0000;

/** Throws ImageError when the image cannot be loaded. */
export function loadProgram(memory: LinearMemory, state: ProcessorState, options: MachineOptions): void {
  const header = findMultibootHeader(options.image);
  if (header) {
    const program = {
      name: options.imageName,
      image: options.image,
      commandLine: options.commandLine ?? '',
      modules: options.modules ?? [],
    };
    const { entry, information } = loadMultiboot(memory, program, header);
    enterMultiboot(state, entry, information);
    return;
  }
  if (options.modules?.length) {
    throw new ImageError(options.imageName, 'modules need a program with a multiboot header');
  }
  const { entry, bits } = placeProgram(memory, options);
  const mode = options.mode ?? (bits === 64 ? 'long' : 'protected');
  if (mode === 'long' && bits === 32) {
    throw new ImageError(
      options.imageName,
      'a 32-bit program cannot be started in long mode: use "mode": "protected"',
    );
  }
  if (mode === 'long') enterLong(memory, state, entry);
  else enterProtected(memory, state, entry);
}

function placeProgram(memory: LinearMemory, options: MachineOptions): { entry: bigint; bits: 32 | 64 } {
  const placement = new Placement(memory, options.imageName);
  let entry = BigInt(FLAT_LOAD_ADDRESS);
  let bits: 32 | 64 = options.mode === 'protected' ? 32 : 64;
  if (!isElf(options.image) && options.imageName.endsWith('.bin')) {
    placement.put(FLAT_LOAD_ADDRESS, options.image);
  } else {
    const elf = readElfImage(options.imageName, options.image);
    placement.putElf(elf, options.image);
    ({ entry, bits } = elf);
  }
  if (placement.top > startArea(memory).start) {
    throw new ImageError(
      options.imageName,
      'leaves no room for a stack and page tables: give the machine more memory',
    );
  }
  return { entry, bits };
}
