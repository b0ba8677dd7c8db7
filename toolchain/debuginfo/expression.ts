import { Unavailable } from '../dwarf/stackTypes.js';
import { Arithmetic } from './arithmetic.js';
import type { DebugInfo, SymbolInfo } from './debugInfo.js';
import { ExpressionError } from './expressionLexer.js';
import { parseExpression } from './expressionParser.js';
import type { Expression } from './expressionParser.js';
import type { Location } from './location.js';
import type { MachineContext } from './machineContext.js';
import { writeBytes } from './storage.js';
import type { MachineWriter } from './storage.js';
import type { Type } from './types.js';
import { sizeOf, stripped, typeName } from './types.js';
import * as values from './values.js';
import type { Value } from './values.js';

export { ExpressionError } from './expressionLexer.js';

/** The registers that `$name` stands for, and how to set one. */
export interface NamedRegisters {
  /** Undefined when there is no register of that name. */
  read(name: string): { readonly value: bigint; readonly bits: number } | undefined;
  /** False when it cannot be changed. */
  write(name: string, value: bigint): boolean;
}

/** Where an expression is evaluated: one frame of the stopped machine. */
export interface EvaluationContext {
  readonly debugInfo: DebugInfo;
  /** The address in the frame: of the next instruction, or in a calling frame the return address minus one. */
  readonly address: bigint;
  /** Which of the calls inlined there, as in `DebugInfo.variablesAt`. */
  readonly inlineDepth?: number;
  readonly machine: MachineContext;
  readonly registers: NamedRegisters;
  /** Without it, assignments are refused. */
  readonly writer?: MachineWriter;
}

/** The result: a typed value, and the register it stands for when it is one that `$name` wrote. */
export interface EvaluatedValue extends Value {
  readonly registerName?: string;
}

/**
 * Evaluates a C expression in a frame. An assignment changes the machine and gives the new value. Throws an
 * ExpressionError with a message for the user: `no symbol "foo" in this frame`.
 */
export function evaluateExpression(text: string, context: EvaluationContext): EvaluatedValue {
  try {
    return new Evaluator(context).evaluateText(text);
  } catch (error) {
    throw error instanceof Unavailable ? new ExpressionError(error.message) : error;
  }
}

class Evaluator {
  private readonly arithmetic: Arithmetic;

  constructor(private readonly context: EvaluationContext) {
    this.arithmetic = new Arithmetic(context.debugInfo.bits);
  }

  evaluateText(text: string): EvaluatedValue {
    const { debugInfo, address } = this.context;
    const expression = parseExpression(text, {
      bits: debugInfo.bits,
      typeNamed: (name) =>
        this.variable(name) === undefined ? debugInfo.typeNamed(name, address) : undefined,
    });
    return this.evaluate(expression);
  }

  private evaluate(node: Expression): EvaluatedValue {
    switch (node.kind) {
      case 'integer':
        return this.arithmetic.literal(node.value, node.suffix, node.decimal);
      case 'float':
        return this.arithmetic.floating(node.value);
      case 'character':
        return this.arithmetic.number(this.arithmetic.integerType('char'), BigInt(node.value));
      case 'identifier':
        return this.identifier(node.name);
      case 'register':
        return this.register(node.name);
      case 'unary':
        return this.unary(node.operator, node.operand);
      case 'binary':
        return this.arithmetic.binary(node.operator, this.scalar(node.left), this.scalar(node.right));
      case 'logical':
        return this.logical(node.operator, node.left, node.right);
      case 'conditional':
        return this.arithmetic.isTrue(this.scalar(node.test))
          ? this.evaluate(node.yes)
          : this.evaluate(node.no);
      case 'cast':
        return this.cast(node.type, node.operand);
      case 'sizeofType':
        return this.size(node.type);
      case 'sizeof':
        return this.size(this.evaluate(node.operand).type);
      case 'member':
        return this.member(node.object, node.name, node.arrow);
      case 'index':
        return this.index(node.array, node.index);
      case 'assign':
        return this.assign(node.target, node.value);
    }
  }

  private identifier(name: string): Value {
    return this.typed(name) ?? this.symbol(name);
  }

