/** Stack instructions. */
import type { Expression, Local } from '../../wasm/expression.js';
import { ValueType, i32, i64 } from '../../wasm/expression.js';
import { Access } from '../seams.js';
import type { Emitter } from './emitter.js';
import { RBP } from './emitter.js';
import type { Semantics } from './semantics.js';

const RSP_NUMBER = 4;

const push: Semantics = (e) => {
  const value = e.read(0);
  e.pushSlot(e.operandSize).set(value);
};

const pop: Semantics = (e) => {
  const size = e.operandSize;
  const shape = e.shape.operands[0];
  const { value, release } = e.popSlot(size);
  if (shape.kind !== 'memory') {
    // POP rSP: the value wins over the increment.
    release();
    e.operand(0, Access.WRITE).set(value);
    return;
  }
  const behind = shape.stackBased ? size : 0;
  const offset = e.cut(i64.add(e.offset(0), i64.constant(behind)), e.shape.addressSize);
  const destination = e.memory({ operand: 0 }, e.let(offset), size, Access.WRITE);
  destination.set(value);
  release();
};

const pushSelector: Semantics = (e) => {
  const selector = e.selector(0);
  e.pushSlot(e.operandSize).set(e.operandSize === 8 ? i64.extendU(selector) : selector);
};

/** Pushes RFLAGS with VM and RF clear (SDM 2B, PUSHF). */
const pushf: Semantics = (e) => {
  const flags = e.let(i32.or(e.flags.all(), i32.and(e.systemFlags.get(), i32.constant(0xfc_ffff))));
  e.pushSlot(e.operandSize).set(e.operandSize === 8 ? i64.extendU(flags) : flags);
};

/** PUSHA: the eight registers in one range, rAX on top. */
const pusha: Semantics = (e) => {
  const size = e.operandSize;
  const offset = e.stackOffset(e.let(e.stackPointer()), -8 * size);
  const range = e.stackMemory(offset, 8 * size, Access.WRITE);
  for (let number = 0; number < 8; number += 1) {
    range.part((7 - number) * size, size).set(e.general(number, size).get());
  }
  range.finish();
  e.setStackPointer(offset);
};

const popa: Semantics = (e) => {
  const size = e.operandSize;
  const offset = e.let(e.stackPointer());
  const range = e.stackMemory(offset, 8 * size, Access.READ);
  for (let number = 0; number < 8; number += 1) {
    if (number === RSP_NUMBER) continue;
    e.general(number, size).set(range.part((7 - number) * size, size).get());
  }
  e.setStackPointer(i64.add(offset, i64.constant(8 * size)));
};

/**
 * ENTER. The frame pointers that it copies may lie where it pushes, so that it could not be executed again after a
 * fault in the middle: a first pass makes all accesses possible, a second one makes them.
 */
const enter: Semantics = (e) => {
  const size = e.operandSize;
  const { f } = e;
  const allocation = i64.extendU(e.read(0));
  const level = e.let(i32.and(e.read(1), i32.constant(31)));
  const frame = e.stackOffset(e.let(e.stackPointer()), -size);
  const pointer = f.temporary(ValueType.i64);
  for (const pass of ['check', 'write'] as const) {
    const slot = e.stackMemory(frame, size, Access.WRITE);
    if (pass === 'write') slot.set(e.general(RBP, size).get());
    f.set(pointer, frame);
    f.if(level, () => copyFramePointers(e, pass, level, pointer, frame));
  }
  e.general(RBP, size).set(e.fromI64(frame, size));
  e.setStackPointer(i64.sub(pointer, allocation));
};

/** Pushes the frame pointers of the outer levels, then the new one, below `pointer`. */
function copyFramePointers(
  e: Emitter,
  pass: 'check' | 'write',
  level: Expression,
  pointer: Local,
  frame: Expression,
): void {
  const { f } = e;
  const size = e.operandSize;
  const left = f.temporary(ValueType.i32);
  const source = f.temporary(ValueType.i64);
  f.set(left, level);
  f.set(source, e.zeroExtended(e.stackRegister(RBP).get(), e.shape.stackSize));
  const pushBelow = (value: Expression) => {
    f.set(pointer, e.stackOffset(pointer, -size));
    const slot = e.stackMemory(pointer, size, Access.WRITE);
    if (pass === 'write') slot.set(value);
  };
  f.block((done) => {
    f.loop((again) => {
      f.set(left, i32.sub(left, i32.constant(1)));
      f.branchIf(done, i32.eqz(left));
      f.set(source, e.stackOffset(source, -size));
      pushBelow(e.let(e.stackMemory(source, size, Access.READ).get()));
      f.branch(again);
    });
  });
  pushBelow(e.fromI64(frame, size));
}

const leave: Semantics = (e) => {
  const size = e.operandSize;
  const offset = e.let(e.zeroExtended(e.stackRegister(RBP).get(), e.shape.stackSize));
  const value = e.let(e.stackMemory(offset, size, Access.READ).get());
  e.setStackPointer(i64.add(offset, i64.constant(size)));
  e.general(RBP, size).set(value);
};

export const stack: Readonly<Record<string, Semantics>> = {
  push,
  pop,
  pushSelector,
  pushf,
  pusha,
  popa,
  enter,
  leave,
};
