import { littleEndian } from './bytes.js';
import { DW_OP } from './constants.js';
import type { StackMachine } from './stackMachine.js';
import { Unavailable, signedValue, unsignedValue } from './stackTypes.js';
import type { StackType, StackValue } from './stackTypes.js';

type Operation = (machine: StackMachine, opcode: number) => void;

const binary =
  (compute: (left: StackValue, right: StackValue, machine: StackMachine) => bigint): Operation =>
  (machine) => {
    const right = machine.pop();
    const left = machine.pop();
    machine.push(compute(left, right, machine), left.type);
  };

const comparison =
  (holds: (left: bigint, right: bigint) => boolean): Operation =>
  (machine) => {
    const right = signedValue(machine.pop());
    const left = signedValue(machine.pop());
    machine.push(holds(left, right) ? 1n : 0n);
  };

const unary =
  (compute: (value: StackValue) => bigint): Operation =>
  (machine) => {
    const operand = machine.pop();
    machine.push(compute(operand), operand.type);
  };

const constant =
  (read: (machine: StackMachine) => bigint): Operation =>
  (machine) =>
    machine.push(read(machine));

const literal: Operation = (machine, opcode) => machine.push(BigInt(opcode - DW_OP.lit0));

const registerPlace =
  (number: (machine: StackMachine, opcode: number) => number): Operation =>
  (machine, opcode) => {
    machine.place = { kind: 'register', register: number(machine, opcode) };
  };

/** The register's number is read before the offset that follows it. */
const registerOffset =
  (number: (machine: StackMachine, opcode: number) => number): Operation =>
  (machine, opcode) => {
    const base = machine.environment.register(number(machine, opcode));
    machine.push(base + machine.reader.slebBig());
  };

const dereference =
  (size: (machine: StackMachine) => number, type?: (machine: StackMachine) => StackType): Operation =>
  (machine) => {
    const length = size(machine);
    const resultType = type?.(machine);
    const bytes = machine.environment.readMemory(machine.popAddress(), length);
    machine.push(littleEndian(bytes), resultType);
  };

/** The base type that an operand names; offset 0 of DW_OP_convert means the generic type. */
const typeOperand = (machine: StackMachine): StackType => {
  const offset = machine.reader.uleb();
  return offset === 0 ? machine.genericType : machine.environment.baseType(offset);
};

const unavailable =
  (reason: string): Operation =>
  () => {
    throw new Unavailable(reason);
  };

const entryValue: Operation = (machine) => {
  const expression = machine.reader.block(machine.reader.uleb());
  machine.push(machine.environment.entryValue(expression));
};

const constType: Operation = (machine) => {
  const type = typeOperand(machine);
  machine.push(littleEndian(machine.reader.block(machine.reader.u8())), type);
};

const registerType: Operation = (machine) => {
  const value = machine.environment.register(machine.reader.uleb());
  machine.push(value, typeOperand(machine));
};

const convert: Operation = (machine) => {
  const type = typeOperand(machine);
  machine.push(machine.pop().value, type);
};

function divide(left: StackValue, right: StackValue, machine: StackMachine): bigint {
  const divisor = signedValue(right);
  if (divisor === 0n) {
    throw machine.reader.error('the expression divides by zero');
  }
  return signedValue(left) / divisor;
}

/** DW_OP_mod is unsigned on the generic type. */
function modulo(left: StackValue, right: StackValue, machine: StackMachine): bigint {
  if (right.value === 0n) {
    throw machine.reader.error('the expression divides by zero');
  }
  return left.value % right.value;
}

/** A shift by the width or more gives what shifting all bits out gives. */
const shiftCount = (right: StackValue): bigint => {
  const count = unsignedValue(right);
  return count > 64n ? 64n : count;
};

const pieceBits: Operation = (machine) => machine.endPiece(machine.reader.uleb() * 8, 0);

