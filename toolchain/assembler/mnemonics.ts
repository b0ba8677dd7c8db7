/** How instructions are written. */
export interface Syntax {
  readonly name: 'att' | 'intel';
  /** Registers are written with `%`. */
  readonly registerPrefix: boolean;
}

/** What an AT&T mnemonic stands for. */
export interface MnemonicMeaning {
  /** Intel's mnemonic, lower case. */
  readonly mnemonic: string;
  /** The operand width that the suffix names, in bits. */
  readonly suffixBits?: number;
  /** movzbl and its like: width of the source, in bits. */
  readonly sourceBits?: number;
  /** The comparison that a pseudo-op such as `cmpltps` puts into the immediate byte. */
  readonly predicate?: number;
  readonly isFar?: boolean;
  /** Intel syntax: only the x87 forms whose destination is ST(i), or none of them. */
  readonly stackForms?: boolean;
  /** movabs: the 64-bit immediate or absolute address and nothing else. */
  readonly isAbsolute?: boolean;
}

const SUFFIX_BITS: Readonly<Record<string, number>> = { b: 8, w: 16, l: 32, q: 64 };
const FLOAT_SUFFIX_BITS: Readonly<Record<string, number>> = { s: 32, l: 64, t: 80 };
const INTEGER_FLOAT_SUFFIX_BITS: Readonly<Record<string, number>> = { s: 16, l: 32, ll: 64, q: 64 };
const VECTOR_SUFFIX_BITS: Readonly<Record<string, number>> = { x: 128, y: 256, z: 512 };

/** Second names of conditions, by the names that iced-x86 uses. */
const CONDITIONS: Readonly<Record<string, string>> = {
  z: 'e',
  nz: 'ne',
  c: 'b',
  nae: 'b',
  nc: 'ae',
  nb: 'ae',
  na: 'be',
  nbe: 'a',
  nge: 'l',
  nl: 'ge',
  ng: 'le',
  nle: 'g',
  pe: 'p',
  po: 'np',
};

/** AT&T names with their Intel name, and `@bits` where the name fixes a width. */
const ALIASES: Readonly<Record<string, string>> = {
  cbtw: 'cbw',
  cwtl: 'cwde',
  cltq: 'cdqe',
  cwtd: 'cwd',
  cltd: 'cdq',
  cqto: 'cqo',
  sal: 'shl',
  salb: 'shl@8',
  salw: 'shl@16',
  sall: 'shl@32',
  salq: 'shl@64',
  lret: 'retf@32',
  lretw: 'retf@16',
  lretl: 'retf@32',
  lretq: 'retf@64',
  iret: 'iretd',
  iretw: 'iret',
  iretl: 'iretd',
  pushfw: 'pushf',
  pushfl: 'pushfd',
  popfw: 'popf',
  popfl: 'popfd',
  pushaw: 'pusha',
  pushal: 'pushad',
  popaw: 'popa',
  popal: 'popad',
  sysretl: 'sysret',
  sysexitl: 'sysexit',
  fwait: 'wait',
  icebp: 'int1',
  ud2a: 'ud2',
  ud2b: 'ud1',
  xlat: 'xlatb',
  insl: 'insd',
  outsl: 'outsd',
  movsl: 'movsd',
  stosl: 'stosd',
  lodsl: 'lodsd',
  scasl: 'scasd',
  cmpsl: 'cmpsd',
  loopz: 'loope',
  loopnz: 'loopne',
  fxsaveq: 'fxsave64',
  fxrstorq: 'fxrstor64',
  xsaveq: 'xsave64',
  xrstorq: 'xrstor64',
  fcmovae: 'fcmovnb',
  fcmova: 'fcmovnbe',
  fcmovna: 'fcmovbe',
  fcmovnae: 'fcmovb',
  retn: 'ret',
  movdir64: 'movdir64b',
  endbr: 'endbr64',
  pcmpestrmq: 'pcmpestrm64',
  pcmpestriq: 'pcmpestri64',
  vpcmpestrmq: 'vpcmpestrm64',
  vpcmpestriq: 'vpcmpestri64',
  pcmpestrml: 'pcmpestrm',
  pcmpestril: 'pcmpestri',
  vpcmpestrml: 'vpcmpestrm',
  vpcmpestril: 'vpcmpestri',
  'xstore-rng': 'xstore',
  'xcrypt-ecb': 'xcryptecb',
  'xcrypt-cbc': 'xcryptcbc',
  'xcrypt-ctr': 'xcryptctr',
  'xcrypt-cfb': 'xcryptcfb',
  'xcrypt-ofb': 'xcryptofb',
};

