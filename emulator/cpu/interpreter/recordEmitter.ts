/** The emitter over predecoded records: operands are named by the record that the generated code runs at. */
import type { Expression } from '../../wasm/expression.js';
import { i32, i64, select } from '../../wasm/expression.js';
import type { FunctionBuilder } from '../../wasm/functionBuilder.js';
import { layout, SEGMENTS } from '../layout.js';
import { Vector } from '../fault.js';
import type { MemoryPlace, Place, SegmentReference } from '../semantics/emitter.js';
import { Emitter } from '../semantics/emitter.js';
import type { FlagStore } from '../semantics/flagState.js';
import type { HelperIndices, HelperName } from '../semantics/helpers.js';
import { helperTypes } from '../semantics/helpers.js';
import { memoryAt, tlbAccess } from '../semantics/memoryPlace.js';
import type { InstructionShape, MemoryShape, SegmentUse } from '../semantics/shape.js';
import { ExitCode, field, REGISTER_FIELDS } from './record.js';

const ZERO = i32.constant(0);

/** A general register at `address` + `offset`: 32-bit writes clear the upper half (SDM 1 3.4.1.1). */
function registerAt(f: FunctionBuilder, address: Expression, offset: number, size: number): Place {
  const place = memoryAt(f, address, offset, size);
  if (size !== 4) return place;
  return { get: place.get, set: (value) => f.store64(address, i64.extendU(value), offset) };
}

/** `accessInfo` of an access. */
export const accessInfo = (size: number, access: number): number => (size << 8) | access;

/** Imports of generated code, by function index. */
export interface EmitterFunctions {
  readonly helpers: HelperIndices;
  /** (segment base offset in the state, segment offset low half, size, access) to 1 when allowed, else 0. */
  readonly checkSegment: number;
  /** The code is made for checking compiled regions: writes are noted in the journal. */
  readonly journal: boolean;
}

export abstract class RecordEmitter extends Emitter {
  constructor(
    f: FunctionBuilder,
    shape: InstructionShape,
    store: FlagStore,
    /** The record, i32. */
    protected readonly record: Expression,
    /** Byte offset from `record` of the instruction's own record: fused instructions follow each other. */
    protected readonly at: number,
    protected readonly functions: EmitterFunctions,
  ) {
    super(f, shape, store);
  }

  /** Leaves the generated code at this instruction. */
  protected abstract leave(code: number): void;
  /** Continues at the record in a link field. */
  protected abstract follow(link: Expression): void;

  protected load16(offset: number): Expression {
    return i32.load16U(this.record, this.at + offset);
  }

  private operandNumber(operand: number): number {
    // The register fields are numbered among the register and segment operands.
    const before = this.shape.operands.slice(0, operand);
    return before.filter(({ kind }) => kind === 'register' || kind === 'segment' || kind === 'vector').length;
  }

  protected register(operand: number): Place {
    const offset = REGISTER_FIELDS[this.operandNumber(operand)];
    return registerAt(this.f, this.load16(offset), 0, this.sizeOf(operand));
  }

  protected vectorAddress(operand: number): Expression {
    return this.load16(REGISTER_FIELDS[this.operandNumber(operand)]);
  }

  general(number: number, size: number, high = false): Place {
    return registerAt(this.f, ZERO, layout.rax + number * 8 + (high ? 1 : 0), size);
  }

  protected immediate(operand: number): Expression {
    const second = this.shape.operands.slice(0, operand).some(({ kind }) => kind === 'immediate');
    const offset = this.at + (second ? field.displacement : field.immediate);
    return this.sizeOf(operand) === 8 ? i64.load(this.record, offset) : i32.load(this.record, offset);
  }

  selector(operand: number): Expression {
    const offset = REGISTER_FIELDS[this.operandNumber(operand)];
    return this.let(i32.load16U(this.load16(offset)));
  }

