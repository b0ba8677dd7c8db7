/**
 * What an instruction's meaning is written against. A semantics function calls these methods with `Emitter.shape` as its
 * only static knowledge; a back end decides where registers, flags and immediates live and how memory is reached.
 *
 * Every check (memory access, raise, branch target) comes before the first change of architectural state, so that an
 * instruction can be abandoned and executed again. Values of 8-byte operands are i64 expressions, of smaller ones i32;
 * a 1- or 2-byte value that was computed has arbitrary upper bits, one that was read has zeros.
 */
import type { Expression, IntegerOperations } from '../../wasm/expression.js';
import { i32, i64 } from '../../wasm/expression.js';
import type { FunctionBuilder } from '../../wasm/functionBuilder.js';
import { Vector } from '../fault.js';
import { layout } from '../layout.js';
import { Cr0, Cr4 } from '../registerBits.js';
import { Access } from '../seams.js';
import type { FlagKind } from './flagKind.js';
import { FlagBit } from './flagKind.js';
import { FlagState } from './flagState.js';
import type { FlagStore } from './flagState.js';
import type { HelperName } from './helpers.js';
import { memoryAt } from './memoryPlace.js';
import type { InstructionShape, MemoryShape } from './shape.js';

/** Somewhere that holds a value: a register, part of one, a memory operand that has been checked. */
export interface Place {
  get(): Expression;
  set(value: Expression): void;
}

/** A checked range of memory. */
export interface MemoryPlace extends Place {
  /** A part of the range. `set` of a part is only allowed when `finish` follows. */
  part(offset: number, size: number): Place;
  /** Completes a write made through parts. */
  finish(): void;
  /** Byte offset in the linear memory of an access whose whole page allows what it does, i32. */
  readonly host?: Expression;
}

/** Which segment an access goes through: that of a memory operand, SS, or the ES of a string destination. */
export type SegmentReference = { readonly operand: number } | 'ss' | 'es';

export const RSP = 4;
export const RBP = 5;

/** The integer operations for operands of `size` bytes. */
export const operationsOf = (size: number): IntegerOperations => (size === 8 ? i64 : i32);

export abstract class Emitter {
  readonly flags: FlagState;

  constructor(
    readonly f: FunctionBuilder,
    readonly shape: InstructionShape,
    store: FlagStore,
  ) {
    this.flags = new FlagState(this, store);
  }

  // ---- supplied by the back end

  /** A register operand. */
  protected abstract register(operand: number): Place;
  /** Where an XMM register operand lies in the state: an address, i32. */
  protected abstract vectorAddress(operand: number): Expression;
  /** A general register by encoding number; byte 1 of one of the first four with `high`. */
  abstract general(number: number, size: number, high?: boolean): Place;
  /** An immediate operand, as a value of its size. */
  protected abstract immediate(operand: number): Expression;
  /** Offset of a memory operand in its segment before it is cut to the address size, i64. */
  protected abstract effectiveAddress(operand: number, memory: MemoryShape): Expression;
  /** Linear address of an offset, i64, with all checks of the segment. */
  protected abstract linear(
    segment: SegmentReference,
    offset: Expression,
    size: number,
    access: number,
  ): Expression;
  /** Makes an access possible; leaves the instruction when it is not. `access` is of Access bits. */
  protected abstract access(linear: Expression, size: number, access: number): MemoryPlace;
  /** Selector of a segment register operand, i32. */
  abstract selector(operand: number): Expression;
  /** RFLAGS without the arithmetic flags: its low 32 bits, i32. */
  abstract readonly systemFlags: Place;
  /** Calls a helper function; the result is bound. */
  abstract helper(name: HelperName, operands: readonly Expression[]): Expression;
  /** RIP of the following instruction, i64. */
  abstract nextRip(): Expression;
  /** Raises an exception of error code 0 or none when the condition holds. */
  abstract raiseIf(condition: Expression, vector: number): void;
  /** Leaves to the relative target when the condition holds, else to the next instruction. */
  abstract jumpIf(condition: Expression): void;
  /** Leaves to the relative target; of a repeated string instruction, that is the instruction itself. */
  abstract jump(): void;
  /** Leaves to the next instruction of one that can branch. */
  abstract jumpNext(): void;
  /** Leaves to a RIP that `checkTarget` has seen, i64. */
  abstract jumpIndirect(target: Expression): void;
  /** Raises #GP(0) unless the i64 RIP may be branched to: canonical, or within the CS limit. */
  abstract checkTarget(target: Expression): void;
  /** The same for the relative target; emits nothing where it always holds. */
  abstract checkRelativeTarget(): void;

