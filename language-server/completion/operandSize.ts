import type { LineState } from '../../toolchain/assembler/analysis.js';
import { formsOf } from '../../toolchain/assembler/instructionTable.js';
import { meaningsOf } from '../../toolchain/assembler/mnemonics.js';
import { registerName } from '../../toolchain/assembler/syntax.js';
import type { StatementSyntax } from '../../toolchain/assembler/syntax.js';
import { registerBits } from '../knowledge/registers.js';

/** Instructions whose operands differ in width. */
const MIXED =
  /^(mov[sz]x?d?|mov[sz][bwl]?[wlq]?|in|out|sh[lr]d?|sa[lr]|ro[lr]|rc[lr]|bt[src]?|crc32|lar|lsl)$/;

/**
 * The width in bits of the general register that fits an operand: what the mnemonic's suffix says, or the register
 * beside it; undefined when any may fit.
 */
export function expectedRegisterBits(
  statement: StatementSyntax,
  operandIndex: number,
  state: LineState,
): number | undefined {
  const name = statement.operation?.text.toLowerCase() ?? '';
  const isAtt = state.syntax === 'att';
  if (isAtt) {
    const meaning = meaningsOf(name, state.bits).find(({ mnemonic }) => formsOf(mnemonic).length > 0);
    if (meaning?.sourceBits !== undefined)
      return operandIndex === 0 ? meaning.sourceBits : meaning.suffixBits;
    if (meaning?.suffixBits !== undefined) return meaning.suffixBits;
  }
  if (/^(push|pop|call|jmp)$/.test(name)) return state.bits;
  if (MIXED.test(name)) return undefined;
  for (const [index, { tokens }] of statement.operands.entries()) {
    if (index === operandIndex || tokens.length === 0 || tokens[0].kind !== 'register') continue;
    const bits = registerBits(registerName(tokens[0].text));
    if (bits !== undefined) return bits;
  }
  return undefined;
}

/** Whether a column is inside of the parentheses or brackets of a memory operand: base and index are addresses there. */
export function isInAddress(text: string, column: number): boolean {
  const before = text.slice(0, column - 1).replace(/%st\(\d\)/g, '');
  return (
    before.lastIndexOf('(') > before.lastIndexOf(')') || before.lastIndexOf('[') > before.lastIndexOf(']')
  );
}
