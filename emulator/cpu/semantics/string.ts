/**
 * String instructions. With a REP prefix each iteration is an execution of its own, between which interrupts are
 * accepted; it leaves to itself until the count is used up.
 */
import type { Expression } from '../../wasm/expression.js';
import { i32, i64, select } from '../../wasm/expression.js';
import { Access } from '../seams.js';
import type { Emitter, SegmentReference } from './emitter.js';
import { operationsOf } from './emitter.js';
import { FlagKind } from './flagKind.js';
import type { Semantics } from './semantics.js';

const [RAX, RCX, RSI, RDI] = [0, 1, 6, 7];
const DIRECTION = 0x400;

/** One element: checked memory through rSI or rDI, and the step of that register behind it. */
class Element {
  private readonly register;
  private readonly offset: Expression;
  readonly size: number;

  constructor(
    private readonly e: Emitter,
    private readonly operand: number,
    private readonly number: number,
  ) {
    this.size = e.sizeOf(operand);
    this.register = e.general(number, e.shape.addressSize);
    this.offset = e.let(e.zeroExtended(this.register.get(), e.shape.addressSize));
  }

  memory(access: number) {
    const segment: SegmentReference = this.number === RDI ? 'es' : { operand: this.operand };
    return this.e.memory(segment, this.offset, this.size, access);
  }

  step(): void {
    const { e, size } = this;
    const down = i32.and(e.systemFlags.get(), i32.constant(DIRECTION));
    const stride = select(i64.constant(-size), i64.constant(size), down);
    this.register.set(e.fromI64(i64.add(this.offset, stride), e.shape.addressSize));
  }
}

/** Wraps an iteration in the protocol of its REP prefix; `compares`: the prefix looks at ZF too. */
function repeated(e: Emitter, compares: boolean, iteration: () => void): void {
  const { repeat, addressSize } = e.shape;
  if (repeat === 'none') {
    iteration();
    return;
  }
  const operations = operationsOf(addressSize);
  const counter = e.general(RCX, addressSize);
  const count = e.let(counter.get());
  e.f.if(operations.eqz(count), () => e.jumpNext());
  iteration();
  const left = e.let(e.clean(operations.sub(count, operations.constant(1)), addressSize));
  counter.set(left);
  const more = operations.ne(left, operations.constant(0));
  if (!compares) {
    e.jumpIf(e.let(more));
    return;
  }
  const zf = e.flags.zero();
  e.jumpIf(e.let(i32.and(more, repeat === 'rep' ? zf : i32.eqz(zf))));
}

const movs: Semantics = (e) =>
  repeated(e, false, () => {
    const destination = new Element(e, 0, RDI);
    const source = new Element(e, 1, RSI);
    const value = e.let(source.memory(Access.READ).get());
    destination.memory(Access.WRITE).set(value);
    source.step();
    destination.step();
  });

const stos: Semantics = (e) =>
  repeated(e, false, () => {
    const destination = new Element(e, 0, RDI);
    destination.memory(Access.WRITE).set(e.general(RAX, destination.size).get());
    destination.step();
  });

const lods: Semantics = (e) =>
  repeated(e, false, () => {
    const source = new Element(e, 1, RSI);
    const value = e.let(source.memory(Access.READ).get());
    e.general(RAX, source.size).set(value);
    source.step();
  });

function compare(e: Emitter, a: Expression, b: Expression, size: number): void {
  e.setFlags(FlagKind.SUB, size, { result: operationsOf(size).sub(a, b), a, b });
}

const cmps: Semantics = (e) =>
  repeated(e, true, () => {
    const first = new Element(e, 0, RSI);
    const second = new Element(e, 1, RDI);
    const a = e.let(first.memory(Access.READ).get());
    const b = e.let(second.memory(Access.READ).get());
    first.step();
    second.step();
    compare(e, a, b, first.size);
  });

const scas: Semantics = (e) =>
  repeated(e, true, () => {
    const element = new Element(e, 1, RDI);
    const b = e.let(element.memory(Access.READ).get());
    const a = e.let(e.general(RAX, element.size).get());
    element.step();
    compare(e, a, b, element.size);
  });

export const string: Readonly<Record<string, Semantics>> = { movs, stos, lods, cmps, scas };
