/** The VMX instructions as cold semantics, by the names of the instruction table. */
import type { ColdSemantics } from '../../cpu/seams.js';
import type { VmxContext } from '../context.js';
import { enterGuest } from '../entry/enter.js';
import { rootInstruction } from './checks.js';
import { invalidationInstructions } from './invalidation.js';
import { operationInstructions } from './operation.js';
import { vmFunctionInstructions } from './vmFunctions.js';
import { vmcsFieldInstructions } from './vmcsFields.js';
import { vmcsPointerInstructions } from './vmcsPointers.js';

export const virtualizationInstructions = (context: VmxContext): Readonly<Record<string, ColdSemantics>> => ({
  ...operationInstructions(context),
  ...vmcsPointerInstructions(context),
  ...vmcsFieldInstructions(context),
  ...invalidationInstructions(context),
  ...vmFunctionInstructions(context),
  vmlaunch: rootInstruction(() => enterGuest(context, 'VMLAUNCH')),
  vmresume: rootInstruction(() => enterGuest(context, 'VMRESUME')),
});
