/** C values as variables: arguments, locals, globals, and the parts of each. */
import type { Variable } from '../../toolchain/debuginfo/debugInfo.js';
import { childCount, childrenOf } from '../../toolchain/debuginfo/children.js';
import { formatValue } from '../../toolchain/debuginfo/format.js';
import { stripped, typeName } from '../../toolchain/debuginfo/types.js';
import type { Value } from '../../toolchain/debuginfo/values.js';
import { integerOf, readValue } from '../../toolchain/debuginfo/values.js';
import type { Container, Page, VariableRow } from './container.js';
import { pageOf } from './container.js';
import type { FrameContext } from './frameContext.js';
import { evaluateIn, symbolNameIn } from './frameContext.js';
import type { NumberFormat } from './numberFormat.js';
import { hex, VariableError } from './numberFormat.js';

/** Where the memory view begins: what a pointer points to, else the place of the value. */
function memoryReferenceOf(value: Value): string | undefined {
  const type = stripped(value.type);
  if (type.kind === 'pointer' && value.problem === undefined) return hex(integerOf(value));
  return value.location.kind === 'memory' ? hex(value.location.address) : undefined;
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
    memoryReference: memoryReferenceOf(value),
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
    const { value, expression, context } = this;
    const index = /^\[(\d+)\]$/.exec(name);
    const page = index ? [Number(index[1]), 1] : [];
    const child = childrenOf(value, expression, context.frame.machine, ...page).find(
      (one) => one.name === name,
    );
    if (!child) throw new VariableError(`${expression} has no part "${name}"`);
    return assign(name, child.expression, text, context, format);
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
}
