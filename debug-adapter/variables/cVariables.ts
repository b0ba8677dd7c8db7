/** C values as variables: arguments, locals, globals, and the parts of each. */
import type { Variable } from '../../toolchain/debuginfo/debugInfo.js';
import type { Child } from '../../toolchain/debuginfo/children.js';
import { childCount, childrenOf } from '../../toolchain/debuginfo/children.js';
import { formatValue } from '../../toolchain/debuginfo/format.js';
import { sizeOf, stripped, typeName } from '../../toolchain/debuginfo/types.js';
import type { Value } from '../../toolchain/debuginfo/values.js';
import { integerOf, readValue } from '../../toolchain/debuginfo/values.js';
import type { Container, MemoryPlace, Page, VariableRow } from './container.js';
import { pageOf } from './container.js';
import { formatReference } from '../breakpoints/reference.js';
import type { FrameContext } from './frameContext.js';
import { evaluateIn, symbolNameIn } from './frameContext.js';
import type { NumberFormat } from './numberFormat.js';
import { VariableError } from './numberFormat.js';

/** Where the memory view begins: what a pointer points to, else the place of the value. */
function memoryReferenceOf(value: Value, { frame }: FrameContext): string | undefined {
  const isPointer = stripped(value.type).kind === 'pointer' && value.problem === undefined;
  if (isPointer) return formatReference(frame.world, integerOf(value));
  return value.location.kind === 'memory' ? formatReference(frame.world, value.location.address) : undefined;
}

/** Where a value lies. Throws VariableError for one that is in a register, or nowhere. */
export function placeOf(value: Value, expression: string): MemoryPlace {
  if (value.location.kind !== 'memory') {
    throw new VariableError(`${expression} is not in memory: ${value.problem ?? 'it is in a register'}`);
  }
  const length = sizeOf(value.type);
  if (length === undefined) throw new VariableError(`the size of ${expression} is not known`);
  return { address: value.location.address, length };
}

/** A value of an expression; `name` is what the row is called. */
export function valueRow(
  name: string,
  value: Value,
  expression: string,
  context: FrameContext,
  format: NumberFormat,
): VariableRow {
  return {
    name,
    value: formatValue(value, context.frame.machine, {
      hex: format === 'hex',
      symbolName: symbolNameIn(context),
    }),
    type: typeName(value.type),
    evaluateName: expression,
    memoryReference: memoryReferenceOf(value, context),
    children: childCount(value) > 0 ? new ValueChildren(value, expression, context) : undefined,
  };
}

/** Assigns to an expression and answers its new row. */
export function assign(
  name: string,
  expression: string,
  text: string,
  context: FrameContext,
  format: NumberFormat,
): VariableRow {
  if (text.trim() === '') throw new VariableError('a value is missing');
  const value = evaluateIn(`${expression} = (${text})`, context);
  return valueRow(name, value, expression, context, format);
}

/** The members, elements or target of a value. */
class ValueChildren implements Container {
  readonly indexed: number | undefined;
  readonly named: number | undefined;

  constructor(
    private readonly value: Value,
    private readonly expression: string,
    private readonly context: FrameContext,
  ) {
    const isArray = stripped(value.type).kind === 'array';
    this[isArray ? 'indexed' : 'named'] = childCount(value);
  }

  rows(format: NumberFormat, { start, count }: Page): readonly VariableRow[] {
    const { value, expression, context } = this;
    return childrenOf(value, expression, context.frame.machine, start, count || undefined).map((child) =>
      valueRow(child.name, child.value, child.expression, context, format),
    );
  }

  set(name: string, text: string, format: NumberFormat): VariableRow {
    return assign(name, this.child(name).expression, text, this.context, format);
  }

  place(name: string): MemoryPlace {
    const { value, expression } = this.child(name);
    return placeOf(value, expression);
  }

  private child(name: string): Child {
    const { value, expression, context } = this;
    const index = /^\[(\d+)\]$/.exec(name);
    const page = index ? [Number(index[1]), 1] : [];
    const child = childrenOf(value, expression, context.frame.machine, ...page).find(
      (one) => one.name === name,
    );
    if (!child) throw new VariableError(`${expression} has no part "${name}"`);
    return child;
  }
}

/** Variables of one scope. */
export class VariableList implements Container {
  /** `find`: the variables, asked for when they are shown. */
  constructor(
    private readonly find: () => readonly Variable[],
    private readonly context: FrameContext,
  ) {}

  rows(format: NumberFormat, page: Page): readonly VariableRow[] {
    const { frame } = this.context;
    return pageOf(this.find(), page).map((variable) => {
      const value = readValue(variable.type, variable.locate(frame.lookup, frame.machine), frame.machine);
      return valueRow(variable.name, value, variable.name, this.context, format);
    });
  }

  set(name: string, text: string, format: NumberFormat): VariableRow {
    return assign(name, name, text, this.context, format);
  }

  place(name: string): MemoryPlace {
    return placeOf(evaluateIn(name, this.context), name);
  }
}
