import type { MachineContext } from './machineContext.js';
import type { StructType } from './types.js';
import { sizeOf, stripped } from './types.js';
import { dereference, elementValue, integerOf, isStruct, memberValue, namedMembers } from './values.js';
import type { Value } from './values.js';

/** A part of a value: a member, an element, or what a pointer points to. */
export interface Child {
  readonly name: string;
  readonly value: Value;
  /** An expression that gives the child again. */
  readonly expression: string;
}

/** How many children a value has; arrays of unknown length have none. */
export function childCount(value: Value): number {
  const type = stripped(value.type);
  if (value.problem !== undefined) {
    return 0;
  }
  if (type.kind === 'array') {
    return sizeOf(type.element) === undefined ? 0 : (type.count ?? 0);
  }
  if (isStruct(type)) {
    return namedMembers(type).length;
  }
  if (type.kind !== 'pointer' || integerOf(value) === 0n) {
    return 0;
  }
  const target = stripped(type.target);
  return isStruct(target) ? namedMembers(target).length : sizeOf(target) === undefined ? 0 : 1;
}

/**
 * The children of a value from `start` on, at most `count`: elements, members, and of a pointer the members of the struct
 * that it points to, or its target. `expression` is the C expression of the value itself.
 */
export function childrenOf(
  value: Value,
  expression: string,
  machine: MachineContext,
  start = 0,
  count = Infinity,
): Child[] {
  const type = stripped(value.type);
  const end = Math.min(childCount(value), start + count);
  if (type.kind === 'array') {
    return Array.from({ length: Math.max(end - start, 0) }, (_unused, offset) => {
      const index = start + offset;
      const element = elementValue(value, type.element, index, machine);
      return { name: `[${index}]`, value: element, expression: `${postfix(expression)}[${index}]` };
    });
  }
  if (isStruct(type)) {
    return membersOf(value, type, `${postfix(expression)}.`, machine).slice(start, end);
  }
  if (type.kind !== 'pointer' || end === 0) {
    return [];
  }
  const pointed = dereference(value, machine);
  const target = stripped(type.target);
  return isStruct(target)
    ? membersOf(pointed, target, `${postfix(expression)}->`, machine).slice(start, end)
    : [{ name: `*${expression}`, value: pointed, expression: `*${postfix(expression)}` }].slice(start, end);
}

function membersOf(value: Value, type: StructType, prefix: string, machine: MachineContext): Child[] {
  return namedMembers(type).map((member) => ({
    name: member.name!,
    value: memberValue(value, member, machine),
    expression: prefix + member.name!,
  }));
}

/** The expression in parentheses, unless an operator can follow it as it is. */
function postfix(expression: string): string {
  return /^[$\w.[\]]+$|^[$\w]+(->[$\w.[\]]+)+$/.test(expression) ? expression : `(${expression})`;
}
