/** The emitter of the switch: one function holds all its cases, with flags, budget and RIP in locals. */
import type { Expression, Local } from '../../wasm/expression.js';
import { i32, i64 } from '../../wasm/expression.js';
import type { FunctionBuilder, Label } from '../../wasm/functionBuilder.js';
import { layout } from '../layout.js';
import type { Place } from '../semantics/emitter.js';
import type { FlagStore, KnownFlags } from '../semantics/flagState.js';
import { memoryAt } from '../semantics/memoryPlace.js';
import type { InstructionShape } from '../semantics/shape.js';
import type { EmitterFunctions } from './recordEmitter.js';
import { RecordEmitter } from './recordEmitter.js';
import { ExitCode, field } from './record.js';

const ZERO = i32.constant(0);

/** The lazy flags as fields of the CPU state. */
export const flagsInState = (f: FunctionBuilder): FlagStore => ({
  kind: memoryAt(f, ZERO, layout.flagsKind, 4),
  result: memoryAt(f, ZERO, layout.flagsResult, 8),
  a: memoryAt(f, ZERO, layout.flagsA, 8),
  b: memoryAt(f, ZERO, layout.flagsB, 8),
  carry: memoryAt(f, ZERO, layout.flagsCarry, 4),
});

/** The locals of the switch function and the places it jumps to. */
export class SwitchFrame {
  /** Parameter 0: the record to execute. Parameter 1: instructions left. */
  readonly record: Local;
  readonly budget: Local;
  /** RIP of the first byte of the linear page that the code lies in. */
  readonly pageRip: Local;
  readonly tlbBank: Local;
  readonly exitCode: Local;
  /** Argument of `lookup`: the RIP to go on at. */
  readonly target: Local;
  readonly flags: Readonly<Record<keyof FlagStore, Local>>;
  /** Dispatches on `record`. */
  dispatch!: Label;
  /** Goes to `target` through the jump cache. */
  lookup!: Label;
  /** Leaves with `exitCode` at `record`. */
  exit!: Label;

  constructor(readonly f: FunctionBuilder) {
    this.record = f.parameter(0);
    this.budget = f.parameter(1);
    this.pageRip = f.local(i64.type);
    this.tlbBank = f.local(i32.type);
    this.exitCode = f.local(i32.type);
    this.target = f.local(i64.type);
    this.flags = {
      kind: f.local(i32.type),
      result: f.local(i64.type),
      a: f.local(i64.type),
      b: f.local(i64.type),
      carry: f.local(i32.type),
    };
  }

  /** The lazy flags in the locals. */
  get flagStore(): FlagStore {
    const place = (local: Local): Place => ({ get: () => local, set: (value) => this.f.set(local, value) });
    const { kind, result, a, b, carry } = this.flags;
    return { kind: place(kind), result: place(result), a: place(a), b: place(b), carry: place(carry) };
  }

  /** Copies the flags from the CPU state to the locals. */
  loadFlags(): void {
    this.copyFlags(flagsInState(this.f), this.flagStore);
  }
  storeFlags(): void {
    this.copyFlags(this.flagStore, flagsInState(this.f));
  }
  private copyFlags(from: FlagStore, to: FlagStore): void {
    for (const name of ['kind', 'result', 'a', 'b', 'carry'] as const) to[name].set(from[name].get());
  }

  /** RIP of the instruction at `record`. */
  rip(): Expression {
    return i64.add(this.pageRip, i64.load16U(this.record, field.start));
  }

  leave(code: number): void {
    this.f.set(this.exitCode, i32.constant(code));
    this.f.branch(this.exit);
  }

  /** Goes to a block: pays for all of it before it begins. */
  enter(block: Expression): void {
    const { f } = this;
    f.set(this.record, block);
    f.set(this.budget, i32.sub(this.budget, i32.load8U(this.record, field.remaining)));
    f.branchIf(this.dispatch, i32.geS(this.budget, ZERO));
    this.leave(ExitCode.BUDGET);
  }
}

export class SwitchEmitter extends RecordEmitter {
  /** The instruction has left its block: nothing follows it. */
  ended = false;

  constructor(
    private readonly frame: SwitchFrame,
    shape: InstructionShape,
    at: number,
    functions: EmitterFunctions,
    known: KnownFlags | undefined,
  ) {
    super(frame.f, shape, frame.flagStore, frame.record, at, functions);
    this.flags.known = known;
  }

  protected tlbBank(): Expression {
    return this.frame.tlbBank;
  }

  protected leave(code: number): void {
    if (this.at !== 0) this.f.set(this.frame.record, i32.add(this.record, i32.constant(this.at)));
    this.frame.leave(code);
  }

  protected follow(link: Expression): void {
    this.ended = true;
    this.frame.enter(link);
  }

  nextRip(): Expression {
    const length = i64.load8U(this.record, this.at + field.length);
    return i64.add(i64.add(this.frame.pageRip, i64.load16U(this.record, this.at + field.start)), length);
  }

  jumpIndirect(target: Expression): void {
    this.ended = true;
    this.f.set(this.frame.target, target);
    this.f.branch(this.frame.lookup);
  }
}
