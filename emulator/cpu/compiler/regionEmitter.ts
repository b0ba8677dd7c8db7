/** The emitter of compiled regions: operands are constants, registers and flags are in locals. */
import type { Instruction, MemoryOperand } from '../../isa/instruction.js';
import type { Expression } from '../../wasm/expression.js';
import { i32, i64 } from '../../wasm/expression.js';
import { layout } from '../layout.js';
import type { MemoryPlace, Place, SegmentReference } from '../semantics/emitter.js';
import { Emitter } from '../semantics/emitter.js';
import type { HelperIndices, HelperName } from '../semantics/helpers.js';
import { helperTypes } from '../semantics/helpers.js';
import { memoryAt, tlbAccess } from '../semantics/memoryPlace.js';
import type { RegionFrame } from './regionFrame.js';
import type { PlannedInstruction } from './regionPlan.js';

const ZERO = i32.constant(0);
const ES = 0;

/** Where an instruction of a region leads to and how it gives up. */
export interface RegionExits {
  /** Goes to a RIP that is known. */
  goTo(rip: bigint): void;
  /** Goes to a RIP that is computed. */
  goToIndirect(rip: Expression): void;
  /** Address of the site of the current instruction. */
  site(): number;
}

/** What emitted code refers to. */
export interface EmitterEnvironment {
  readonly helpers: HelperIndices;
  /** Writes are noted in the journal, so that the region can be checked. */
  readonly journal: boolean;
}

export class RegionEmitter extends Emitter {
  /** The instruction has left its block: nothing follows it. */
  ended = false;
  private readonly instruction: Instruction;

  constructor(
    private readonly frame: RegionFrame,
    private readonly exits: RegionExits,
    private readonly environment: EmitterEnvironment,
    private readonly ripMask: bigint,
    { instruction, shape }: PlannedInstruction,
  ) {
    super(frame.f, shape, frame.flagStore);
    this.instruction = instruction;
    this.flags.known = frame.known;
  }

  protected register(operand: number): Place {
    const register = this.instruction.operands[operand];
    if (register.kind !== 'register') throw new Error(`operand ${operand} is no register`);
    return this.general(register.index, register.size, register.high);
  }

  protected vectorAddress(operand: number): Expression {
    const register = this.instruction.operands[operand];
    if (register.kind !== 'vector') throw new Error(`operand ${operand} is no vector register`);
    return i32.constant(layout.xmm0Low + 16 * register.index);
  }

  general(number: number, size: number, high = false): Place {
    const whole = this.frame.field64(layout.rax + 8 * number);
    if (size === 8) return whole;
    // 32-bit writes clear the upper half (SDM 1 3.4.1.1), narrower ones leave the rest.
    if (size === 4) {
      return { get: () => i32.wrap(whole.get()), set: (value) => whole.set(i64.extendU(value)) };
    }
    const shift = high ? 8 : 0;
    const mask = size === 2 ? 0xffff : 0xff;
    const shifted = (value: Expression) => i32.and(i32.shrU(value, i32.constant(shift)), i32.constant(mask));
    return {
      get: () => shifted(i32.wrap(whole.get())),
      set: (value) => {
        const kept = i64.and(whole.get(), i64.constant(~(BigInt(mask) << BigInt(shift))));
        const part = i64.extendU(i32.and(value, i32.constant(mask)));
        whole.set(i64.or(kept, i64.shl(part, i64.constant(shift))));
      },
    };
  }

  protected immediate(operand: number): Expression {
    const immediate = this.instruction.operands[operand];
    if (immediate.kind !== 'immediate') throw new Error(`operand ${operand} is no immediate`);
    return immediate.size === 8 ? i64.constant(immediate.value) : i32.constant(immediate.value);
  }

  selector(operand: number): Expression {
    const segment = this.instruction.operands[operand];
    if (segment.kind !== 'segment') throw new Error(`operand ${operand} is no segment register`);
    return i32.load16U(ZERO, layout.esSelector + 4 * segment.index);
  }

