/** Hover texts of numbers: hypercalls, CPUID leaves, MSRs. */
import type { LoadedConstant } from '../codeFlow/operandMeaning.js';
import { cpuidLeaf } from '../knowledge/cpuidLeaves.js';
import { kvmHypercall } from '../knowledge/hypercalls.js';
import type { Hypercall } from '../knowledge/hypercalls.js';
import { msrAt } from '../knowledge/msrs.js';
import type { Msr } from '../knowledge/msrs.js';
import { hex } from './hex.js';

/** A hypercall with its operands. */
export function hypercallText({ hypervisor, number, name, summary, parameters }: Hypercall): string {
  const operands = parameters?.map(
    (parameter) => `| \`${parameter.register.toUpperCase()}\` | ${parameter.name} | ${parameter.meaning} |`,
  );
  const table = operands?.length
    ? `\n\n| Register | Operand | |\n|---|---|---|\n${operands.join('\n')}`
    : parameters
      ? '\n\nIt has no operands.'
      : '';
  return `**${name}**: ${hypervisor} hypercall ${number}\n\n${summary}${table}`;
}

export const msrText = ({ index, name, meaning }: Msr): string =>
  `**${name}**: MSR ${hex(index)}\n\n${meaning}`;

/** What a constant means to the instruction that uses it; undefined when it is not a known number. */
export function constantText({ use, value }: LoadedConstant): string | undefined {
  const number = Number(value);
  if (use === 'hypercall') {
    const call = kvmHypercall(number);
    return call && hypercallText(call);
  }
  if (use === 'msr') {
    const msr = msrAt(number);
    return msr && msrText(msr);
  }
  const leaf = cpuidLeaf(number);
  return leaf && `**CPUID leaf ${hex(leaf.leaf)}**: ${leaf.title}\n\n${leaf.contents}`;
}
