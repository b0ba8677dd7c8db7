import type { Analysis, AnalyzedStatement } from '../../toolchain/assembler/analysis.js';
import { KVM_PARAMETER_REGISTERS, kvmHypercall } from '../knowledge/hypercalls.js';
import type { Hypercall } from '../knowledge/hypercalls.js';
import { decodeStatement } from './decode.js';

/** What is known of a register where a hypercall is made. */
export interface RegisterBefore {
  /** The statement that wrote it last, and the constant that it wrote. */
  readonly writer: AnalyzedStatement | undefined;
  readonly value: bigint | undefined;
  /** `unset`: the program started without it and nothing wrote it; `unknown`: the code before cannot be told. */
  readonly state: 'set' | 'unset' | 'unknown';
}

/** A VMCALL or VMMCALL, with what the straight-line code before it left in the registers. */
export interface HypercallSite {
  readonly statement: AnalyzedStatement;
  readonly instruction: 'vmcall' | 'vmmcall';
  readonly registers: Readonly<Record<string, RegisterBefore>>;
  /** KVM's hypercall of the number in RAX; undefined when the number is not known or not KVM's. */
  readonly hypercall: Hypercall | undefined;
}

const HYPERCALL = /(?:^|[\s:;])(vmm?call)\b/i;
/** System V: what a called function leaves as it was. */
const PRESERVED = new Set(['rbx', 'rbp', 'rsp', 'r12', 'r13', 'r14', 'r15']);
const ENTRY_SYMBOL = '_start';
/** Nobody writes straight-line code longer than this before a hypercall. */
const FARTHEST = 400;

const sites = new WeakMap<Analysis, readonly HypercallSite[]>();

/** Every hypercall of a program, in the order of assembly. */
export function hypercallSites(analysis: Analysis): readonly HypercallSite[] {
  let found = sites.get(analysis);
  if (!found) {
    found = findSites(analysis);
    sites.set(analysis, found);
  }
  return found;
}

function findSites(analysis: Analysis): HypercallSite[] {
  const { statements } = analysis;
  const found: HypercallSite[] = [];
  statements.forEach((statement, index) => {
    const name = statement.kind === 'instruction' ? HYPERCALL.exec(statement.text)?.[1] : undefined;
    if (!name) return;
    const registers = registersBefore(analysis, index);
    const number = registers.rax.value;
    found.push({
      statement,
      instruction: name.toLowerCase() as HypercallSite['instruction'],
      registers,
      hypercall:
        number === undefined
          ? undefined
          : kvmHypercall(Number(BigInt.asUintN(statement.bits === 64 ? 64 : 32, number))),
    });
  });
  return found;
}

/** Walks backwards from a statement as long as the code before it falls through to it. */
function registersBefore({ statements }: Analysis, index: number): Record<string, RegisterBefore> {
  const wanted = ['rax', ...KVM_PARAMETER_REGISTERS] as const;
  const unknown: RegisterBefore = { writer: undefined, value: undefined, state: 'unknown' };
  const registers: Record<string, RegisterBefore> = {};
  const open = new Set<string>(wanted);
  const close = (state: 'unset' | 'unknown'): void => {
    for (const register of open) registers[register] = { ...unknown, state };
    open.clear();
  };
  const { section } = statements[index];
  // A label is a place where other code may come from: constants set before it need not hold, writes do count.
  let isAfterLabel = startsWithLabel(statements[index]);
  if (isEntry(statements[index])) close('unset');
  for (let at = index - 1; at >= 0 && open.size > 0 && index - at < FARTHEST; at--) {
    const statement = statements[at];
    if (statement.section !== section) continue;
    if (statement.kind === 'instruction') {
      const decoded = decodeStatement(statement);
      if (!decoded || decoded.transfer === 'away') break;
      for (const { register, value } of decoded.writes) {
        if (!open.delete(register)) continue;
        registers[register] = { writer: statement, value: isAfterLabel ? undefined : value, state: 'set' };
      }
      if (decoded.transfer === 'call') {
        for (const register of open) {
          if (PRESERVED.has(register)) continue;
          registers[register] = unknown;
          open.delete(register);
        }
      }
    }
    if (isEntry(statement)) close('unset');
    isAfterLabel ||= startsWithLabel(statement);
  }
  close('unknown');
  return registers;
}

const startsWithLabel = ({ text }: AnalyzedStatement): boolean => /^(?:[\w.$]+|"[^"]*")\s*:/.test(text);
const isEntry = ({ text }: AnalyzedStatement): boolean => new RegExp(`^${ENTRY_SYMBOL}\\s*:`).test(text);