/** String instructions without a suffix take it from the accumulator or from `ins`/`outs` forms. */
const STRING_NAMES = ['movs', 'cmps', 'stos', 'lods', 'scas', 'ins', 'outs'] as const;

const SSE_PREDICATES = ['eq', 'lt', 'le', 'unord', 'neq', 'nlt', 'nle', 'ord'];
const AVX_PREDICATES = [
  ...SSE_PREDICATES,
  ...['eq_uq', 'nge', 'ngt', 'false', 'neq_oq', 'ge', 'gt', 'true', 'eq_os', 'lt_oq', 'le_oq', 'unord_s'],
  ...[
    'neq_us',
    'nlt_uq',
    'nle_uq',
    'ord_s',
    'eq_us',
    'nge_uq',
    'ngt_uq',
    'false_os',
    'neq_os',
    'ge_oq',
    'gt_oq',
    'true_us',
  ],
];
const AVX_PREDICATE_ALIASES: Readonly<Record<string, number>> = {
  eq_oq: 0,
  lt_os: 1,
  le_os: 2,
  unord_q: 3,
  neq_uq: 4,
  nlt_us: 5,
  nle_us: 6,
  ord_q: 7,
  nge_us: 9,
  ngt_us: 10,
  false_oq: 11,
  ge_os: 13,
  gt_os: 14,
  true_uq: 15,
};
const INTEGER_PREDICATES = ['eq', 'lt', 'le', '', 'neq', 'nlt', 'nle'];
const XOP_PREDICATES = ['lt', 'le', 'gt', 'ge', 'eq', 'neq', 'false', 'true'];
const CARRYLESS_PREDICATES: Readonly<Record<string, number>> = {
  lqlq: 0x00,
  hqlq: 0x01,
  lqhq: 0x10,
  hqhq: 0x11,
};

/** Comparison and carry-less multiplication names that hold their immediate. */
function predicateMeaning(name: string): MnemonicMeaning | undefined {
  const scalar = /^(v?)cmp([a-z_]+?)(ps|pd|ss|sd|ph|sh)$/.exec(name);
  if (scalar) {
    const names = scalar[1] ? AVX_PREDICATES : SSE_PREDICATES;
    const index = names.indexOf(scalar[2]);
    const predicate = index >= 0 ? index : scalar[1] ? AVX_PREDICATE_ALIASES[scalar[2]] : undefined;
    if (predicate !== undefined) return { mnemonic: `${scalar[1]}cmp${scalar[3]}`, predicate };
  }
  const integer = /^vpcmp([a-z]+?)(u?[bwdq])$/.exec(name);
  if (integer && integer[1] && INTEGER_PREDICATES.includes(integer[1])) {
    return { mnemonic: `vpcmp${integer[2]}`, predicate: INTEGER_PREDICATES.indexOf(integer[1]) };
  }
  const xop = /^vpcom(lt|le|gt|ge|eq|neq|false|true)(u?[bwdq])$/.exec(name);
  if (xop) return { mnemonic: `vpcom${xop[2]}`, predicate: XOP_PREDICATES.indexOf(xop[1]) };
  const carryless = /^(v?)pclmul(lqlq|hqlq|lqhq|hqhq)dq$/.exec(name);
  if (carryless)
    return { mnemonic: `${carryless[1]}pclmulqdq`, predicate: CARRYLESS_PREDICATES[carryless[2]] };
  return undefined;
}

function withWidth(target: string): MnemonicMeaning {
  const [mnemonic, bits] = target.split('@');
  return bits ? { mnemonic, suffixBits: Number(bits) } : { mnemonic };
}

/** `pushf`, `popf`, `pusha`, `popa` without a suffix mean the stack's own width. */
function stackMeaning(name: string, bits: 16 | 32 | 64): MnemonicMeaning | undefined {
  const letter = { 16: '', 32: 'd', 64: 'q' }[bits];
  if (name === 'pushf' || name === 'popf') return { mnemonic: name + letter };
  if ((name === 'pusha' || name === 'popa') && bits !== 64) return { mnemonic: name + letter };
  if (name === 'iret' && bits === 16) return { mnemonic: 'iret' };
  if (name === 'lret' && bits === 16) return { mnemonic: 'retf', suffixBits: 16 };
  return undefined;
}

