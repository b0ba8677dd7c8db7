/** Near branches and loops. */
import type { Expression } from '../../wasm/expression.js';
import { i32, i64 } from '../../wasm/expression.js';
import type { Emitter } from './emitter.js';
import { operationsOf } from './emitter.js';
import type { Semantics } from './semantics.js';

const RCX = 1;

const jmp: Semantics = (e) => {
  e.checkRelativeTarget();
  e.jump();
};

const jcc: Semantics = (e) => {
  const condition = e.let(e.condition());
  e.checkRelativeTarget();
  e.jumpIf(condition);
};

/** The target that an operand names, zero-extended. */
function indirectTarget(e: Emitter): Expression {
  const target = e.let(e.zeroExtended(e.read(0), e.operandSize));
  e.checkTarget(target);
  return target;
}

const jmpIndirect: Semantics = (e) => {
  e.jumpIndirect(indirectTarget(e));
};

const returnAddress = (e: Emitter) => e.fromI64(e.nextRip(), e.operandSize);

const call: Semantics = (e) => {
  e.checkRelativeTarget();
  e.pushSlot(e.operandSize).set(returnAddress(e));
  e.jump();
};

const callIndirect: Semantics = (e) => {
  const target = indirectTarget(e);
  e.pushSlot(e.operandSize).set(returnAddress(e));
  e.jumpIndirect(target);
};

const ret: Semantics = (e) => {
  const size = e.operandSize;
  const { value, release } = e.popSlot(size);
  const target = e.let(e.zeroExtended(value, size));
  e.checkTarget(target);
  release(e.shape.operands.length > 0 ? i64.extendU(e.read(0)) : undefined);
  e.jumpIndirect(target);
};

/** LOOP, LOOPE (`zero` true), LOOPNE (false): the count is in CX, ECX or RCX by the address size. */
const loop =
  (zero?: boolean): Semantics =>
  (e) => {
    const size = e.shape.addressSize;
    const counter = e.general(RCX, size);
    const operations = operationsOf(size);
    e.checkRelativeTarget();
    const count = e.let(e.clean(operations.sub(counter.get(), operations.constant(1)), size));
    const zf = e.let(zero === undefined ? i32.constant(1) : e.flags.zero());
    counter.set(count);
    const again = operations.ne(count, operations.constant(0));
    e.jumpIf(e.let(i32.and(again, zero === false ? i32.eqz(zf) : zf)));
  };

const jcxz: Semantics = (e) => {
  const size = e.shape.addressSize;
  e.checkRelativeTarget();
  e.jumpIf(e.let(operationsOf(size).eqz(e.general(RCX, size).get())));
};

export const branch: Readonly<Record<string, Semantics>> = {
  jmp,
  jcc,
  jmpIndirect,
  call,
  callIndirect,
  ret,
  loop: loop(),
  loope: loop(true),
  loopne: loop(false),
  jcxz,
};