  private memoryOperand(operand: number): MemoryOperand {
    const memory = this.instruction.operands[operand];
    if (memory.kind !== 'memory') throw new Error(`operand ${operand} is not memory`);
    return memory;
  }

  protected effectiveAddress(operand: number): Expression {
    const { base, index, scale, displacement } = this.memoryOperand(operand);
    const constant = i64.constant(displacement);
    const scaled = index < 0 ? undefined : i64.shl(this.general(index, 8).get(), i64.constant(scale));
    if (base < 0) return scaled ? i64.add(scaled, constant) : constant;
    const offset = i64.add(this.general(base, 8).get(), constant);
    return scaled ? i64.add(offset, scaled) : offset;
  }

  protected linear(segment: SegmentReference, offset: Expression): Expression {
    const { operands, stackSegment, extraSegment } = this.shape;
    if (segment === 'ss' || segment === 'es') {
      if ((segment === 'ss' ? stackSegment : extraSegment) === 'flat') return offset;
      throw new Error('an access through a segment that is not flat');
    }
    const shape = operands[segment.operand];
    if (shape.kind !== 'memory' || shape.segment === 'flat') return offset;
    if (shape.segment === 'checked') throw new Error('an access that checks a segment');
    const number = this.memoryOperand(segment.operand).segment;
    return i64.add(i64.load(ZERO, layout.esBase + 8 * (number - ES)), offset);
  }

  protected access(linear: Expression, size: number, access: number): MemoryPlace {
    return tlbAccess(
      this.f,
      this.frame.tlbBank,
      { linear, size, access, journal: this.environment.journal },
      () => this.giveUp(),
    );
  }

  /** Leaves before the instruction: the interpreter executes it. */
  private giveUp(): void {
    this.frame.leaveAt(this.exits.site());
  }

  get systemFlags(): Place {
    return memoryAt(this.f, ZERO, layout.rflagsSystem, 4);
  }

  helper(name: HelperName, operands: readonly Expression[]): Expression {
    const result = this.f.temporary(helperTypes[name].result);
    this.f.callInto(result, this.environment.helpers[name], operands);
    return this.f.let(result);
  }

  override when(condition: Expression, body: () => void, otherwise?: () => void): void {
    const { frame } = this;
    frame.sealKind();
    const sealed = (branch: () => void) => () => {
      branch();
      frame.forgetKind();
    };
    super.when(condition, sealed(body), otherwise && sealed(otherwise));
    frame.forgetKind();
  }

  private get next(): bigint {
    return (this.instruction.rip + BigInt(this.instruction.length)) & this.ripMask;
  }

  nextRip(): Expression {
    return i64.constant(this.next);
  }

  raiseIf(condition: Expression): void {
    this.f.unlikely(condition, () => this.giveUp());
  }

  checkTarget(target: Expression): void {
    if (this.operandSize !== 8) return;
    // Canonical with 48 bits (SDM 1 3.3.7.1).
    const extended = i64.shrS(i64.shl(target, i64.constant(16)), i64.constant(16));
    this.raiseIf(i64.ne(extended, target));
  }

  checkRelativeTarget(): void {
    // Modes in which CS has a limit are not compiled.
  }

  jumpIf(condition: Expression): void {
    this.ended = true;
    this.frame.sealKind();
    this.f.if(condition, () => this.exits.goTo(this.instruction.target));
    this.exits.goTo(this.next);
  }

  jump(): void {
    this.ended = true;
    this.frame.sealKind();
    this.exits.goTo(this.instruction.target);
  }

  jumpNext(): void {
    throw new Error('a repeated string instruction is not compiled');
  }

  jumpIndirect(target: Expression): void {
    this.ended = true;
    this.frame.sealKind();
    this.exits.goToIndirect(target);
  }
}