function conditionMeanings(name: string): MnemonicMeaning[] {
  const found = /^(j|set|cmov)([a-z]+)$/.exec(name);
  if (!found) return [];
  const meanings: MnemonicMeaning[] = [];
  const [, verb, tail] = found;
  if (CONDITIONS[tail]) meanings.push({ mnemonic: verb + CONDITIONS[tail] });
  const suffixBits = SUFFIX_BITS[tail.at(-1)!];
  const shorter = CONDITIONS[tail.slice(0, -1)];
  if (suffixBits && shorter) meanings.push({ mnemonic: verb + shorter, suffixBits });
  return meanings;
}

function extensionMeaning(name: string): MnemonicMeaning | undefined {
  const found = /^mov(z|s)([bwl])([wlq])$/.exec(name);
  if (!found) return undefined;
  const [, kind, source, destination] = found;
  const sourceBits = SUFFIX_BITS[source];
  const suffixBits = SUFFIX_BITS[destination];
  if (sourceBits >= suffixBits || (kind === 'z' && source === 'l')) return undefined;
  return { mnemonic: kind === 'z' ? 'movzx' : source === 'l' ? 'movsxd' : 'movsx', sourceBits, suffixBits };
}

/** `movsb (…),%eax`, `movzb`: the destination register says the other width. */
function shortExtensionMeaning(name: string): MnemonicMeaning | undefined {
  const found = /^mov(z|s)([bwl])$/.exec(name);
  if (!found) return undefined;
  const mnemonic = found[1] === 'z' ? 'movzx' : found[2] === 'l' ? 'movsxd' : 'movsx';
  return { mnemonic, sourceBits: SUFFIX_BITS[found[2]] };
}

function floatMeanings(name: string): MnemonicMeaning[] {
  const meanings: MnemonicMeaning[] = [];
  const isInteger = /^fi/.test(name);
  for (const [suffix, suffixBits] of Object.entries(
    isInteger ? INTEGER_FLOAT_SUFFIX_BITS : FLOAT_SUFFIX_BITS,
  )) {
    if (name.endsWith(suffix)) meanings.push({ mnemonic: name.slice(0, -suffix.length), suffixBits });
  }
  return meanings;
}

function farMeaning(name: string): MnemonicMeaning | undefined {
  const found = /^l(jmp|call)([wlq]?)$/.exec(name);
  if (!found) return undefined;
  const suffixBits = SUFFIX_BITS[found[2]];
  return { mnemonic: found[1], isFar: true, ...(suffixBits ? { suffixBits } : {}) };
}

/**
 * The Intel instructions that an AT&T mnemonic may stand for, the likeliest first. Which one it is depends on the
 * operands (`movq`, `movsd` and `cmpsd` each name several).
 */
export function meaningsOf(name: string, bits: 16 | 32 | 64): MnemonicMeaning[] {
  const far = farMeaning(name);
  if (far) return [far];
  if (name === 'movabs' || name === 'movabsq') return [{ mnemonic: 'mov', isAbsolute: true }];
  const absolute = /^movabs([bwl])$/.exec(name);
  if (absolute) return [{ mnemonic: 'mov', isAbsolute: true, suffixBits: SUFFIX_BITS[absolute[1]] }];

  const meanings: MnemonicMeaning[] = [];
  const add = (meaning: MnemonicMeaning | undefined): void => {
    if (meaning) meanings.push(meaning);
  };
  add(stackMeaning(name, bits));
  if (meanings.length === 0 && ALIASES[name]) add(withWidth(ALIASES[name]));
  add(extensionMeaning(name));
  if (meanings.length === 0 || name === 'movsl' || name === 'cmpsl') add({ mnemonic: name });
  if ((STRING_NAMES as readonly string[]).includes(name)) {
    for (const letter of 'dbwq') add({ mnemonic: name + letter });
  }
  add(predicateMeaning(name));
  meanings.push(...conditionMeanings(name));
  add(shortExtensionMeaning(name));
  // `jmp $selector, $offset` is a far jump whatever its name is.
  if (name === 'jmp' || name === 'call') meanings.push({ mnemonic: name, isFar: true });
  if (name.startsWith('f')) return [...meanings, ...floatMeanings(name)];
  meanings.push(...suffixMeanings(name, bits));
  return meanings;
}

