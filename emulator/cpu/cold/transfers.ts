/** Far transfers, software interrupts and fast system calls as instructions. */
import type { Instruction } from '../../isa/instruction.js';
import { callFar, jumpFar, returnFar } from '../farTransfer.js';
import type { FarPointer } from '../farTransfer.js';
import type { Fault } from '../fault.js';
import { invalidOpcode, Vector } from '../fault.js';
import { readRflags } from '../flags.js';
import { returnFromInterrupt } from '../iret.js';
import { Rflags } from '../registerBits.js';
import type { ColdSemantics, Processor } from '../seams.js';
import { Cold } from '../seams.js';
import type { Failure } from './operands.js';
import { failed } from './operands.js';
import { memoryOperand, readFarPointer } from './segments.js';
import type { ColdTable } from './semantics.js';
import { nextRip } from './semantics.js';
import { alignmentCheckWanted } from './flags.js';

/** A far pointer in the instruction (offset, selector) or in memory. */
function farPointer(processor: Processor, instruction: Instruction): FarPointer | Failure {
  const [offset, selector] = instruction.operands;
  if (offset.kind === 'immediate' && selector.kind === 'immediate') {
    return { offset: offset.value, selector: Number(selector.value) };
  }
  return readFarPointer(processor, instruction, memoryOperand(instruction, 0));
}

/** The event of INT n, INT3, INTO and INT1, as the value that the run loop delivers. */
const softwareEvent = (vector: number, source: Fault['source']): Fault => ({
  kind: 'fault',
  vector,
  errorCode: undefined,
  address: 0n,
  source,
});

const interrupt: ColdSemantics = {
  execute: (_, instruction) => {
    const [vector] = instruction.operands;
    if (vector.kind !== 'immediate') return invalidOpcode();
    return softwareEvent(Number(vector.value & 0xffn), 'softwareInterrupt');
  },
};

export const transferInstructions: ColdTable = {
  jmpFar: {
    execute: (processor, instruction) => {
      const to = farPointer(processor, instruction);
      if (to === 'exited' || 'kind' in to) return failed(to);
      return jumpFar(processor, to, instruction.operandSize);
    },
  },
  callFar: {
    execute: (processor, instruction) => {
      const to = farPointer(processor, instruction);
      if (to === 'exited' || 'kind' in to) return failed(to);
      return callFar(processor, to, instruction.operandSize, nextRip(instruction));
    },
  },
  retf: {
    execute: (processor, instruction) => {
      const parameters = instruction.operands[0];
      const bytes = parameters?.kind === 'immediate' ? Number(parameters.value) : 0;
      return returnFar(processor, instruction.operandSize, bytes);
    },
  },
  iret: {
    execute: (processor, instruction) => {
      const outcome = returnFromInterrupt(processor, instruction.operandSize);
      return outcome === Cold.JUMPED ? (alignmentCheckWanted(processor) ?? outcome) : outcome;
    },
  },
  int: interrupt,
  int3: { execute: () => softwareEvent(Vector.BP, 'softwareException') },
  int1: { execute: () => softwareEvent(Vector.DB, 'privilegedSoftwareException') },
  into: {
    execute: ({ state }) =>
      (readRflags(state) & Rflags.OF) !== 0n ? softwareEvent(Vector.OF, 'softwareException') : Cold.RETIRED,
  },
  undefined: { execute: () => invalidOpcode() },
};