  /**
   * Instructions that may retire beyond this one, i32: the iterations of a repeated string instruction may use them up.
   * Undefined where it makes one iteration at a time.
   */
  get spareBudget(): Place | undefined {
    return undefined;
  }

  // ---- built on that

  get operandSize(): 2 | 4 | 8 {
    return this.shape.operandSize;
  }

  let(value: Expression): Expression {
    return this.f.let(value);
  }

  sizeOf(operand: number): number {
    return this.shape.operands[operand].size;
  }

  /** Value of a constant for operands of `size` bytes. */
  constant(size: number, value: number | bigint): Expression {
    return operationsOf(size).constant(value);
  }

  /** An operand, its memory access checked for `access`. */
  operand(index: number, access: number): Place {
    const shape = this.shape.operands[index];
    switch (shape.kind) {
      case 'register':
        return this.register(index);
      case 'vector':
        return memoryAt(this.f, this.vectorAddress(index), 0, 16);
      case 'memory':
        return this.memory({ operand: index }, this.offset(index), shape.size, access);
      case 'immediate': {
        const value = this.immediate(index);
        return { get: () => value, set: () => this.fail('writes an immediate') };
      }
      case 'segment':
        return { get: () => this.selector(index), set: () => this.fail('writes a segment register') };
    }
  }

  /** The bound value of an operand. */
  read(index: number): Expression {
    return this.let(this.operand(index, Access.READ).get());
  }

  private fail(what: string): never {
    throw new Error(`${this.shape.semantics}: ${what}`);
  }

  private memoryShape(index: number): MemoryShape {
    const shape = this.shape.operands[index];
    if (shape.kind !== 'memory') this.fail(`operand ${index} is not memory`);
    return shape;
  }

  /** Offset of a memory operand in its segment, cut to the address size, i64. */
  offset(index: number): Expression {
    return this.cut(this.effectiveAddress(index, this.memoryShape(index)), this.shape.addressSize);
  }

  /** The low `size` bytes of an i64. */
  cut(value: Expression, size: number): Expression {
    return size === 8 ? value : i64.and(value, i64.constant((1n << BigInt(size * 8)) - 1n));
  }

  memory(segment: SegmentReference, offset: Expression, size: number, access: number): MemoryPlace {
    return this.access(this.let(this.linear(segment, offset, size, access)), size, access);
  }

  /** The same for an operand whose linear address must be a multiple of its size, or #GP(0). */
  alignedMemory(index: number, size: number, access: number, vector: number): MemoryPlace {
    const linear = this.let(this.linear({ operand: index }, this.offset(index), size, access));
    this.raiseIf(i32.wrap(i64.and(linear, i64.constant(size - 1))), vector);
    return this.access(linear, size, access);
  }

  /** #UD and #NM of every SSE instruction: CR0.EM, CR4.OSFXSR, CR0.TS (SDM 3A 2.5 and table 13-1). */
  checkVectorsEnabled(): void {
    const zero = i32.constant(0);
    const cr0 = this.let(i32.load(zero, layout.cr0));
    const bit = (value: Expression, mask: bigint): Expression => i32.and(value, i32.constant(mask));
    const disabled = i32.or(bit(cr0, Cr0.EM), i32.eqz(bit(i32.load(zero, layout.cr4), Cr4.OSFXSR)));
    this.raiseIf(disabled, Vector.UD);
    this.raiseIf(bit(cr0, Cr0.TS), Vector.NM);
  }

