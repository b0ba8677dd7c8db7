import type { Check } from './finding.js';
import { entryPoint } from './entryPoint.js';
import { hypercallInstruction } from './hypercallInstruction.js';
import { operandCut } from './operandCut.js';
import { sensitiveInstructions } from './sensitiveInstructions.js';
import { unsetArguments } from './unsetArguments.js';
import { userModeHypercall } from './userModeHypercall.js';

/** Everything that is looked for in a program that assembles. */
export const checks: readonly Check[] = [
  unsetArguments,
  userModeHypercall,
  operandCut,
  sensitiveInstructions,
  hypercallInstruction,
  entryPoint,
];