  /** What debug information knows of a name. */
  private typed(name: string): Value | undefined {
    const { debugInfo, address, machine } = this.context;
    const variable = this.variable(name) ?? debugInfo.globalNamed(name, address);
    if (variable !== undefined) {
      return values.readValue(variable.type, variable.locate(address, machine), machine);
    }
    const enumerator = debugInfo.enumeratorNamed(name);
    if (enumerator !== undefined) {
      return this.arithmetic.number(enumerator.type, enumerator.value);
    }
    const [known] = debugInfo.functionsNamed(name);
    if (known !== undefined) {
      const type = debugInfo.functionType(known.low) ?? UNTYPED_FUNCTION;
      return values.readValue(type, { kind: 'memory', address: known.low }, machine);
    }
    return undefined;
  }

  private variable(name: string): ReturnType<DebugInfo['globalNamed']> {
    const { debugInfo, address, inlineDepth } = this.context;
    const visible = debugInfo.variablesAt(address, inlineDepth);
    return [...visible.locals, ...visible.arguments].find((variable) => variable.name === name);
  }

  /** A symbol without a type, as assembly has them: the integer at its address, or the number it stands for. */
  private symbol(name: string): Value {
    const { debugInfo } = this.context;
    const symbol = debugInfo.symbolNamed(name);
    if (symbol === undefined) {
      throw new ExpressionError(`no symbol "${name}" in this frame`);
    }
    if (symbol.kind === 'absolute') {
      return this.arithmetic.number(this.arithmetic.unsignedLong, symbol.address);
    }
    const type = symbol.kind === 'code' ? UNTYPED_FUNCTION : this.naturalType(symbol);
    return this.read(type, symbol.address);
  }

  /** The largest integer up to a word that lies within a symbol's extent. */
  private naturalType({ address, end }: SymbolInfo): Type {
    const extent = end - address;
    const fitting = ['long', 'int', 'short'].map((name) => this.arithmetic.integerType(name));
    return (
      fitting.find(({ byteSize }) => BigInt(byteSize) <= extent) ?? this.arithmetic.integerType('signed char')
    );
  }

  private register(name: string): EvaluatedValue {
    const register = this.context.registers.read(name);
    if (register === undefined) {
      throw new ExpressionError(`no register "$${name}"`);
    }
    const type = this.arithmetic.integerType(REGISTER_TYPES[register.bits] ?? 'unsigned long long');
    return { ...this.arithmetic.number(type, register.value), registerName: name };
  }

  private unary(operator: string, operand: Expression): Value {
    switch (operator) {
      case '&':
        return this.addressOf(this.evaluate(operand));
      case '*':
        return this.pointee(this.scalar(operand));
      default:
        return this.arithmetic.unary(operator, this.scalar(operand));
    }
  }

  private logical(operator: '&&' | '||', left: Expression, right: Expression): Value {
    const first = this.arithmetic.isTrue(this.scalar(left));
    const decided = operator === '&&' ? !first : first;
    return this.arithmetic.boolean(decided ? first : this.arithmetic.isTrue(this.scalar(right)));
  }

  private addressOf(value: EvaluatedValue): Value {
    if (value.location.kind !== 'memory') {
      throw new ExpressionError('the operand of "&" is not in memory');
    }
    return this.arithmetic.number(this.pointerTo(value.type), value.location.address);
  }

  private pointee(pointer: Value): Value {
    const plain = stripped(pointer.type);
    // As in gdb, an integer (a register, mostly) is taken as the address of a word.
    if (plain.kind !== 'pointer') {
      if (!values.isFloat(plain)) {
        const address = BigInt.asUintN(this.context.debugInfo.bits, values.integerOf(pointer));
        return this.read(this.arithmetic.unsignedLong, address);
      }
      throw new ExpressionError(`"*" cannot be applied to ${typeName(pointer.type)}`);
    }
    if (stripped(plain.target).kind === 'void') {
      throw new ExpressionError('a void pointer points to no value; cast it');
    }
    return values.dereference(pointer, this.context.machine);
  }

  private cast(type: Type, operand: Expression): Value {
    const value = this.evaluate(operand);
    if (stripped(type).kind === 'void') {
      throw new ExpressionError('a cast to void has no value');
    }
    if (values.isScalar(type)) {
      return this.arithmetic.convert(this.decayed(value), type);
    }
    // As in gdb: what is in memory can be looked at as any type.
    if (value.location.kind === 'memory') {
      return this.read(type, value.location.address);
    }
    throw new ExpressionError(`${typeName(value.type)} cannot be cast to ${typeName(type)}`);
  }

  private size(type: Type): Value {
    const plain = stripped(type);
    const size = plain.kind === 'void' || plain.kind === 'function' ? 1 : sizeOf(plain);
    if (size === undefined) {
      throw new ExpressionError(`the size of ${typeName(type)} is not known`);
    }
    return this.arithmetic.number(this.arithmetic.unsignedLong, BigInt(size));
  }