function suffixMeanings(name: string, bits: 16 | 32 | 64): MnemonicMeaning[] {
  const stem = name.slice(0, -1);
  const suffixBits =
    SUFFIX_BITS[name.at(-1)!] ?? (name.startsWith('v') ? VECTOR_SUFFIX_BITS[name.at(-1)!] : undefined);
  if (!suffixBits || stem.length < 2) return [];
  const meanings: MnemonicMeaning[] = [{ mnemonic: stem, suffixBits }];
  const alias = stackMeaning(stem, bits)?.mnemonic ?? ALIASES[stem];
  if (alias && !alias.includes('@')) meanings.push({ mnemonic: alias, suffixBits });
  return meanings;
}

/** Intel's names where they are not those of iced-x86. */
const INTEL_ALIASES: Readonly<Record<string, string>> = {
  sal: 'shl',
  xlat: 'xlatb',
  fwait: 'wait',
  icebp: 'int1',
  iret: 'iretd',
  iretw: 'iret',
  pushfw: 'pushf',
  popfw: 'popf',
  pushaw: 'pusha',
  popaw: 'popa',
  retn: 'ret',
  retf: 'retf@32',
  retfw: 'retf@16',
  retfq: 'retf@64',
  retw: 'ret@16',
  retq: 'ret@64',
  pushw: 'push@16',
  popw: 'pop@16',
  enterw: 'enter@16',
  leavew: 'leave@16',
  sysretd: 'sysret',
  sysexitd: 'sysexit',
  pcmpestrmq: 'pcmpestrm64',
  pcmpestriq: 'pcmpestri64',
  vpcmpestrmq: 'vpcmpestrm64',
  vpcmpestriq: 'vpcmpestri64',
  'xstore-rng': 'xstore',
  'xcrypt-ecb': 'xcryptecb',
  'xcrypt-cbc': 'xcryptcbc',
  'xcrypt-ctr': 'xcryptctr',
  'xcrypt-cfb': 'xcryptcfb',
  'xcrypt-ofb': 'xcryptofb',
  loopz: 'loope',
  loopnz: 'loopne',
  fcmovae: 'fcmovnb',
  fcmova: 'fcmovnbe',
  fcmovna: 'fcmovbe',
  fcmovnae: 'fcmovb',
};

/** AT&T's confusion of these does not exist in Intel syntax, but the instruction table follows AT&T. */
const INTEL_STACK_FORMS: Readonly<Record<string, string>> = {
  fsub: 'fsubr',
  fsubr: 'fsub',
  fdiv: 'fdivr',
  fdivr: 'fdiv',
  fsubp: 'fsubrp',
  fsubrp: 'fsubp',
  fdivp: 'fdivrp',
  fdivrp: 'fdivp',
};

/** The instructions that a mnemonic in Intel syntax may stand for, the likeliest first. */
export function intelMeaningsOf(name: string, bits: 16 | 32 | 64): MnemonicMeaning[] {
  const reversed = INTEL_STACK_FORMS[name];
  if (reversed)
    return [
      { mnemonic: name, stackForms: false },
      { mnemonic: reversed, stackForms: true },
    ];
  if (name === 'movabs') return [{ mnemonic: 'mov', isAbsolute: true }];
  const meanings: MnemonicMeaning[] = [];
  const add = (meaning: MnemonicMeaning | undefined): void => {
    if (meaning) meanings.push(meaning);
  };
  add(stackMeaning(name === 'retf' ? 'lret' : name, bits));
  if (meanings.length === 0 && INTEL_ALIASES[name]) add(withWidth(INTEL_ALIASES[name]));
  if (meanings.length === 0) add({ mnemonic: name });
  if ((STRING_NAMES as readonly string[]).includes(name)) {
    for (const letter of 'bwdq') add({ mnemonic: name + letter });
  }
  if (name === 'jmp' || name === 'call') {
    for (const suffixBits of [bits === 16 ? 16 : 32, bits === 16 ? 32 : 16, 64])
      add({ mnemonic: name, isFar: true, suffixBits });
  }
  add(predicateMeaning(name));
  meanings.push(...conditionMeanings(name));
  return meanings;
}
