/** The hover text of an instruction. */
import type { AssemblerBits } from '../../toolchain/assembler/analysis.js';
import { factsOf } from '../instructionSet/instructionForms.js';
import type { Encoding, FlagEffects, InstructionFacts } from '../instructionSet/instructionForms.js';
import { descriptionOf } from '../knowledge/instructions/index.js';
import { exitsOf } from '../knowledge/vmExits.js';
import type { SvmExit, VmxExit } from '../knowledge/vmExits.js';

const MOST_ENCODINGS = 12;

/** Markdown about an instruction, by its Intel mnemonic; undefined when there is no such instruction. */
export function instructionText(mnemonic: string, bits: AssemblerBits): string | undefined {
  const facts = factsOf(mnemonic);
  if (!facts) return undefined;
  const description = descriptionOf(mnemonic);
  const title = description
    ? `**${mnemonic.toUpperCase()}**: ${description.title}`
    : `**${mnemonic.toUpperCase()}**`;
  const paragraphs = [
    title,
    description?.operation,
    [
      ...flagLines(facts.flags),
      ...sizeLine(facts),
      `*Privilege:* ${description?.privilege ?? privilege(facts)}`,
      ...noteLines(facts),
    ].join('  \n'),
    exitParagraph(mnemonic, facts),
    encodingTable(facts.encodings, bits),
  ];
  return paragraphs.filter((paragraph) => paragraph).join('\n\n');
}

function flagLines(flags: FlagEffects): string[] {
  const parts = [
    part('reads', flags.read),
    part('writes', flags.written),
    part('clears', flags.cleared),
    part('sets', flags.set),
    part('leaves undefined', flags.undefined),
  ].filter((text) => text !== '');
  return [`*Flags:* ${parts.length > 0 ? parts.join('; ') : 'none'}`];
}

const part = (verb: string, names: readonly string[]): string =>
  names.length > 0 ? `${verb} ${names.join(' ')}` : '';

const sizeLine = ({ operandSizes }: InstructionFacts): string[] =>
  operandSizes.length > 0 ? [`*Operand sizes:* ${operandSizes.join(', ')} bits`] : [];

function privilege(facts: InstructionFacts): string {
  if (facts.privilege === 'cpl0') return 'CPL 0, else #GP(0)';
  return facts.privilege === 'any' ? 'any CPL' : 'CPL 0 for some forms or settings';
}

function noteLines({ features, canLock, canRepeat, serializes }: InstructionFacts): string[] {
  const lines: string[] = [];
  if (features.length > 0) lines.push(`*CPUID:* ${features.join(', ')}`);
  const prefixes = [canLock ? 'LOCK' : '', canRepeat ? 'REP' : ''].filter((name) => name !== '');
  if (prefixes.length > 0) lines.push(`*Prefixes:* ${prefixes.join(', ')}`);
  if (serializes) lines.push('*Serializing*');
  return lines;
}

/** When the instruction leaves a guest, and what decides it. */
function exitParagraph(mnemonic: string, facts: InstructionFacts): string {
  const exits = exitsOf(mnemonic);
  if (!exits) {
    const may = facts.mayVmExit.intel || facts.mayVmExit.amd;
    return may ? '' : '*VM exit:* never by itself; its memory accesses and faults may.';
  }
  const lines = [exits.vmx ? vmxLine(exits.vmx) : '*VMX:* no VM exit by itself.'];
  if (exits.svm) lines.push(svmLine(exits.svm));
  return `**VM exit**  \n${lines.join('  \n')}`;
}

function vmxLine({ reason, name, control, section }: VmxExit): string {
  const condition = control === undefined ? 'always, in VMX non-root operation' : control;
  return `*VMX:* ${condition}. Exit reason ${reason}, \`EXIT_REASON_${name}\` (SDM 3C ${section}).`;
}

const svmLine = ({ code, name, intercept }: SvmExit): string =>
  `*SVM:* ${intercept}. \`VMEXIT_${name}\`, ${code.toString(16).toUpperCase()}h (APM 2 appendix C).`;

/** The encodings that a mode has, as the manual writes them. */
function encodingTable(encodings: readonly Encoding[], bits: AssemblerBits): string {
  const valid = encodings.filter((encoding) => (bits === 64 ? encoding.valid64 : encoding.valid16And32));
  const shown = (valid.length > 0 ? valid : encodings).slice(0, MOST_ENCODINGS);
  const rows = shown.map((encoding) => `| \`${manualOpcode(encoding, bits)}\` | \`${encoding.form}\` |`);
  const more = valid.length - shown.length;
  if (more > 0) rows.push(`| … | ${more} more |`);
  const note = valid.length > 0 ? '' : `Not valid in ${bits}-bit mode.\n\n`;
  return `${note}| Opcode | ${bits}-bit mode |\n|---|---|\n${rows.join('\n')}`;
}

/** The opcode with the prefixes that a mode needs for the operand size: `REX.W 89 /r`, `66 89 /r`, `89 /r`. */
function manualOpcode({ opcode, is64ByDefault }: Encoding, bits: AssemblerBits): string {
  const sizes = {
    o16: bits === 16 ? '' : '66 ',
    o32: bits === 16 ? '66 ' : '',
    o64: is64ByDefault ? '' : 'REX.W ',
  };
  return opcode.replace(/\b(o16|o32|o64) /, (_, size: keyof typeof sizes) => sizes[size]);
}
