import type { Analysis, AnalyzedStatement } from '../../toolchain/assembler/analysis.js';
import { decodeStatement } from './decode.js';

/** What a constant that is loaded into a register is for, seen from the instruction that uses it. */
export type ConstantUse = 'hypercall' | 'cpuid' | 'msr';

export interface LoadedConstant {
  readonly use: ConstantUse;
  readonly value: bigint;
}

/** Which register an instruction takes a number from. */
const USERS: Readonly<Record<string, readonly [register: string, use: ConstantUse]>> = {
  vmcall: ['rax', 'hypercall'],
  vmmcall: ['rax', 'hypercall'],
  cpuid: ['rax', 'cpuid'],
  rdmsr: ['rcx', 'msr'],
  wrmsr: ['rcx', 'msr'],
};
const FARTHEST = 30;

/** What the constant of a statement is used for in the straight-line code after it; undefined when nobody can tell. */
export function constantUse(analysis: Analysis, statement: AnalyzedStatement): LoadedConstant | undefined {
  const loaded = decodeStatement(statement)?.writes.find(({ value }) => value !== undefined);
  if (!loaded) return undefined;
  const { statements } = analysis;
  const start = statements.indexOf(statement);
  for (let at = start + 1; at < statements.length && at - start < FARTHEST; at++) {
    const decoded = decodeStatement(statements[at]);
    if (!decoded) continue;
    const user = USERS[decoded.mnemonic];
    if (user && user[0] === loaded.register) return { use: user[1], value: loaded.value! };
    const isOverwritten = decoded.writes.some(({ register }) => register === loaded.register);
    if (isOverwritten || decoded.transfer === 'away') return undefined;
  }
  return undefined;
}
