/**
 * String instructions. With a REP prefix each iteration is an execution of its own, between which interrupts are
 * accepted; it leaves to itself until the count is used up. Where a back end allows it (`Emitter.spareBudget`) an
 * execution makes as many iterations as the budget and the pages of its operands have room for: nothing can tell them
 * from single ones, for inside a page that the TLB lets through no element faults, and nobody watches.
 */
import type { Expression } from '../../wasm/expression.js';
import { i32, i64, select } from '../../wasm/expression.js';
import { Access } from '../seams.js';
import type { Emitter, MemoryPlace, SegmentReference } from './emitter.js';
import { operationsOf } from './emitter.js';
import { FlagKind } from './flagKind.js';
import { memoryAt } from './memoryPlace.js';
import type { Semantics } from './semantics.js';

const [RAX, RCX, RSI, RDI] = [0, 1, 6, 7];
const DIRECTION = 0x400;
const PAGE = 4096;
const ONE = i32.constant(1);

/** Not 0 when string instructions go down (RFLAGS.DF). */
const goesDown = (e: Emitter): Expression => i32.and(e.systemFlags.get(), i32.constant(DIRECTION));

const smaller = (e: Emitter, a: Expression, b: Expression): Expression => e.let(select(a, b, i32.ltU(a, b)));

/** The elements that rSI or rDI points to: checked memory of the first one, and the step of the register behind them. */
class Elements {
  private readonly register;
  private readonly offset: Expression;
  private readonly segment: SegmentReference;
  readonly size: number;

  constructor(
    private readonly e: Emitter,
    private readonly operand: number,
    number: number,
  ) {
    this.size = e.sizeOf(operand);
    this.segment = number === RDI ? 'es' : { operand };
    this.register = e.general(number, e.shape.addressSize);
    this.offset = e.let(e.zeroExtended(this.register.get(), e.shape.addressSize));
  }

  memory(access: number): MemoryPlace {
    return this.e.memory(this.segment, this.offset, this.size, access);
  }

  /** Offsets are linear addresses: at the end of a page they have nothing to wrap around or to be checked against. */
  get flat(): boolean {
    const { operands, extraSegment } = this.e.shape;
    const shape = operands[this.operand];
    return (
      (this.segment === 'es' ? extraSegment : shape.kind === 'memory' ? shape.segment : undefined) === 'flat'
    );
  }

  /** How many elements lie in the page of the first one, i32. */
  roomInPage(down: Expression): Expression {
    const inPage = i32.and(i32.wrap(this.offset), i32.constant(PAGE - 1));
    const ahead = i32.sub(i32.constant(PAGE), inPage);
    const behind = i32.add(inPage, i32.constant(this.size));
    return i32.shrU(select(behind, ahead, down), i32.constant(Math.log2(this.size)));
  }

  /** Moves the register behind `count` elements. */
  step(count: Expression = ONE): void {
    const { e, size } = this;
    const stride = select(i64.constant(-size), i64.constant(size), goesDown(e));
    const distance = i64.mul(stride, i64.extendU(count));
    this.register.set(e.fromI64(i64.add(this.offset, distance), e.shape.addressSize));
  }
}

/** What a REP prefix allows at once. */
interface Batch {
  /** Iterations that the count and the budget have room for, i32, at least 1. */
  readonly most: Expression;
  readonly down: Expression;
}

/** Makes iterations; answers how many, i32, at least 1. Of a batch that is undefined, one. */
type Iterations = (batch: Batch | undefined) => Expression;

/** Wraps iterations in the protocol of their REP prefix; `compares`: the prefix looks at ZF too. */
function repeated(e: Emitter, compares: boolean, iterations: Iterations): void {
  const { repeat, addressSize } = e.shape;
  if (repeat === 'none') {
    iterations(undefined);
    return;
  }
  const operations = operationsOf(addressSize);
  const counter = e.general(RCX, addressSize);
  const count = e.let(counter.get());
  e.f.if(operations.eqz(count), () => e.jumpNext());
  const spare = e.spareBudget;
  const made = e.let(iterations(spare && batchOf(e, count, i32.add(spare.get(), ONE))));
  // The instruction that runs has been paid for: the first iteration.
  if (spare) spare.set(i32.sub(spare.get(), i32.sub(made, ONE)));
  const madeInCount = addressSize === 8 ? i64.extendU(made) : made;
  const left = e.let(e.clean(operations.sub(count, madeInCount), addressSize));
  counter.set(left);
  const more = operations.ne(left, operations.constant(0));
  if (!compares) {
    e.jumpIf(e.let(more));
    return;
  }
  const zf = e.flags.zero();
  e.jumpIf(e.let(i32.and(more, repeat === 'rep' ? zf : i32.eqz(zf))));
}

