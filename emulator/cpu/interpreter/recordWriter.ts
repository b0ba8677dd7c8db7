/** Writes the records of decoded instructions into the arena. */
import type { Instruction, MemoryOperand } from '../../isa/instruction.js';
import { regionRecord } from '../compiler/regionLayout.js';
import { layout } from '../layout.js';
import type { InstructionShape } from '../semantics/shape.js';
import type { LinearMemory } from '../state.js';
import { field, Handler, RECORD_SIZE, REGISTER_FIELDS } from './record.js';

const registerOffset = (number: number) => (number < 0 ? layout.zero : layout.rax + 8 * number);

export class RecordWriter {
  constructor(private readonly memory: LinearMemory) {}

  private clear(record: number, handler: number, start: number): void {
    this.memory.u8.fill(0, record, record + RECORD_SIZE);
    this.memory.u16[(record + field.handler) >> 1] = handler;
    this.memory.u16[(record + field.start) >> 1] = start;
  }

  /** A hot instruction. `start` is its offset in the linear page. */
  instruction(
    record: number,
    instruction: Instruction,
    shape: InstructionShape,
    shapeNumber: number,
    handler: number,
    start: number,
  ): void {
    const { u8, u16, i32, view } = this.memory;
    this.clear(record, handler, start);
    u16[(record + field.shape) >> 1] = shapeNumber;
    u8[record + field.length] = instruction.length;
    if (shape.codeChecked)
      i32[(record + field.displacement) >> 2] = Number(BigInt.asIntN(32, instruction.target));
    let registers = 0;
    let immediates = 0;
    shape.operands.forEach((operandShape, index) => {
      const operand = instruction.operands[index];
      switch (operand.kind) {
        case 'memory':
          this.memoryOperand(
            record,
            operand,
            instruction,
            operandShape.kind === 'memory' ? operandShape.address : 'base',
          );
          break;
        case 'immediate':
          if (immediates === 0) view.setBigUint64(record + field.immediate, operand.value, true);
          else i32[(record + field.displacement) >> 2] = Number(operand.value);
          immediates += 1;
          break;
        default: {
          const offset =
            operand.kind === 'register'
              ? registerOffset(operand.index) + (operand.high ? 1 : 0)
              : operand.kind === 'vector'
                ? layout.xmm0Low + 16 * operand.index
                : layout.esSelector + 4 * operand.index;
          u16[(record + REGISTER_FIELDS[registers]) >> 1] = offset;
          registers += 1;
        }
      }
    });
  }

  private memoryOperand(
    record: number,
    operand: MemoryOperand,
    instruction: Instruction,
    address: 'base' | 'index' | 'rip' | 'absolute',
  ): void {
    const { u8, u16, i32, view } = this.memory;
    u16[(record + field.base) >> 1] = registerOffset(operand.base);
    u16[(record + field.index) >> 1] = registerOffset(operand.index);
    u8[record + field.scale] = operand.scale;
    // ES of a string destination is fixed; the segment of the other operand is kept.
    if (instruction.row.operands[instruction.operands.indexOf(operand)][0] !== 'Y') {
      u16[(record + field.segmentBase) >> 1] = layout.esBase + 8 * operand.segment;
    }
    const next = instruction.rip + BigInt(instruction.length);
    const displacement = address === 'rip' ? operand.displacement - next : operand.displacement;
    if (address === 'absolute')
      view.setBigInt64(record + field.immediate, BigInt.asIntN(64, displacement), true);
    else i32[(record + field.displacement) >> 2] = Number(BigInt.asIntN(32, displacement));
  }

  setRemaining(record: number, remaining: number): void {
    this.memory.u8[record + field.remaining] = remaining;
  }

  setHandler(record: number, handler: number): void {
    this.memory.u16[(record + field.handler) >> 1] = handler;
  }

  setLink(record: number, linkField: number, target: number): void {
    this.memory.u32[(record + linkField) >> 2] = target;
  }

  /** A record that leaves to TypeScript. */
  event(record: number, start: number): void {
    this.clear(record, Handler.EVENT, start);
  }
  stop(record: number, start: number): void {
    this.clear(record, Handler.STOP, start);
  }
  /** The end of a block without a branch; its link is in `next`. */
  end(record: number, start: number): void {
    this.clear(record, Handler.NEXT, start);
  }
  /** Makes the first record of a block, of which `plain` is a copy, the entry of a compiled region. */
  region(record: number, functionIndex: number, entry: number, plain: number): void {
    const { u32 } = this.memory;
    this.setHandler(record, Handler.REGION);
    u32[(record + regionRecord.function) >> 2] = functionIndex;
    u32[(record + regionRecord.entry) >> 2] = entry;
    u32[(record + regionRecord.plain) >> 2] = plain;
  }
  /** A link to the same page that is resolved when it is first followed. */
  link(record: number, start: number, owner: number, linkField: number): void {
    this.clear(record, Handler.LINK, start);
    this.memory.u32[(record + field.immediate) >> 2] = owner;
    this.memory.u32[(record + field.next) >> 2] = linkField;
  }
  /** A jump through the jump cache. */
  far(record: number, rip: bigint): void {
    this.clear(record, Handler.FAR, 0);
    this.memory.view.setBigUint64(record + field.immediate, rip, true);
  }
}