  private member(object: Expression, name: string, arrow: boolean): Value {
    const evaluated = this.evaluate(object);
    // As in gdb, `.` and `->` are both taken for what is meant.
    const isPointer = stripped(evaluated.type).kind === 'pointer';
    const value = isPointer || arrow ? this.pointee(this.decayed(evaluated)) : evaluated;
    const type = stripped(value.type);
    if (!values.isStruct(type)) {
      throw new ExpressionError(`${typeName(value.type)} has no members`);
    }
    const found = values.findMember(type, name);
    if (found === undefined) {
      const incomplete = type.byteSize === undefined ? ' (the type is declared only)' : '';
      throw new ExpressionError(`${typeName(type)} has no member "${name}"${incomplete}`);
    }
    return values.memberValue(value, found, this.context.machine);
  }

  private index(array: Expression, index: Expression): Value {
    const value = this.evaluate(array);
    const type = stripped(value.type);
    const position = this.scalar(index);
    if (array.kind === 'identifier' && this.typed(array.name) === undefined) {
      // A symbol without a type may as well begin a table of such integers.
      return this.pointee(this.arithmetic.binary('+', this.addressOf(value), position));
    }
    if (type.kind === 'array' && value.location.kind !== 'memory') {
      const element = Number(values.integerOf(position));
      if (element < 0 || (type.count !== undefined && element >= type.count)) {
        throw new ExpressionError(`element ${element} is outside ${typeName(type)}`);
      }
      return values.elementValue(value, type.element, element, this.context.machine);
    }
    return this.pointee(this.arithmetic.binary('+', this.decayed(value), position));
  }

  private assign(target: Expression, source: Expression): EvaluatedValue {
    const left = this.evaluate(target);
    if (left.registerName !== undefined) {
      return this.assignRegister(left.registerName, values.integerOf(this.scalar(source)));
    }
    const { machine, writer } = this.context;
    if (writer === undefined) {
      throw new ExpressionError('the program cannot be changed here');
    }
    if (left.location.kind === 'bytes' || left.location.kind === 'value') {
      throw new ExpressionError('the left side of "=" is not in memory or a register');
    }
    const bytes = values.isScalar(left.type)
      ? this.arithmetic.convert(this.scalar(source), left.type).bytes!
      : this.aggregateBytes(left, this.evaluate(source));
    writeBytes(left.location, bytes, machine, writer);
    return values.readValue(left.type, left.location, machine);
  }

  private assignRegister(name: string, value: bigint): EvaluatedValue {
    if (!this.context.registers.write(name, value)) {
      throw new ExpressionError(`$${name} cannot be changed`);
    }
    return this.register(name);
  }

  /** A struct is assigned as a whole, from one of the same type. */
  private aggregateBytes(left: Value, right: Value): Uint8Array {
    const size = sizeOf(left.type);
    if (size === undefined || typeName(stripped(left.type)) !== typeName(stripped(right.type))) {
      throw new ExpressionError(`${typeName(right.type)} cannot be assigned to ${typeName(left.type)}`);
    }
    return values.bytesOf(right, size, this.context.machine);
  }

  /** The operand of an operator: arrays and functions have become pointers (C17 6.3.2.1). */
  private scalar(node: Expression): Value {
    const value = this.decayed(this.evaluate(node));
    if (value.problem !== undefined) {
      throw new ExpressionError(value.problem);
    }
    return value;
  }

  private decayed(value: Value): Value {
    const type = stripped(value.type);
    if (type.kind !== 'array' && type.kind !== 'function') {
      return value;
    }
    if (value.location.kind !== 'memory') {
      throw new ExpressionError(`${typeName(type)} is not in memory here`);
    }
    return this.arithmetic.number(
      this.pointerTo(type.kind === 'array' ? type.element : value.type),
      value.location.address,
    );
  }

  private pointerTo(target: Type): Type {
    return { kind: 'pointer', byteSize: this.context.debugInfo.bits / 8, target };
  }

  private read(type: Type, address: bigint): Value {
    const location: Location = { kind: 'memory', address };
    return values.readValue(type, location, this.context.machine);
  }
}

const REGISTER_TYPES: Readonly<Record<number, string>> = {
  8: 'unsigned char',
  16: 'unsigned short',
  32: 'unsigned int',
};

const UNTYPED_FUNCTION: Type = {
  kind: 'function',
  returnType: { kind: 'void' },
  parameters: [],
  variadic: false,
};
