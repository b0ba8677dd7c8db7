/** The decoder against iced-x86: what is an instruction, its length, mnemonic and operands. */
import assert from 'node:assert/strict';
import { closeSync, openSync, readSync } from 'node:fs';
import { Code, Decoder, DecoderOptions, EncodingKind, Mnemonic, OpKind, Register } from 'iced-x86';
import type { CodeWidth, Decoded } from '../isa/decoder.js';
import { decodeBytes, isInstruction } from '../isa/decoder.js';
import type { Instruction, Operand } from '../isa/instruction.js';
import { Random } from './native/random.js';

const RIP = 0x7fff_1000n;
const CONDITIONS = ['o', 'no', 'b', 'ae', 'e', 'ne', 'be', 'a', 's', 'ns', 'p', 'np', 'l', 'ge', 'le', 'g'];
const SEGMENTS = ['es', 'cs', 'ss', 'ds', 'fs', 'gs'];
const BYTE_REGISTERS = ['al', 'cl', 'dl', 'bl', 'spl', 'bpl', 'sil', 'dil'];
const WORD_REGISTERS = ['ax', 'cx', 'dx', 'bx', 'sp', 'bp', 'si', 'di'];

function generalName(index: number, size: number, high = false): string {
  if (size === 1) return high ? ['ah', 'ch', 'dh', 'bh'][index] : (BYTE_REGISTERS[index] ?? `r${index}l`);
  if (index >= 8) return `r${index}${{ 2: 'w', 4: 'd' }[size] ?? ''}`;
  return `${{ 4: 'e', 8: 'r' }[size] ?? ''}${WORD_REGISTERS[index]}`;
}

const cut = (value: bigint, size: number) => BigInt.asUintN(size * 8, value).toString(16);

/** An operand in a notation that the other decoder's can be put into as well. */
function operandInWords(operand: Operand, instruction: Instruction): string {
  switch (operand.kind) {
    case 'register':
      return generalName(operand.index, operand.size, operand.high);
    case 'immediate':
      return operand.value.toString(16);
    case 'vector':
      return `xmm${operand.index}`;
    case 'segment':
      return SEGMENTS[operand.index];
    case 'control':
      return `cr${operand.index}`;
    case 'debug':
      return `dr${operand.index}`;
    case 'memory': {
      const { addressSize } = instruction;
      const base = operand.base < 0 ? '' : generalName(operand.base, addressSize);
      const index = operand.index < 0 ? '' : generalName(operand.index, addressSize);
      const displacement = cut(operand.displacement, addressSize);
      return `${SEGMENTS[operand.segment]}:[${base}+${index}*${1 << operand.scale}+${displacement}]`;
    }
  }
}

const isRelative = ({ row }: Instruction) => row.operands[0] === 'Jb' || row.operands[0] === 'Jz';

function operandsInWords(ours: Instruction): string {
  const operands = ours.operands.map((operand) => operandInWords(operand, ours));
  return (isRelative(ours) ? [`target ${ours.target.toString(16)}`] : operands).join(', ');
}

type Other = ReturnType<Decoder['decode']>;

/** Memory that string instructions imply: base, and the segment that cannot be overridden. */
const IMPLIED: Readonly<Record<number, readonly [base: string, segment?: string]>> = {
  [OpKind.MemorySegSI]: ['si'],
  [OpKind.MemorySegESI]: ['esi'],
  [OpKind.MemorySegRSI]: ['rsi'],
  [OpKind.MemorySegDI]: ['di'],
  [OpKind.MemorySegEDI]: ['edi'],
  [OpKind.MemorySegRDI]: ['rdi'],
  [OpKind.MemoryESDI]: ['di', 'es'],
  [OpKind.MemoryESEDI]: ['edi', 'es'],
  [OpKind.MemoryESRDI]: ['rdi', 'es'],
};

const nameOf = (register: number) => Register[register].toLowerCase();