  protected effectiveAddress(_operand: number, memory: MemoryShape): Expression {
    const displacement = i64.load32S(this.record, this.at + field.displacement);
    switch (memory.address) {
      case 'absolute':
        return i64.load(this.record, this.at + field.immediate);
      case 'rip':
        return i64.add(this.nextRip(), displacement);
      case 'base':
        return i64.add(i64.load(this.load16(field.base)), displacement);
      case 'index': {
        const scale = i64.load8U(this.record, this.at + field.scale);
        const index = i64.shl(i64.load(this.load16(field.index)), scale);
        return i64.add(i64.add(i64.load(this.load16(field.base)), displacement), index);
      }
    }
  }

  private segmentUse(segment: SegmentReference): SegmentUse {
    if (segment === 'ss') return this.shape.stackSegment;
    if (segment === 'es') return this.shape.extraSegment;
    const shape = this.shape.operands[segment.operand];
    return shape.kind === 'memory' ? shape.segment : 'flat';
  }

  protected linear(segment: SegmentReference, offset: Expression, size: number, access: number): Expression {
    const use = this.segmentUse(segment);
    if (use === 'flat') return offset;
    const base =
      segment === 'ss' || segment === 'es'
        ? i32.constant(layout.esBase + 8 * SEGMENTS.indexOf(segment))
        : this.load16(field.segmentBase);
    if (use === 'based') return i64.add(i64.load(base), offset);
    const bound = this.let(offset);
    const allowed = this.f.temporary(i32.type);
    this.f.callInto(allowed, this.functions.checkSegment, [
      base,
      i32.wrap(bound),
      i32.constant(size),
      i32.constant(access),
    ]);
    this.f.if(i32.eqz(allowed), () => this.leave(ExitCode.REFUSED));
    return this.cut(i64.add(i64.load(base), bound), 4);
  }

  /** The fast path: the TLB tag must be that of the page that holds the last byte. */
  protected access(linear: Expression, size: number, access: number): MemoryPlace {
    const { f } = this;
    return tlbAccess(f, this.tlbBank(), { linear, size, access, journal: this.functions.journal }, () => {
      f.store64(ZERO, linear, layout.accessAddress);
      f.store32(ZERO, i32.constant(accessInfo(size, access)), layout.accessInfo);
      this.leave(ExitCode.MISS);
    });
  }

  /** Byte offset of the TLB bank in use, i32. */
  protected abstract tlbBank(): Expression;

  get systemFlags(): Place {
    return memoryAt(this.f, ZERO, layout.rflagsSystem, 4);
  }

  helper(name: HelperName, operands: readonly Expression[]): Expression {
    const result = this.f.temporary(helperTypes[name].result);
    this.f.callInto(result, this.functions.helpers[name], operands);
    return this.f.let(result);
  }

  protected raise(vector: number): void {
    this.f.store32(ZERO, i32.constant(vector), layout.accessInfo);
    this.leave(ExitCode.RAISE);
  }

  raiseIf(condition: Expression, vector: number): void {
    this.f.if(condition, () => this.raise(vector));
  }

  checkTarget(target: Expression): void {
    if (this.operandSize === 8) {
      // Canonical with 48 bits (SDM 1 3.3.7.1).
      const extended = i64.shrS(i64.shl(target, i64.constant(16)), i64.constant(16));
      this.raiseIf(i64.ne(extended, target), Vector.GP);
    } else if (this.shape.codeChecked) {
      this.raiseIf(i64.gtU(target, i64.load32U(ZERO, layout.csLimit)), Vector.GP);
    }
  }

  /** Of a relative branch the target is known when the record is made: see `BlockBuilder`. */
  checkRelativeTarget(): void {
    if (!this.shape.codeChecked) return;
    const target = i64.load32U(this.record, this.at + field.displacement);
    this.raiseIf(i64.gtU(target, i64.load32U(ZERO, layout.csLimit)), Vector.GP);
  }

  jumpIf(condition: Expression): void {
    const taken = i32.load(this.record, this.at + field.taken);
    const next = i32.load(this.record, this.at + field.next);
    this.follow(select(taken, next, condition));
  }

  jump(): void {
    this.follow(i32.load(this.record, this.at + field.taken));
  }

  jumpNext(): void {
    this.follow(i32.load(this.record, this.at + field.next));
  }
}
