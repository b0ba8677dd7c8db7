/**
 * The emitter of shapes that stand outside the switch: one function a shape, from the record to the record that
 * follows. State is in memory, RIP at the instruction when it is called and behind it when it returns.
 */
import type { Expression } from '../../wasm/expression.js';
import { i32, i64 } from '../../wasm/expression.js';
import type { FunctionBuilder } from '../../wasm/functionBuilder.js';
import { layout } from '../layout.js';
import { Access } from '../seams.js';
import type { MemoryPlace, Place } from '../semantics/emitter.js';
import { memoryAt } from '../semantics/memoryPlace.js';
import type { InstructionShape } from '../semantics/shape.js';
import type { EmitterFunctions } from './recordEmitter.js';
import { RecordEmitter } from './recordEmitter.js';
import { ExitCode, field, RECORD_SIZE } from './record.js';
import { flagsInState } from './switchEmitter.js';

const ZERO = i32.constant(0);

/** What a shape's function answers instead of a record: left with `exitCode`; RIP is set, look its record up. */
export const ShapeResult = { LEFT: 0, INDIRECT: 1 } as const;

export class FunctionEmitter extends RecordEmitter {
  private ended = false;

  constructor(f: FunctionBuilder, shape: InstructionShape, functions: EmitterFunctions) {
    super(f, shape, flagsInState(f), f.parameter(0), 0, functions);
  }

  protected tlbBank(): Expression {
    return i32.load(ZERO, layout.tlbBank);
  }

  protected leave(code: number): void {
    this.f.store32(ZERO, i32.constant(code), layout.exitCode);
    this.f.return(i32.constant(ShapeResult.LEFT));
  }

  override get spareBudget(): Place | undefined {
    return memoryAt(this.f, ZERO, layout.budget, 4);
  }

  private get rip(): Expression {
    return i64.load(ZERO, layout.rip);
  }

  private setRip(value: Expression): void {
    this.f.store64(ZERO, value, layout.rip);
  }

  protected follow(link: Expression): void {
    this.ended = true;
    const next = this.let(link);
    const distance = i64.sub(i64.load16U(next, field.start), i64.load16U(this.record, field.start));
    this.setRip(i64.add(this.rip, distance));
    this.f.return(next);
  }

  nextRip(): Expression {
    return i64.add(this.rip, i64.load8U(this.record, field.length));
  }

  jumpIndirect(target: Expression): void {
    this.ended = true;
    this.setRip(target);
    this.f.return(i32.constant(ShapeResult.INDIRECT));
  }

  /** Ends the function: an instruction that has not jumped goes on at the record behind its own. */
  finish(): void {
    if (this.ended) {
      this.f.unreachable();
      return;
    }
    this.setRip(this.nextRip());
    this.f.return(i32.add(this.record, i32.constant(RECORD_SIZE)));
    this.f.unreachable();
  }
}

/** Imports that reach memory whatever lies there: see `MemorySystem`. */
export interface CarefulFunctions extends EmitterFunctions {
  readonly prepare: number;
  readonly commit: number;
}

/**
 * The same with every memory access through the memory system: MMIO, page-crossing operands, code pages, watchpoints.
 * What was read must be bound before the next access is prepared.
 */
export class CarefulEmitter extends FunctionEmitter {
  constructor(
    f: FunctionBuilder,
    shape: InstructionShape,
    private readonly careful: CarefulFunctions,
  ) {
    super(f, shape, careful);
  }

  override get spareBudget(): Place | undefined {
    return undefined;
  }

  protected override access(linear: Expression, size: number, access: number): MemoryPlace {
    const { f, careful } = this;
    const host = f.temporary(i32.type);
    f.callInto(host, careful.prepare, [
      i32.wrap(linear),
      i32.wrap(i64.shrU(linear, i64.constant(32))),
      i32.constant(size),
      i32.constant(access),
    ]);
    f.if(i32.eqz(host), () => this.leave(ExitCode.REFUSED));
    const place = memoryAt(f, host, 0, size);
    const finish = () => {
      if ((access & Access.WRITE) !== 0) f.call(careful.commit, []);
    };
    return {
      get: place.get,
      set: (value) => {
        place.set(value);
        finish();
      },
      part: (offset, partSize) => memoryAt(f, host, offset, partSize),
      finish,
    };
  }
}
