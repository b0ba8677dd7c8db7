import type { Die } from '../dwarf/die.js';
import { DW_AT } from '../dwarf/constants.js';
import { expressionAt } from '../dwarf/locationLists.js';
import { evaluateLocation } from '../dwarf/stackMachine.js';
import type { Place, PlacePiece } from '../dwarf/stackMachine.js';
import { FrameEnvironment } from './frameEnvironment.js';
import type { FrameServices } from './frameEnvironment.js';
import type { MachineContext } from './machineContext.js';

/**
 * Where a value is: in memory, in a register, computed (`value`) or constant (`bytes`) without a place of its own, in
 * pieces, or nowhere. Sizes and offsets of pieces are in bits.
 */
export type Location = Place;
export type Piece = PlacePiece;

/**
 * Where the variable of an entry is while the code at `address` runs in the frame of `functionDie` (undefined for a
 * global variable).
 */
export function locateVariable(
  die: Die,
  functionDie: Die | undefined,
  address: bigint,
  machine: MachineContext,
  services: FrameServices,
): Location {
  const located = die.withAttribute(DW_AT.location);
  if (located === undefined) {
    return constantLocation(die);
  }
  const expression = expressionAt(located, DW_AT.location, address);
  if (expression === undefined) {
    return { kind: 'optimizedOut', reason: 'optimized out' };
  }
  const environment = new FrameEnvironment(services, located.unit, functionDie, address, machine);
  return evaluateLocation(expression, environment);
}

/** A variable that is a constant has its value in the debug information (DWARF 5 4.1, DW_AT_const_value). */
function constantLocation(die: Die): Location {
  const value = die.withAttribute(DW_AT.const_value)?.value(DW_AT.const_value);
  switch (value?.kind) {
    case 'constant':
      return { kind: 'value', value: BigInt.asUintN(64, value.value) };
    case 'block':
      return { kind: 'bytes', bytes: value.bytes };
    default:
      return { kind: 'optimizedOut', reason: 'optimized out' };
  }
}
