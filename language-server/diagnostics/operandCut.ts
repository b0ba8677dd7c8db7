import type { AnalyzedStatement } from '../../toolchain/assembler/analysis.js';
import { decodeStatement } from '../codeFlow/decode.js';
import { hypercallSites } from '../codeFlow/hypercallSites.js';
import { KVM_PARAMETER_REGISTERS } from '../knowledge/hypercalls.js';
import { hex } from '../text/hex.js';
import type { Check, Finding } from './finding.js';

const OPERANDS = ['rax', ...KVM_PARAMETER_REGISTERS] as const;
const FARTHEST = 100;

/**
 * A hypercall from 32-bit code whose number or operand was made by 64-bit code and needs more than 32 bits: outside of
 * 64-bit mode the host cuts them (Documentation/virt/kvm/x86/hypercalls.rst).
 */
export const operandCut: Check = (analysis) => {
  const { statements } = analysis;
  return hypercallSites(analysis).flatMap(({ statement }) => {
    if (statement.bits === 64) return [];
    const index = statements.indexOf(statement);
    return OPERANDS.flatMap((register) => {
      const found = wideValue(statements, index, register);
      return found ? [findingOf(statement, register, found.value, found.writer)] : [];
    });
  });
};

/** The last write of a register before a statement, when it is 64-bit code's and wider than 32 bits. */
function wideValue(
  statements: readonly AnalyzedStatement[],
  index: number,
  register: string,
): { value: bigint; writer: AnalyzedStatement } | undefined {
  let isInto32 = false;
  for (let at = index - 1; at >= 0 && index - at < FARTHEST; at--) {
    const statement = statements[at];
    const decoded = decodeStatement(statement);
    if (!decoded) continue;
    if (statement.bits === 64 && !isInto32) {
      // 64-bit code gets to 32-bit code by a far transfer and by nothing else.
      if (!/^(retf|iretq?|iretd|jmp|sysretq?)$/.test(decoded.mnemonic) || decoded.transfer !== 'away')
        return undefined;
      isInto32 = true;
      continue;
    }
    if (decoded.transfer === 'call' || decoded.transfer === 'away') return undefined;
    const write = decoded.writes.find((candidate) => candidate.register === register);
    if (!write) continue;
    const isWide = write.value !== undefined && statement.bits === 64 && write.value > 0xffff_ffffn;
    return isWide ? { value: write.value!, writer: statement } : undefined;
  }
  return undefined;
}

function findingOf(
  { file, line, column, endColumn }: AnalyzedStatement,
  register: string,
  value: bigint,
  writer: AnalyzedStatement,
): Finding {
  const name = register.toUpperCase();
  return {
    file,
    line,
    column,
    endColumn,
    code: 'operand-cut',
    severity: 'warning',
    message: `Outside of 64-bit mode a hypercall is 32 bits wide: the host sees ${hex(BigInt.asUintN(32, value))} of ${name}, not ${hex(value)}.`,
    related: [{ place: writer, message: `${name} is set here, in 64-bit mode` }],
  };
}
