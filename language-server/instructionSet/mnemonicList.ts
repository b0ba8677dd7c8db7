/** The mnemonics that completion offers. */
import { Mnemonic } from 'iced-x86';
import type { AssemblerBits } from '../../toolchain/assembler/analysis.js';
import { formsOf } from '../../toolchain/assembler/instructionTable.js';
import { descriptionOf } from '../knowledge/instructions/index.js';

export interface OfferedMnemonic {
  /** As it is written in the syntax. */
  readonly name: string;
  /** Intel's. */
  readonly mnemonic: string;
  readonly detail: string;
}

/** Second names of conditions that people write. */
const CONDITION_NAMES: Readonly<Record<string, string>> = { e: 'z', ne: 'nz', b: 'c', ae: 'nc' };
/** AT&T names that are not the Intel name with a suffix. */
const ATT_NAMES: Readonly<Record<string, readonly string[]>> = {
  cbw: ['cbtw'],
  cwde: ['cwtl'],
  cdqe: ['cltq'],
  cwd: ['cwtd'],
  cdq: ['cltd'],
  cqo: ['cqto'],
  retf: ['lret', 'lretl', 'lretq'],
  iretd: ['iret', 'iretl'],
  pushfq: ['pushf', 'pushfq'],
  popfq: ['popf', 'popfq'],
  pushfd: ['pushf', 'pushfl'],
  popfd: ['popf', 'popfl'],
  pushad: ['pushal'],
  popad: ['popal'],
  movsd: ['movsl', 'movsd'],
  stosd: ['stosl'],
  lodsd: ['lodsl'],
  scasd: ['scasl'],
  cmpsd: ['cmpsl', 'cmpsd'],
  insd: ['insl'],
  outsd: ['outsl'],
  movsxd: ['movslq'],
  movzx: ['movzbw', 'movzbl', 'movzbq', 'movzwl', 'movzwq'],
  movsx: ['movsbw', 'movsbl', 'movsbq', 'movswl', 'movswq'],
};
const SUFFIXES: Readonly<Record<number, string>> = { 8: 'b', 16: 'w', 32: 'l', 64: 'q' };
const WITHOUT_SUFFIX =
  /^(j|set|cmov|loop|rep|xsave|xrstor|vm|in[sv]|outs|lods|stos|scas|cmps|movs[bwdq]$|cmpxchg\d|prefetch|endbr)/;

const lists = new Map<string, readonly OfferedMnemonic[]>();

/** Every instruction of a mode, as it is written in a syntax. */
export function offeredMnemonics(bits: AssemblerBits, syntax: 'att' | 'intel'): readonly OfferedMnemonic[] {
  const key = `${bits} ${syntax}`;
  let list = lists.get(key);
  if (!list) {
    list = makeList(bits, syntax);
    lists.set(key, list);
  }
  return list;
}

function makeList(bits: AssemblerBits, syntax: 'att' | 'intel'): OfferedMnemonic[] {
  const list = new Map<string, OfferedMnemonic>();
  for (const key of Object.keys(Mnemonic)) {
    if (!Number.isNaN(Number(key))) continue;
    const mnemonic = key.toLowerCase();
    const forms = formsOf(mnemonic).filter(({ modes }) => modes[bits]);
    if (forms.length === 0) continue;
    const detail = descriptionOf(mnemonic)?.title ?? '';
    const names =
      syntax === 'intel'
        ? [mnemonic]
        : attNames(mnemonic, new Set(forms.map(({ suffixBits }) => suffixBits)));
    for (const name of [...names, ...otherConditions(mnemonic)])
      if (!list.has(name)) list.set(name, { name, mnemonic, detail });
  }
  return [...list.values()];
}

function attNames(mnemonic: string, widths: ReadonlySet<number>): readonly string[] {
  if (ATT_NAMES[mnemonic]) return ATT_NAMES[mnemonic];
  if (WITHOUT_SUFFIX.test(mnemonic) || !descriptionOf(mnemonic)) return [mnemonic];
  const suffixed = [...widths].flatMap((bits) => (SUFFIXES[bits] ? [mnemonic + SUFFIXES[bits]] : []));
  const movabs = mnemonic === 'mov' ? ['movabsq'] : [];
  return [mnemonic, ...suffixed, ...movabs];
}

function otherConditions(mnemonic: string): string[] {
  const found = /^(j|set|cmov)(e|ne|b|ae)$/.exec(mnemonic);
  return found ? [found[1] + CONDITION_NAMES[found[2]]] : [];
}