function batchOf(e: Emitter, count: Expression, budget: Expression): Batch {
  const wide = e.zeroExtended(count, e.shape.addressSize);
  const page = i64.constant(PAGE);
  const inPage = e.let(i32.wrap(select(wide, page, i64.ltU(wide, page))));
  return { most: smaller(e, inPage, e.let(budget)), down: e.let(goesDown(e)) };
}

/** Iterations of a batch that stay in the pages of all its operands; undefined: it is one by one. */
function iterationsWithin(
  e: Emitter,
  batch: Batch | undefined,
  operands: readonly Elements[],
): Expression | undefined {
  if (!batch || !operands.every(({ flat }) => flat)) return undefined;
  return operands.reduce((most, one) => smaller(e, most, e.let(one.roomInPage(batch.down))), batch.most);
}

/** Goes through elements in the order of the iterations: `body` sees where each lies, and says whether to go on. */
function forEach(
  e: Emitter,
  count: Expression,
  size: number,
  batch: Batch,
  starts: readonly Expression[],
  body: (places: readonly Expression[]) => Expression | undefined,
): Expression {
  const { f } = e;
  const places = starts.map((start) => {
    const place = f.temporary(i32.type);
    f.set(place, start);
    return place;
  });
  const made = f.temporary(i32.type);
  f.set(made, i32.constant(0));
  const stride = e.let(select(i32.constant(-size), i32.constant(size), batch.down));
  f.loop((again) => {
    const goesOn = body(places);
    for (const place of places) f.set(place, i32.add(place, stride));
    f.set(made, i32.add(made, ONE));
    const more = i32.ltU(made, count);
    f.branchIf(again, goesOn ? i32.and(more, goesOn) : more);
  });
  return made;
}

const bytesOf = (e: Emitter, count: Expression, size: number): Expression =>
  e.let(i32.mul(count, i32.constant(size)));

const movs: Semantics = (e) =>
  repeated(e, false, (batch) => {
    const destination = new Elements(e, 0, RDI);
    const source = new Elements(e, 1, RSI);
    const from = source.memory(Access.READ);
    const count = iterationsWithin(e, batch, [source, destination]);
    // What is read must be bound before the next access is prepared.
    const value = count ? undefined : e.let(from.get());
    const to = destination.memory(Access.WRITE);
    if (value) to.set(value);
    else if (batch && count && from.host && to.host) copy(e, batch, count, source.size, from.host, to.host);
    source.step(count);
    destination.step(count);
    return count ?? ONE;
  });

/** Copies elements one after the other: a destination that lies in what is still to be read repeats it. */
function copy(
  e: Emitter,
  batch: Batch,
  count: Expression,
  size: number,
  from: Expression,
  to: Expression,
): void {
  const bytes = bytesOf(e, count, size);
  const repeats = i32.ltU(i32.sub(i32.sub(to, from), ONE), i32.sub(bytes, ONE));
  e.f.if(
    i32.or(batch.down, repeats),
    () => {
      forEach(e, count, size, batch, [from, to], ([source, destination]) => {
        memoryAt(e.f, destination, 0, size).set(memoryAt(e.f, source, 0, size).get());
        return undefined;
      });
    },
    () => e.f.memoryCopy(to, from, bytes),
  );
}

const stos: Semantics = (e) =>
  repeated(e, false, (batch) => {
    const destination = new Elements(e, 0, RDI);
    const { size } = destination;
    const count = iterationsWithin(e, batch, [destination]);
    const to = destination.memory(Access.WRITE);
    const value = e.general(RAX, size).get();
    if (batch && count && to.host) fill(e, batch, count, size, to.host, e.let(value));
    else to.set(value);
    destination.step(count);
    return count ?? ONE;
  });

