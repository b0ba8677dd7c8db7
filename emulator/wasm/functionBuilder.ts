/** Builds the body of one WebAssembly function from statements over expressions. */
import { ByteBuffer } from './byteBuffer.js';
import type { Expression } from './expression.js';
import { Local, ValueType } from './expression.js';
import { V128_STORE } from './vector.js';

const VOID = 0x40;

/** A block or loop that can be branched to. */
export interface Label {
  readonly depth: number;
}

/** A temporary that `let` made: it keeps its value until temporaries are released. */
class Bound extends Local {}

/** A set of temporaries that are free again when the code that used them has been built. */
interface TemporaryPool {
  readonly locals: Local[];
  used: number;
}

export class FunctionBuilder {
  private code = new ByteBuffer();
  private readonly first = new ByteBuffer();
  private readonly locals: ValueType[] = [];
  /** Offsets in `code` of branches that are hardly ever taken. */
  private readonly hints: number[] = [];
  private depth = 0;
  private readonly temporaries = new Map<ValueType, TemporaryPool>();

  constructor(
    readonly parameters: readonly ValueType[],
    readonly results: readonly ValueType[],
  ) {}

  parameter(index: number): Local {
    return new Local(this.parameters[index], index);
  }

  /** A local variable, 0 at first. */
  local(type: ValueType): Local {
    this.locals.push(type);
    return new Local(type, this.parameters.length + this.locals.length - 1);
  }

  /** A local that is free for others after the next `releaseTemporaries`. */
  temporary(type: ValueType): Local {
    let pool = this.temporaries.get(type);
    if (!pool) this.temporaries.set(type, (pool = { locals: [], used: 0 }));
    if (pool.used === pool.locals.length) pool.locals.push(this.local(type));
    pool.used += 1;
    return pool.locals[pool.used - 1];
  }

  /** Ends the life of all temporaries: the next instruction may reuse their locals. */
  releaseTemporaries(): void {
    for (const pool of this.temporaries.values()) pool.used = 0;
  }

  /** Statements that come before all others, known only when the rest is built. They stand outside every block. */
  prologue(statements: () => void): void {
    const { code } = this;
    this.code = this.first;
    statements();
    this.code = code;
  }

  /** Evaluates an expression now, once; answers a temporary that holds it. Constants and such temporaries stay. */
  let(value: Expression): Expression {
    if (value.constant !== undefined || value instanceof Bound) return value;
    const variable = this.temporary(value.type);
    this.set(variable, value);
    return new Bound(variable.type, variable.index);
  }

  set(variable: Local, value: Expression): void {
    value.emit(this.code);
    this.code.byte(0x21);
    this.code.unsigned(variable.index);
  }

  private store(opcode: number, address: Expression, value: Expression, offset: number): void {
    address.emit(this.code);
    value.emit(this.code);
    this.code.byte(opcode);
    this.code.byte(0);
    this.code.unsigned(offset);
  }

  store64(address: Expression, value: Expression, offset = 0): void {
    this.store(0x37, address, value, offset);
  }
  /** Stores the low bytes of an i32 or i64. */
  store32(address: Expression, value: Expression, offset = 0): void {
    this.store(value.type === ValueType.i32 ? 0x36 : 0x3e, address, value, offset);
  }
  store16(address: Expression, value: Expression, offset = 0): void {
    this.store(value.type === ValueType.i32 ? 0x3b : 0x3d, address, value, offset);
  }
  store8(address: Expression, value: Expression, offset = 0): void {
    this.store(value.type === ValueType.i32 ? 0x3a : 0x3c, address, value, offset);
  }

  storeVector(address: Expression, value: Expression, offset = 0): void {
    address.emit(this.code);
    value.emit(this.code);
    this.code.byte(0xfd);
    this.code.unsigned(V128_STORE);
    this.code.byte(0);
    this.code.unsigned(offset);
  }

  /** Copies bytes as memmove does. */
  memoryCopy(destination: Expression, source: Expression, length: Expression): void {
    for (const operand of [destination, source, length]) operand.emit(this.code);
    this.code.byte(0xfc);
    this.code.unsigned(10);
    this.code.byte(0);
    this.code.byte(0);
  }
  /** Fills bytes with the low byte of `value`. */
  memoryFill(destination: Expression, value: Expression, length: Expression): void {
    for (const operand of [destination, value, length]) operand.emit(this.code);
    this.code.byte(0xfc);
    this.code.unsigned(11);
    this.code.byte(0);
  }