  // ---- values

  /** A value of `size` bytes as i64, sign-extended. */
  signExtended(value: Expression, size: number): Expression {
    switch (size) {
      case 8:
        return value;
      case 4:
        return i64.extendS(value);
      case 2:
        return i64.extendS(i32.extend16S(value));
      default:
        return i64.extendS(i32.extend8S(value));
    }
  }

  /** A value of `size` bytes as i64, zero-extended. */
  zeroExtended(value: Expression, size: number): Expression {
    return size === 8 ? value : i64.extendU(this.clean(value, size));
  }

  /** A value with its upper bits zero. */
  clean(value: Expression, size: number): Expression {
    return size >= 4 ? value : i32.and(value, i32.constant(size === 2 ? 0xffff : 0xff));
  }

  /** An i64 as a value of `size` bytes. */
  fromI64(value: Expression, size: number): Expression {
    return size === 8 ? value : i32.wrap(value);
  }

  /** The sign bit of a value, i32 0 or 1. */
  sign(value: Expression, size: number): Expression {
    const operations = operationsOf(size);
    const bit = operations.shrU(value, operations.constant(size * 8 - 1));
    return size === 8 ? i32.wrap(bit) : i32.and(bit, i32.constant(1));
  }

  // ---- flags

  /** Emits `body` under a condition; what it does to the flags is not statically known behind it. */
  when(condition: Expression, body: () => void, otherwise?: () => void): void {
    this.f.if(condition, body, otherwise);
    this.flags.known = undefined;
  }

  setFlags(
    kind: FlagKind,
    size: number,
    values: { result: Expression; a?: Expression; b?: Expression; carry?: Expression },
  ): void {
    this.flags.set(kind, size, values);
  }

  /** The condition of the instruction (SDM 1 appendix B), i32 0 or 1. */
  condition(): Expression {
    return this.flags.condition(this.shape.condition);
  }

  /** CF and OF as bits for the lazy kind CARRIED. */
  carried(cf: Expression, of: Expression): Expression {
    return i32.or(cf, i32.shl(of, i32.constant(Math.log2(FlagBit.OF))));
  }

  // ---- stack

  /** The stack pointer as an i64 offset. */
  stackPointer(): Expression {
    return this.zeroExtended(this.stackRegister(RSP).get(), this.shape.stackSize);
  }

  /** rSP or rBP in the width of the stack's addresses. */
  stackRegister(number: typeof RSP | typeof RBP): Place {
    return this.general(number, this.shape.stackSize);
  }

  setStackPointer(offset: Expression): void {
    this.stackRegister(RSP).set(this.fromI64(offset, this.shape.stackSize));
  }

  /** `delta` bytes from an offset in the stack, wrapped to the stack's address size. */
  stackOffset(offset: Expression, delta: number): Expression {
    return this.let(this.cut(i64.add(offset, i64.constant(delta)), this.shape.stackSize));
  }

  stackMemory(offset: Expression, size: number, access: number): MemoryPlace {
    return this.memory('ss', offset, size, access | Access.STACK);
  }

  /** The slot that a push writes: checked now; `set` stores and moves the stack pointer. */
  pushSlot(size: number): { set(value: Expression): void } {
    const offset = this.stackOffset(this.let(this.stackPointer()), -size);
    const slot = this.stackMemory(offset, size, Access.WRITE);
    return {
      set: (value) => {
        slot.set(value);
        this.setStackPointer(offset);
      },
    };
  }

  /** The value on top of the stack; `release` moves the stack pointer behind it and `extra` bytes more. */
  popSlot(size: number): { value: Expression; release(extra?: Expression): void } {
    const offset = this.let(this.stackPointer());
    const value = this.let(this.stackMemory(offset, size, Access.READ).get());
    return {
      value,
      release: (extra = i64.constant(0)) => {
        this.setStackPointer(i64.add(i64.add(offset, i64.constant(size)), extra));
      },
    };
  }
}