function fill(
  e: Emitter,
  batch: Batch,
  count: Expression,
  size: number,
  to: Expression,
  value: Expression,
): void {
  const operations = operationsOf(size);
  const byte = e.let(operations.and(value, operations.constant(0xff)));
  const eachByte = operations.constant(0x0101_0101_0101_0101n & ((1n << BigInt(size * 8)) - 1n));
  const differs = operations.ne(operations.mul(byte, eachByte), value);
  e.f.if(
    i32.or(batch.down, differs),
    () => {
      forEach(e, count, size, batch, [to], ([place]) => {
        memoryAt(e.f, place, 0, size).set(value);
        return undefined;
      });
    },
    () => e.f.memoryFill(to, size === 8 ? i32.wrap(byte) : byte, bytesOf(e, count, size)),
  );
}

const lods: Semantics = (e) =>
  repeated(e, false, (batch) => {
    const source = new Elements(e, 1, RSI);
    const { size } = source;
    const count = iterationsWithin(e, batch, [source]);
    const from = source.memory(Access.READ);
    let value = from.get();
    if (batch && count && from.host) {
      // Only the last element stays.
      const before = bytesOf(e, i32.sub(count, ONE), size);
      const last = select(i32.sub(from.host, before), i32.add(from.host, before), batch.down);
      value = memoryAt(e.f, e.let(last), 0, size).get();
    }
    value = e.let(value);
    e.general(RAX, size).set(value);
    source.step(count);
    return count ?? ONE;
  });

/** The elements that are compared last, and after how many the comparison ends the repetition. */
function compareElements(
  e: Emitter,
  batch: Batch,
  count: Expression,
  size: number,
  starts: readonly Expression[],
  read: (places: readonly Expression[]) => readonly [Expression, Expression],
): { a: Expression; b: Expression; made: Expression } {
  const operations = operationsOf(size);
  const [a, b] = [e.f.temporary(operations.type), e.f.temporary(operations.type)];
  const made = forEach(e, count, size, batch, starts, (places) => {
    const values = read(places);
    e.f.set(a, values[0]);
    e.f.set(b, values[1]);
    return e.shape.repeat === 'rep' ? operations.eq(a, b) : operations.ne(a, b);
  });
  return { a: e.let(a), b: e.let(b), made };
}

function setCompareFlags(e: Emitter, a: Expression, b: Expression, size: number): void {
  e.setFlags(FlagKind.SUB, size, { result: operationsOf(size).sub(a, b), a, b });
}

const cmps: Semantics = (e) =>
  repeated(e, true, (batch) => {
    const first = new Elements(e, 0, RSI);
    const second = new Elements(e, 1, RDI);
    const { size } = first;
    const count = iterationsWithin(e, batch, [first, second]);
    const one = first.memory(Access.READ);
    const a = count ? undefined : e.let(one.get());
    const other = second.memory(Access.READ);
    if (!a && batch && count && one.host && other.host) {
      const compared = compareElements(e, batch, count, size, [one.host, other.host], (places) => [
        memoryAt(e.f, places[0], 0, size).get(),
        memoryAt(e.f, places[1], 0, size).get(),
      ]);
      first.step(compared.made);
      second.step(compared.made);
      setCompareFlags(e, compared.a, compared.b, size);
      return compared.made;
    }
    const b = e.let(other.get());
    first.step();
    second.step();
    setCompareFlags(e, a ?? e.let(one.get()), b, size);
    return ONE;
  });

const scas: Semantics = (e) =>
  repeated(e, true, (batch) => {
    const elements = new Elements(e, 1, RDI);
    const { size } = elements;
    const count = iterationsWithin(e, batch, [elements]);
    const place = elements.memory(Access.READ);
    const accumulator = e.let(e.general(RAX, size).get());
    if (batch && count && place.host) {
      const compared = compareElements(e, batch, count, size, [place.host], ([at]) => [
        accumulator,
        memoryAt(e.f, at, 0, size).get(),
      ]);
      elements.step(compared.made);
      setCompareFlags(e, compared.a, compared.b, size);
      return compared.made;
    }
    const b = e.let(place.get());
    elements.step();
    setCompareFlags(e, accumulator, b, size);
    return ONE;
  });

export const string: Readonly<Record<string, Semantics>> = { movs, stos, lods, cmps, scas };
