import type { AnalyzedStatement } from '../../toolchain/assembler/analysis.js';
import { instructionsNamed } from '../instructionSet/instructionForms.js';
import type { Check, Finding } from './finding.js';

/** The classes of Robin and Irvine, USENIX Security 2000, section 3. */
const REGISTER = 'reads or writes a sensitive register';
const PROTECTION = 'refers to the protection system';

interface SensitiveInstruction {
  readonly mnemonics: readonly string[];
  /** What of the operands makes it sensitive; any when left out. */
  readonly operands?: RegExp;
  readonly why: string;
}

/** A selector register as an operand. */
const SEGMENT = /(?:^|[\s,(%[])(?:[cdefgs]s)(?![\w:])/i;

/**
 * The sensitive instructions that do not trap outside of CPL 0 (“Analysis of the Intel Pentium's Ability to Support a
 * Secure Virtual Machine Monitor”): a deprivileged kernel that executes them sees the machine instead of its own.
 */
// prettier-ignore
const sensitive: readonly SensitiveInstruction[] = [
  { mnemonics: ['sgdt'], why: `${REGISTER}: it stores the hypervisor's GDTR, not the kernel's` },
  { mnemonics: ['sidt'], why: `${REGISTER}: it stores the hypervisor's IDTR, not the kernel's` },
  { mnemonics: ['sldt'], why: `${REGISTER}: it stores the hypervisor's LDTR, not the kernel's` },
  { mnemonics: ['smsw'], why: `${REGISTER}: it shows the machine's CR0, not the kernel's` },
  { mnemonics: ['pushf', 'pushfd', 'pushfq'], why: `${REGISTER}: it shows the machine's IF and IOPL, not the kernel's` },
  { mnemonics: ['popf', 'popfd', 'popfq'], why: `${REGISTER}: it silently keeps IF and IOPL, so interrupts stay as they were` },
  { mnemonics: ['lar'], why: `${PROTECTION}: its answer depends on the CPL, which is not 0` },
  { mnemonics: ['lsl'], why: `${PROTECTION}: its answer depends on the CPL, which is not 0` },
  { mnemonics: ['verr'], why: `${PROTECTION}: its answer depends on the CPL, which is not 0` },
  { mnemonics: ['verw'], why: `${PROTECTION}: its answer depends on the CPL, which is not 0` },
  { mnemonics: ['pop'], operands: SEGMENT, why: `${PROTECTION}: loading a selector checks the CPL, which is not 0` },
  { mnemonics: ['push'], operands: SEGMENT, why: `${PROTECTION}: the selector shows the real CPL` },
  { mnemonics: ['call'], operands: /^l?call\w*\s+\$[^,]+,|\bfar\b/i, why: `${PROTECTION}: a far call checks and changes the CPL of the machine` },
  { mnemonics: ['jmp'], operands: /^l?jmp\w*\s+\$[^,]+,|\bfar\b/i, why: `${PROTECTION}: a far jump checks the CPL of the machine` },
  { mnemonics: ['int'], why: `${PROTECTION}: it goes through the hypervisor's IDT` },
  { mnemonics: ['retf', 'iret', 'iretd', 'iretq'], why: `${PROTECTION}: it returns by the real CPL, and IRET silently keeps IF and IOPL` },
  { mnemonics: ['str'], why: `${REGISTER}: it shows the hypervisor's task register` },
  { mnemonics: ['mov'], operands: /[\s,][%]?[cs]s\s*(?:,|$)/i, why: `${PROTECTION}: the selector shows the real CPL` },
];

/** Words in a comment that say what the whole file is. */
const FILE_COMMENT = /hyperstep:\s*deprivileged/i;
/** The hypercall gate of 32-bit paravirtual guests of Xen, whose kernels run at CPL 1. */
const XEN_GATE = 0x82;
const PARAVIRTUAL_HYPERCALL = new RegExp(`^int\\s+\\$?0x${XEN_GATE.toString(16)}\\b`, 'i');

const byMnemonic = new Map(
  sensitive.flatMap((row) => row.mnemonics.map((mnemonic) => [mnemonic, row] as const)),
);

/** Far forms of AT&T syntax have mnemonics of their own. */
const FAR = /^l(call|jmp)[lqw]?$/;

/** Sensitive unprivileged instructions, in programs that say that their kernel runs deprivileged. */
export const sensitiveInstructions: Check = (analysis, { deprivileged }) => {
  if (!deprivileged && !isDeprivileged(analysis)) return [];
  return analysis.statements.flatMap((statement) => {
    if (statement.kind !== 'instruction') return [];
    const finding = inspect(statement);
    return finding ? [finding] : [];
  });
};

function isDeprivileged(analysis: Parameters<Check>[0]): boolean {
  for (let line = 1; ; line++) {
    const text = analysis.lineText(analysis.file, line);
    if (text === undefined) break;
    if (FILE_COMMENT.test(text)) return true;
  }
  return analysis.statements.some(({ text }) => PARAVIRTUAL_HYPERCALL.test(text));
}

function inspect(statement: AnalyzedStatement): Finding | undefined {
  const text = statement.text.replace(/^(?:[\w.$]+\s*:\s*)+/, '');
  const word = /^[a-z]\w*/i.exec(text)?.[0].toLowerCase();
  if (word === undefined || PARAVIRTUAL_HYPERCALL.test(text)) return undefined;
  const far = FAR.exec(word)?.[1];
  const names = far ? [far] : instructionsNamed(word, statement.bits, statement.syntax);
  const row = names.map((name) => byMnemonic.get(name)).find((found) => found !== undefined);
  if (!row || (row.operands && !far && !row.operands.test(text))) return undefined;
  const { file, line, column, endColumn } = statement;
  return {
    file,
    line,
    column,
    endColumn,
    code: 'sensitive-instruction',
    severity: 'warning',
    message: `${row.mnemonics[0].toUpperCase()} does not trap in a deprivileged kernel: it ${row.why}. Make it a hypercall, or let the hypervisor patch it.`,
  };
}