/** DWARF 5 2.5 and 2.6: what each operation does. */
export const OPERATIONS: Readonly<Record<number, Operation>> = {
  ...Object.fromEntries(range(32).map((index) => [DW_OP.lit0 + index, literal])),
  ...Object.fromEntries(
    range(32).map((index) => [DW_OP.reg0 + index, registerPlace((_machine, opcode) => opcode - DW_OP.reg0)]),
  ),
  ...Object.fromEntries(
    range(32).map((index) => [
      DW_OP.breg0 + index,
      registerOffset((_machine, opcode) => opcode - DW_OP.breg0),
    ]),
  ),
  [DW_OP.addr]: constant(({ reader, environment }) => reader.unsigned(environment.addressSize)),
  [DW_OP.addrx]: constant(({ reader, environment }) => environment.indexedAddress(reader.uleb())),
  [DW_OP.constx]: constant(({ reader, environment }) => environment.indexedAddress(reader.uleb())),
  [DW_OP.const1u]: constant(({ reader }) => BigInt(reader.u8())),
  [DW_OP.const1s]: constant(({ reader }) => BigInt(reader.s8())),
  [DW_OP.const2u]: constant(({ reader }) => BigInt(reader.u16())),
  [DW_OP.const2s]: constant(({ reader }) => BigInt(reader.s16())),
  [DW_OP.const4u]: constant(({ reader }) => BigInt(reader.u32())),
  [DW_OP.const4s]: constant(({ reader }) => BigInt(reader.s32())),
  [DW_OP.const8u]: constant(({ reader }) => reader.u64()),
  [DW_OP.const8s]: constant(({ reader }) => reader.s64()),
  [DW_OP.constu]: constant(({ reader }) => reader.ulebBig()),
  [DW_OP.consts]: constant(({ reader }) => reader.slebBig()),
  [DW_OP.const_type]: constType,
  [DW_OP.GNU_const_type]: constType,

  [DW_OP.dup]: (machine) => machine.stack.push(machine.peek(0)),
  [DW_OP.drop]: (machine) => void machine.pop(),
  [DW_OP.over]: (machine) => machine.stack.push(machine.peek(1)),
  [DW_OP.pick]: (machine) => machine.stack.push(machine.peek(machine.reader.u8())),
  [DW_OP.swap]: (machine) => machine.stack.push(machine.pop(), machine.pop()),
  [DW_OP.rot]: (machine) => {
    const [first, second, third] = [machine.pop(), machine.pop(), machine.pop()];
    machine.stack.push(first, third, second);
  },

  [DW_OP.deref]: dereference(({ environment }) => environment.addressSize),
  [DW_OP.deref_size]: dereference(({ reader }) => reader.u8()),
  [DW_OP.deref_type]: dereference(({ reader }) => reader.u8(), typeOperand),
  [DW_OP.GNU_deref_type]: dereference(({ reader }) => reader.u8(), typeOperand),

  [DW_OP.abs]: unary((operand) => (signedValue(operand) < 0n ? -signedValue(operand) : signedValue(operand))),
  [DW_OP.neg]: unary(({ value }) => -value),
  [DW_OP.not]: unary(({ value }) => ~value),
  [DW_OP.and]: binary((left, right) => left.value & right.value),
  [DW_OP.or]: binary((left, right) => left.value | right.value),
  [DW_OP.xor]: binary((left, right) => left.value ^ right.value),
  [DW_OP.plus]: binary((left, right) => left.value + right.value),
  [DW_OP.minus]: binary((left, right) => left.value - right.value),
  [DW_OP.mul]: binary((left, right) => left.value * right.value),
  [DW_OP.div]: binary(divide),
  [DW_OP.mod]: binary(modulo),
  [DW_OP.shl]: binary((left, right) => left.value << shiftCount(right)),
  [DW_OP.shr]: binary((left, right) => unsignedValue(left) >> shiftCount(right)),
  [DW_OP.shra]: binary((left, right) => signedValue(left) >> shiftCount(right)),
  [DW_OP.plus_uconst]: (machine) => {
    const operand = machine.pop();
    machine.push(operand.value + machine.reader.ulebBig(), operand.type);
  },
  [DW_OP.eq]: comparison((left, right) => left === right),
  [DW_OP.ne]: comparison((left, right) => left !== right),
  [DW_OP.lt]: comparison((left, right) => left < right),
  [DW_OP.le]: comparison((left, right) => left <= right),
  [DW_OP.gt]: comparison((left, right) => left > right),
  [DW_OP.ge]: comparison((left, right) => left >= right),

  [DW_OP.skip]: (machine) => machine.jump(machine.reader.s16()),
  [DW_OP.bra]: (machine) => {
    const distance = machine.reader.s16();
    if (machine.pop().value !== 0n) {
      machine.jump(distance);
    }
  },
  [DW_OP.nop]: () => undefined,

  [DW_OP.regx]: registerPlace(({ reader }) => reader.uleb()),
  [DW_OP.bregx]: registerOffset(({ reader }) => reader.uleb()),
  [DW_OP.fbreg]: (machine) => machine.push(machine.environment.frameBase() + machine.reader.slebBig()),
  [DW_OP.call_frame_cfa]: (machine) => machine.push(machine.environment.cfa()),
  [DW_OP.regval_type]: registerType,
  [DW_OP.GNU_regval_type]: registerType,
  [DW_OP.convert]: convert,
  [DW_OP.GNU_convert]: convert,
  [DW_OP.reinterpret]: convert,
  [DW_OP.GNU_reinterpret]: convert,

  [DW_OP.stack_value]: (machine) => {
    machine.place = { kind: 'value', value: BigInt.asUintN(64, machine.pop().value) };
  },
  [DW_OP.implicit_value]: (machine) => {
    machine.place = { kind: 'bytes', bytes: machine.reader.block(machine.reader.uleb()) };
  },
  [DW_OP.piece]: pieceBits,
  [DW_OP.bit_piece]: (machine) => machine.endPiece(machine.reader.uleb(), machine.reader.uleb()),

  [DW_OP.entry_value]: entryValue,
  [DW_OP.GNU_entry_value]: entryValue,
  [DW_OP.implicit_pointer]: unavailable('a pointer to a variable that has no address'),
  [DW_OP.GNU_implicit_pointer]: unavailable('a pointer to a variable that has no address'),
  [DW_OP.GNU_parameter_ref]: unavailable('the value of a parameter that was optimized out'),
};

function range(count: number): number[] {
  return Array.from({ length: count }, (_unused, index) => index);
}
