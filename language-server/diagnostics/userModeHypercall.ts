import type { Analysis, AnalyzedStatement } from '../../toolchain/assembler/analysis.js';
import { decodeStatement } from '../codeFlow/decode.js';
import type { DecodedInstruction } from '../codeFlow/decode.js';
import { hypercallSites } from '../codeFlow/hypercallSites.js';
import type { Check, Finding } from './finding.js';

const RPL = 3n;
/** Instructions between two pushes of an IRET frame. */
const FARTHEST = 24;
/** How far the code at CPL 3 is followed. */
const LONGEST = 100;

/** What IRETQ and far returns pop, the last pushed first: RIP, CS. */
const FRAME_RETURNS = /^(iretd?|iretq|retf)$/;
const KERNEL_ENTRIES = /^(syscall|sysenter|int|iret|iretd|iretq|retf|sysretq?|sysexitq?)$/;

/**
 * A VMCALL that can only run at CPL 3: in straight-line code that IRET, a far return or SYSRET enters with a selector of
 * RPL 3. KVM answers such a call with -KVM_EPERM.
 */
export const userModeHypercall: Check = (analysis) => {
  const sites = hypercallSites(analysis);
  if (sites.length === 0) return [];
  const { statements } = analysis;
  const decoded = new Map<AnalyzedStatement, DecodedInstruction | undefined>();
  const decode = (statement: AnalyzedStatement): DecodedInstruction | undefined => {
    if (!decoded.has(statement)) decoded.set(statement, decodeStatement(statement));
    return decoded.get(statement);
  };
  const findings: Finding[] = [];
  statements.forEach((statement, index) => {
    if (!ENTERS_USER_MODE.test(statement.text)) return;
    const target = userTarget(statements, index, decode);
    if (target === undefined) return;
    for (const call of callsFrom(analysis, target, decode)) {
      const { file, line, column, endColumn } = call;
      if (findings.some((other) => other.file === file && other.line === line)) continue;
      findings.push({
        file,
        line,
        column,
        endColumn,
        code: 'hypercall-at-cpl3',
        severity: 'warning',
        message:
          'This hypercall is made at CPL 3: KVM answers it with -KVM_EPERM, hypercalls are the kernel’s.',
        related: [{ place: statement, message: 'CPL 3 is entered here' }],
      });
    }
  });
  return findings;
};

const ENTERS_USER_MODE = /(?:^|[\s:;])(iret[lqd]?|l?retf?[lq]?|sysret[lq]?|sysexit[lq]?)\b/i;

type Decode = (statement: AnalyzedStatement) => DecodedInstruction | undefined;

/** The address at which an instruction enters CPL 3; undefined when that is not certain. */
function userTarget(
  statements: readonly AnalyzedStatement[],
  index: number,
  decode: Decode,
): bigint | undefined {
  const entering = decode(statements[index]);
  if (!entering) return undefined;
  if (/^sysretq?$/.test(entering.mnemonic)) return pointerIn(statements, index, 'rcx', decode);
  if (!FRAME_RETURNS.test(entering.mnemonic)) return undefined;
  const pushed: { statement: number; decoded: DecodedInstruction }[] = [];
  for (let at = index - 1; at >= 0 && index - at < FARTHEST && pushed.length < 2; at--) {
    const decoded = decode(statements[at]);
    if (!decoded) continue;
    if (decoded.transfer !== 'none') return undefined;
    if (decoded.mnemonic === 'push') pushed.push({ statement: at, decoded });
  }
  const [rip, cs] = pushed;
  if (!rip || cs?.decoded.immediate === undefined || (cs.decoded.immediate & RPL) !== RPL) return undefined;
  if (rip.decoded.immediate !== undefined) return rip.decoded.immediate;
  const register = rip.decoded.firstRegister;
  return register === undefined ? undefined : pointerIn(statements, rip.statement, register, decode);
}

/** The code address that a register holds before a statement, when LEA or MOV just above put it there. */
function pointerIn(
  statements: readonly AnalyzedStatement[],
  index: number,
  register: string,
  decode: Decode,
): bigint | undefined {
  for (let at = index - 1; at >= 0 && index - at < FARTHEST; at--) {
    const decoded = decode(statements[at]);
    if (!decoded) continue;
    if (decoded.transfer !== 'none') return undefined;
    if (!decoded.writes.some((write) => write.register === register)) continue;
    return decoded.pointer ?? decoded.writes.find((write) => write.register === register)?.value;
  }
  return undefined;
}

/** The hypercalls in the straight-line code at an address, up to where it may leave CPL 3. */
function callsFrom({ statements }: Analysis, target: bigint, decode: Decode): AnalyzedStatement[] {
  const start = statements.findIndex(
    ({ address, size, kind }) => kind === 'instruction' && size > 0 && address === target,
  );
  const calls: AnalyzedStatement[] = [];
  if (start < 0) return calls;
  for (let at = start; at < statements.length && at - start < LONGEST; at++) {
    const decoded = decode(statements[at]);
    if (!decoded) continue;
    if (/^vmm?call$/.test(decoded.mnemonic)) calls.push(statements[at]);
    if (decoded.transfer === 'away' || KERNEL_ENTRIES.test(decoded.mnemonic)) break;
  }
  return calls;
}