  /** A block: branching to its label leaves it. */
  block(body: (label: Label) => void): void {
    this.nested(0x02, body);
  }
  /** A loop: branching to its label starts it again; running off its end leaves it. */
  loop(body: (label: Label) => void): void {
    this.nested(0x03, body);
  }

  private nested(opcode: number, body: (label: Label) => void): void {
    this.code.byte(opcode);
    this.code.byte(VOID);
    this.depth += 1;
    body({ depth: this.depth });
    this.depth -= 1;
    this.code.byte(0x0b);
  }

  /** `if` for a condition that hardly ever holds: engines that know branch hints keep `then` out of the way. */
  unlikely(condition: Expression, then: () => void): void {
    condition.emit(this.code);
    this.hints.push(this.code.length);
    this.openIf(then);
  }

  if(condition: Expression, then: () => void, otherwise?: () => void): void {
    condition.emit(this.code);
    this.openIf(then, otherwise);
  }

  private openIf(then: () => void, otherwise?: () => void): void {
    this.code.byte(0x04);
    this.code.byte(VOID);
    this.depth += 1;
    then();
    if (otherwise) {
      this.code.byte(0x05);
      otherwise();
    }
    this.depth -= 1;
    this.code.byte(0x0b);
  }

  branch(label: Label): void {
    this.code.byte(0x0c);
    this.code.unsigned(this.depth - label.depth);
  }
  branchIf(label: Label, condition: Expression): void {
    condition.emit(this.code);
    this.code.byte(0x0d);
    this.code.unsigned(this.depth - label.depth);
  }
  /** Branches to `labels[index]`, or to `otherwise` beyond the end. */
  branchTable(index: Expression, labels: readonly Label[], otherwise: Label): void {
    index.emit(this.code);
    this.code.byte(0x0e);
    this.code.unsigned(labels.length);
    for (const label of labels) this.code.unsigned(this.depth - label.depth);
    this.code.unsigned(this.depth - otherwise.depth);
  }

  return(value?: Expression): void {
    value?.emit(this.code);
    this.code.byte(0x0f);
  }

  /** Calls a function for its effects; it has no result. */
  call(functionIndex: number, operands: readonly Expression[]): void {
    for (const operand of operands) operand.emit(this.code);
    this.code.byte(0x10);
    this.code.unsigned(functionIndex);
  }
  /** Calls a function and keeps its result. */
  callInto(result: Local, functionIndex: number, operands: readonly Expression[]): void {
    this.call(functionIndex, operands);
    this.code.byte(0x21);
    this.code.unsigned(result.index);
  }
  /** Calls entry `index` of table 0, a function of the given type, and keeps its result. */
  callIndirect(result: Local, typeIndex: number, index: Expression, operands: readonly Expression[]): void {
    for (const operand of operands) operand.emit(this.code);
    index.emit(this.code);
    this.code.byte(0x11);
    this.code.unsigned(typeIndex);
    this.code.byte(0);
    this.code.byte(0x21);
    this.code.unsigned(result.index);
  }

  unreachable(): void {
    this.code.byte(0x00);
  }

  private encodeLocals(): ByteBuffer {
    const locals = new ByteBuffer();
    const runs: { type: ValueType; count: number }[] = [];
    for (const type of this.locals) {
      const last = runs.at(-1);
      if (last?.type === type) last.count += 1;
      else runs.push({ type, count: 1 });
    }
    locals.unsigned(runs.length);
    for (const { type, count } of runs) {
      locals.unsigned(count);
      locals.byte(type);
    }
    return locals;
  }

  /**
   * The body in the binary format: locals, code, end; and where in it the branches stand that are hardly ever taken.
   */
  encode(): { readonly body: ByteBuffer; readonly unlikely: readonly number[] } {
    const body = this.encodeLocals();
    body.append(this.first);
    const start = body.length;
    body.append(this.code);
    body.byte(0x0b);
    return { body, unlikely: this.hints.map((offset) => start + offset) };
  }
}