function otherOperand(other: Other, number: number, ours: Instruction): string[] {
  const kind = other.opKind(number);
  if (kind === OpKind.Register) {
    // Where 16 bits are read, iced names the register by the operand size.
    const operand = ours.operands[number];
    const name = nameOf(other.opRegister(number));
    const reads16 = ['Ew', 'Gw'].includes(ours.row.operands[number]) && operand?.kind === 'register';
    return [
      reads16 && generalName(operand.index, ours.operandSize === 8 ? 8 : 4) === name
        ? generalName(operand.index, 2)
        : name,
    ];
  }
  if (kind === OpKind.Memory) {
    const constant = [Register.None, Register.RIP, Register.EIP].includes(other.memoryBase);
    const base = constant ? '' : nameOf(other.memoryBase);
    // iced shows the AL of XLAT as an index.
    const index =
      other.memoryIndex === Register.None || other.memoryIndex === Register.AL
        ? ''
        : nameOf(other.memoryIndex);
    const displacement = cut(other.memoryDisplacement, ours.addressSize);
    return [
      `${nameOf(other.memorySegment)}:[${base}+${index}*${index === '' ? 1 : other.memoryIndexScale}+${displacement}]`,
    ];
  }
  if (kind in IMPLIED) {
    const [base, segment = nameOf(other.memorySegment)] = IMPLIED[kind];
    return [`${segment}:[${base}+*1+0]`];
  }
  if (kind >= OpKind.NearBranch16 && kind <= OpKind.NearBranch64)
    return [`target ${other.nearBranchTarget.toString(16)}`];
  if (kind === OpKind.FarBranch16 || kind === OpKind.FarBranch32) {
    const offset = kind === OpKind.FarBranch16 ? other.farBranch16 : other.farBranch32;
    return [(offset >>> 0).toString(16), other.farBranchSelector.toString(16)];
  }
  return [cut(other.immediate(number), ours.operands[number]?.size ?? 8)];
}

/** Other names of the same encoding, and extensions that the machine does not have (CPUID says so). */
const SAME_AS: Readonly<Record<string, string>> = {
  sal: 'shl',
  reservednop: 'nop',
  cldemote: 'nop',
  rdsspd: 'nop',
  rdsspq: 'nop',
  tzcnt: 'bsf',
  lzcnt: 'bsr',
  wbnoinvd: 'wbinvd',
  vmgexit: 'vmmcall',
};
/** Left out: the manual has MONITOR's operand, iced implies it; prefetches are NOPs under many names. */
const isNoOperation = (name: string) => name === 'nop' || name.startsWith('prefetch');

/** Names of AMD, VIA and Cyrix, and of drafts: not Intel's manual's. */
const FOREIGN =
  /^(aadd|aand|aor|axor|ccs_|clzero|ere|extrq|femms|ffreep|fstpnce|fst[ds]|insertq|invlpgb|lkgs|monitorx|mwaitx|movnts[sd]|p(avgusb|f|i2f|swap|mulhrw|bndkb)|rdpru|rdmsrlist|wrmsrns|wrmsrlist|rmp|ps?mash|pvalidate|salc|tlbsync|undoc|mcommit|xcrypt|xsha|xstore|montmul)/;

function ourMnemonic(ours: Instruction): string {
  return ours.row.mnemonic.replace(/cc$/, ours.condition < 0 ? 'cc' : CONDITIONS[ours.condition]);
}

function inWords(decoded: Decoded): string {
  if (typeof decoded === 'string') return decoded;
  if (!isInstruction(decoded)) return `unimplemented ${decoded.unimplemented}`;
  return `${ourMnemonic(decoded)} ${operandsInWords(decoded)} (${decoded.length} bytes)`;
}

/** Names that differ by operand size or by having a legacy form only in part. */
const withoutSize = (name: string) =>
  /^E?VEX /.test(name)
    ? ''
    : name
        .replace(/^fwait$/, 'wait')
        .replace(/^v/, '')
        .replace(/(64|32|x2|[qd])$/, '');

/** The other decoder's answer in the words of `inWords`; like ours where the difference is one of notation. */
function otherInWords(other: Other, ours: Decoded, width: CodeWidth): string {
  const isNamed = typeof ours === 'object' && !isInstruction(ours);
  // What is not executed is only named: whether its operands are legal is not looked at.
  if (other.code === Code.INVALID) return isNamed ? inWords(ours) : 'invalid';
  const mnemonic = Mnemonic[other.mnemonic].toLowerCase();
  const outside64 = width !== 64 && /^sys(call|ret)/.test(mnemonic);
  const amd = other.encoding === EncodingKind.XOP || other.encoding === EncodingKind.D3NOW;
  if (FOREIGN.test(mnemonic) || amd || outside64) return 'invalid';
  if (isNamed && /^E?VEX /.test(ours.unimplemented)) return inWords(ours);
  if (isNamed) return withoutSize(ours.unimplemented) === withoutSize(mnemonic) ? inWords(ours) : mnemonic;
  if (!isInstruction(ours)) return mnemonic;
  const name = SAME_AS[mnemonic] ?? mnemonic;
  const mine = ourMnemonic(ours);
  if (isNoOperation(name) && isNoOperation(mine))
    return other.length === ours.length ? inWords(ours) : mnemonic;
  const count = mine === 'monitor' ? 0 : other.opCount;
  const operands = Array.from({ length: count }, (_, number) => otherOperand(other, number, ours)).flat();
  const listed = mine === 'monitor' ? operandsInWords(ours) : operands.join(', ');
  return `${name} ${listed} (${other.length} bytes)`;
}

