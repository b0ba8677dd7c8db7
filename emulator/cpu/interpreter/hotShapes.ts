/**
 * The shapes that get a case of their own in the switch, as examples: instructions in assembly bytes would say less
 * than the families they form. About 300; more make the function slower (DESIGN.md section 4).
 */
import type { OperandSize } from '../../isa/instruction.js';
import type { InstructionShape, MemoryShape, OperandShape } from '../semantics/shape.js';
import { relevantOperandSize } from './shapeOf.js';

/** The instructions of one case: one, or a compare with the branch that follows it. */
export type HotCase = readonly InstructionShape[];

const register = (size: OperandSize): OperandShape => ({ kind: 'register', size });
const immediate = (size: OperandSize, nonZero = false): OperandShape => ({
  kind: 'immediate',
  size,
  nonZero,
});
const memory = (size: OperandSize, address: MemoryShape['address'] = 'base'): OperandShape => ({
  kind: 'memory',
  size,
  address,
  stackBased: false,
  segment: 'flat',
});

const shape = (
  semantics: string,
  operandSize: OperandSize,
  operands: readonly OperandShape[],
  condition = -1,
): InstructionShape => ({
  semantics,
  operandSize: relevantOperandSize(semantics, operandSize as 2 | 4 | 8),
  addressSize: 8,
  operands,
  condition,
  repeat: 'none',
  stackSize: 8,
  stackSegment: 'flat',
  extraSegment: 'flat',
  codeChecked: false,
});

const ALL_CONDITIONS = Array.from({ length: 16 }, (_, code) => code);
/** B, AE, E, NE, BE, A, L, GE, LE, G. */
const COMPARE_CONDITIONS = [2, 3, 4, 5, 6, 7, 12, 13, 14, 15];
/** E, NE, S, NS, LE, G. */
const TEST_CONDITIONS = [4, 5, 8, 9, 14, 15];
const EQUALITY = [4, 5];
const NATIVE: readonly OperandSize[] = [4, 8];

function* arithmetic(): Generator<InstructionShape> {
  for (const size of NATIVE) {
    for (const name of ['add', 'sub', 'and', 'or', 'xor', 'cmp']) {
      yield shape(name, size, [register(size), register(size)]);
      yield shape(name, size, [register(size), immediate(size)]);
      yield shape(name, size, [register(size), memory(size)]);
      yield shape(name, size, [memory(size), register(size)]);
      yield shape(name, size, [memory(size), immediate(size)]);
    }
    for (const name of ['add', 'sub', 'cmp'])
      yield shape(name, size, [register(size), memory(size, 'index')]);
    for (const name of ['adc', 'sbb']) yield shape(name, size, [register(size), register(size)]);
    for (const name of ['inc', 'dec', 'neg', 'not']) yield shape(name, size, [register(size)]);
    for (const name of ['shl', 'shr', 'sar']) {
      yield shape(name, size, [register(size), immediate(1, true)]);
      yield shape(name, size, [register(size), register(1)]);
    }
    yield shape('test', size, [register(size), register(size)]);
    yield shape('test', size, [register(size), immediate(size)]);
    yield shape('imul', size, [register(size), register(size)]);
    yield shape('imul', size, [register(size), memory(size)]);
    yield shape('imul', size, [register(size), register(size), immediate(size)]);
    yield shape('extendAccumulator', size, []);
    yield shape('extendIntoData', size, []);
  }
  for (const name of ['cmp', 'test']) {
    yield shape(name, 1, [register(1), immediate(1)]);
    yield shape(name, 1, [memory(1), immediate(1)]);
    yield shape(name, 1, [register(1), register(1)]);
  }
}

function* moves(): Generator<InstructionShape> {
  for (const size of [1, 2, 4, 8] as const) {
    for (const address of ['base', 'index'] as const) {
      yield shape('mov', size, [memory(size, address), register(size)]);
      if (size >= 4) yield shape('mov', size, [register(size), memory(size, address)]);
    }
    yield shape('mov', size, [memory(size), immediate(size)]);
  }
  for (const size of NATIVE) {
    yield shape('mov', size, [register(size), register(size)]);
    yield shape('mov', size, [register(size), immediate(size)]);
    yield shape('lea', size, [register(size), memory(size)]);
    yield shape('lea', size, [register(size), memory(size, 'index')]);
    for (const from of [1, 2] as const) {
      for (const name of ['movzx', 'movsx']) {
        if (name === 'movzx' && size === 8) continue;
        yield shape(name, size, [register(size), register(from)]);
        yield shape(name, size, [register(size), memory(from)]);
        yield shape(name, size, [register(size), memory(from, 'index')]);
      }
    }
    for (const condition of ALL_CONDITIONS.slice(2)) {
      if (condition === 10 || condition === 11) continue;
      yield shape('cmovcc', size, [register(size), register(size)], condition);
    }
  }
  yield shape('movsx', 8, [register(8), register(4)]);
  yield shape('movsx', 8, [register(8), memory(4)]);
  for (const condition of COMPARE_CONDITIONS) yield shape('setcc', 4, [register(1)], condition);
  yield shape('nop', 4, []);
}

function* branches(): Generator<InstructionShape> {
  yield shape('push', 8, [register(8)]);
  yield shape('push', 8, [immediate(8)]);
  yield shape('pop', 8, [register(8)]);
  yield shape('leave', 8, []);
  yield shape('call', 8, []);
  yield shape('callIndirect', 8, [register(8)]);
  yield shape('callIndirect', 8, [memory(8)]);
  yield shape('ret', 8, []);
  yield shape('jmp', 8, []);
  yield shape('jmpIndirect', 8, [register(8)]);
  for (const condition of ALL_CONDITIONS) yield shape('jcc', 8, [], condition);
}

function* fused(): Generator<HotCase> {
  const pairs = function* (first: InstructionShape, conditions: readonly number[]): Generator<HotCase> {
    for (const condition of conditions) yield [first, shape('jcc', 8, [], condition)];
  };
  for (const size of NATIVE) {
    yield* pairs(shape('cmp', size, [register(size), register(size)]), COMPARE_CONDITIONS);
    yield* pairs(shape('cmp', size, [register(size), immediate(size)]), COMPARE_CONDITIONS);
    yield* pairs(shape('cmp', size, [memory(size), immediate(size)]), EQUALITY);
    yield* pairs(shape('cmp', size, [register(size), memory(size)]), [...EQUALITY, 2, 3, 6, 7]);
    yield* pairs(shape('test', size, [register(size), register(size)]), TEST_CONDITIONS);
    for (const name of ['sub', 'add']) {
      yield* pairs(shape(name, size, [register(size), immediate(size)]), EQUALITY);
    }
    for (const name of ['dec', 'inc']) yield* pairs(shape(name, size, [register(size)]), EQUALITY);
  }
  yield* pairs(shape('cmp', 1, [register(1), immediate(1)]), EQUALITY);
  yield* pairs(shape('cmp', 1, [memory(1), immediate(1)]), EQUALITY);
  yield* pairs(shape('test', 1, [register(1), register(1)]), EQUALITY);
  yield* pairs(shape('test', 1, [register(1), immediate(1)]), EQUALITY);
  yield* pairs(shape('test', 4, [register(4), immediate(4)]), EQUALITY);
}

export const hotCases: readonly HotCase[] = [
  ...[...arithmetic(), ...moves(), ...branches()].map((single) => [single]),
  ...fused(),
];
