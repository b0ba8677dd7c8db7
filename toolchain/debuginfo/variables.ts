import { DW_AT, DW_TAG } from '../dwarf/constants.js';
import type { Die } from '../dwarf/die.js';
import type { Variable } from './debugInfo.js';
import type { FrameServices } from './frameEnvironment.js';
import { declarationOf } from './functions.js';
import { scopesAt } from './inlining.js';
import { locateVariable } from './location.js';
import type { TypeReader } from './typeReader.js';
import type { Units } from './units.js';

export interface FrameVariables {
  readonly arguments: Variable[];
  readonly locals: Variable[];
}

/** Makes variables of their entries. */
export class VariableReader {
  constructor(
    private readonly units: Units,
    private readonly types: TypeReader,
    private readonly services: FrameServices,
  ) {}

  /** A variable in the frame of a function, or a global one when `functionDie` is undefined. */
  read(die: Die, functionDie: Die | undefined): Variable {
    const { types, units, services } = this;
    return {
      name: die.name ?? '?',
      get type() {
        return types.typeOf(die);
      },
      get declaration() {
        return declarationOf(die, units);
      },
      locate: (address, machine) => locateVariable(die, functionDie, address, machine, services),
    };
  }

  /**
   * The variables that are in scope at an address of a function; inner ones hide outer ones of the same name. With
   * `inlineDepth` 0 they are those of the innermost inlined call, with 1 of the one around it, and so on.
   */
  inScope(functionDie: Die, address: bigint, inlineDepth: number): FrameVariables {
    const visible = { arguments: new Map<string, Variable>(), locals: new Map<string, Variable>() };
    for (const scope of frameScopes(scopesAt(functionDie, address), inlineDepth)) {
      for (const die of declaredIn(scope)) {
        // A function may declare a global variable (`extern int x;`): that is found among the globals.
        const name = die.flag(DW_AT.declaration) ? undefined : die.name;
        if (name === undefined) {
          continue;
        }
        const isArgument = die.tag === DW_TAG.formal_parameter;
        visible.arguments.delete(name);
        visible.locals.delete(name);
        visible[isArgument ? 'arguments' : 'locals'].set(name, this.read(die, functionDie));
      }
    }
    return { arguments: [...visible.arguments.values()], locals: [...visible.locals.values()] };
  }
}

/**
 * The variables of a scope. Of an inlined call, compilers leave out those that were optimized out; they are then found in
 * the function that was inlined.
 */
function declaredIn(scope: Die): Die[] {
  const variables = scope.childrenTagged(DW_TAG.formal_parameter, DW_TAG.variable);
  const origin = scope.reference(DW_AT.abstract_origin);
  if (origin === undefined) {
    return variables;
  }
  const present = new Set(variables.map((die) => die.reference(DW_AT.abstract_origin)?.offset));
  const absent = origin.childrenTagged(DW_TAG.formal_parameter, DW_TAG.variable);
  return [...variables, ...absent.filter(({ offset }) => !present.has(offset))];
}

/** The scopes of one of the frames that share the code: from its function, or inlined call, to its innermost block. */
function frameScopes(scopes: readonly Die[], inlineDepth: number): Die[] {
  const frames: Die[][] = [];
  for (const scope of scopes) {
    if (frames.length === 0 || scope.tag === DW_TAG.inlined_subroutine) {
      frames.push([]);
    }
    frames.at(-1)!.push(scope);
  }
  return frames.at(-1 - inlineDepth) ?? [];
}