/** ES, CS, SS and DS are one in 64-bit mode. */
const flat = (text: string, width: CodeWidth) =>
  width === 64 ? text.replace(/\b[ecsd]s:\[/g, 'ds:[') : text;

/** Decodes with both; answers the length by iced-x86. */
function check(bytes: Uint8Array, width: CodeWidth): number {
  const ours = decodeBytes(bytes, RIP, width);
  const decoder = new Decoder(width, bytes, DecoderOptions.None);
  decoder.ip = RIP;
  const other = decoder.decode();
  try {
    const expected = flat(otherInWords(other, ours, width), width);
    const actual = ours === 'tooLong' ? 'invalid' : flat(inWords(ours), width);
    // AMD's SYSCALL of 32-bit mode and the like: iced takes both vendors' sides.
    assert.equal(actual, expected, `${width}-bit ${Buffer.from(bytes).toString('hex')}`);
    return other.length;
  } finally {
    other.free();
    decoder.free();
  }
}

const PREFIXES = [0x66, 0xf2, 0xf3, 0x48, 0x41, 0x67, 0x64, 0x2e, 0x36, 0xf0];

function randomBytes(random: Random): Uint8Array {
  const bytes = Uint8Array.from({ length: 20 }, () => random.below(256));
  let at = 0;
  while (at < 3 && random.oneIn(3)) bytes[at++] = random.pick(PREFIXES);
  if (random.oneIn(2)) {
    bytes[at++] = 0x0f;
    if (random.oneIn(10)) bytes[at] = random.pick([0x38, 0x3a]);
  }
  return bytes;
}

describe('instruction decoder', () => {
  for (const width of [64, 32, 16] as const) {
    it(`agrees with iced-x86 on random ${width}-bit code`, () => {
      const random = new Random(width);
      for (let index = 0; index < 40_000; index += 1) check(randomBytes(random), width);
    });
  }

  it('agrees with iced-x86 on the code of this Node', function () {
    if (process.arch !== 'x64') this.skip();
    const code = new Uint8Array(400_000);
    const file = openSync(process.execPath, 'r');
    // Far behind the headers and read-only data, in the machine code of V8.
    readSync(file, code, 0, code.length, 0x200_0000);
    closeSync(file);
    for (let at = 0; at + 20 < code.length;) at += check(code.subarray(at, at + 20), 64);
  });

  it('names what the manual has and the machine does not', () => {
    const named = (bytes: number[]) => inWords(decodeBytes(Uint8Array.from([...bytes, 0, 0, 0, 0]), RIP, 64));
    assert.equal(named([0x0f, 0x58, 0xc1]), 'unimplemented addps');
    assert.equal(named([0xf2, 0x0f, 0x58, 0xc1]), 'unimplemented addsd');
    assert.equal(named([0xd9, 0xe8]), 'unimplemented fld1');
    assert.equal(named([0xc5, 0xf4, 0x58, 0xc2]), 'unimplemented vaddps');
    assert.equal(named([0xc4, 0xe2, 0x70, 0xf2, 0xc2]), 'unimplemented andn');
    assert.equal(named([0x62, 0xf1, 0x74, 0x48, 0x58, 0xc2]), 'unimplemented vaddps');
    assert.equal(named([0x0f, 0xc7, 0xf0]), 'unimplemented rdrand');
  });

  it('stops at the byte that decides', () => {
    const length = (bytes: number[], width: CodeWidth) => {
      let fetched = 0;
      const decoded = decodeBytes(Uint8Array.from(bytes), RIP, width);
      if (isInstruction(decoded)) fetched = decoded.length;
      return fetched || decoded;
    };
    assert.equal(length([0x0f, 0x0b], 64), 2);
    assert.equal(length([0x48, 0x8b], 64), 'unfetchable');
    assert.equal(
      length(
        Array.from({ length: 16 }, () => 0x66),
        64,
      ),
      'tooLong',
    );
    // Invalid in 64-bit mode by its first byte, whatever follows.
    assert.equal(length([0x06], 64), 'invalid');
    assert.equal(length([0xf0, 0x01, 0xc0], 64), 'invalid');
    assert.equal(length([0xf0, 0x01, 0x00], 64), 3);
  });
});
