/** Stack instructions. */
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
 * ENTER. The frame pointers that it copies go below the stack pointer, which is changed last, so that the instruction
 * can be executed again after a fault in the middle.
 */
const enter: Semantics = (e) => {
  const size = e.operandSize;
  const { f } = e;
  const allocation = i64.extendU(e.read(0));
  const level = e.let(i32.and(e.read(1), i32.constant(31)));
  const oldPointer = e.let(e.stackPointer());
  const frame = e.stackOffset(oldPointer, -size);
  e.stackMemory(frame, size, Access.WRITE).set(e.general(RBP, size).get());
  const pointer = f.temporary(ValueType.i64);
  f.set(pointer, frame);
  f.if(level, () => copyFramePointers(e, size, level, pointer, frame));
  e.general(RBP, size).set(e.fromI64(frame, size));
  e.setStackPointer(i64.sub(pointer, allocation));
};

type Variable = ReturnType<Emitter['f']['temporary']>;
type Value = ReturnType<Emitter['let']>;

function copyFramePointers(e: Emitter, size: number, level: Value, pointer: Variable, frame: Value): void {
  const { f } = e;
  const left = f.temporary(ValueType.i32);
  const source = f.temporary(ValueType.i64);
  f.set(left, level);
  f.set(source, e.zeroExtended(e.stackRegister(RBP).get(), e.shape.stackSize));
  const push_ = (value: Value) => {
    f.set(pointer, e.stackOffset(pointer, -size));
    e.stackMemory(pointer, size, Access.WRITE).set(value);
  };
  f.block((done) => {
    f.loop((again) => {
      f.set(left, i32.sub(left, i32.constant(1)));
      f.branchIf(done, i32.eqz(left));
      f.set(source, e.stackOffset(source, -size));
      push_(e.let(e.stackMemory(source, size, Access.READ).get()));
      f.branch(again);
    });
  });
  push_(e.fromI64(frame, size));
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
