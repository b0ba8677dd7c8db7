/** Random cases of the hot user-mode instructions, made from the rows of the instruction table. */
import { decodeBytes, isInstruction } from '../../isa/decoder.js';
import type { Instruction, MemoryOperand } from '../../isa/instruction.js';
import type { OpcodePattern } from '../../isa/opcodeMap.js';
import { opcodeMap } from '../../isa/opcodeMap.js';
import { ARITHMETIC_FLAGS, FlagBit } from '../../cpu/semantics/flagKind.js';
import type { NativeCase } from './nativeProbe.js';
import { CODE_ADDRESS, WINDOW_ADDRESS, WINDOW_SIZE } from './nativeProbe.js';
import type { Random } from './random.js';
import { isVectorPattern } from './vectorGenerator.js';

export interface GeneratedCase extends NativeCase {
  /** RFLAGS bits that the manual defines after the case. */
  readonly definedFlags: number;
  readonly name: string;
}

const ALL_FLAGS = ARITHMETIC_FLAGS;
const RSP = 4;
const [RAX, RCX, RDX, RBX, RBP, RSI, RDI] = [0, 1, 2, 3, 5, 6, 7];

/** Not comparable: stops, or depends on what a user program cannot choose. */
const LEFT_OUT = new Set(['bound', 'arpl', 'probe']);

/** 0F 0D on registers: a reserved no-operation of Intel's processors, #UD on AMD's. */
const isReservedPrefetch = (pattern: OpcodePattern) => pattern.map === 1 && pattern.opcode === 0x0d;

const patterns: readonly OpcodePattern[] = opcodeMap
  .flat()
  .filter((pattern) => !isReservedPrefetch(pattern) && !isVectorPattern(pattern))
  .filter(
    ({ row }) => row.kind === 'hot' && row.modes !== 'not64' && !LEFT_OUT.has(row.semantics ?? row.mnemonic),
  );

/** Patterns by mnemonic: each mnemonic is as likely as another. */
export const byMnemonic = (() => {
  const groups = new Map<string, OpcodePattern[]>();
  for (const pattern of patterns) {
    const name = pattern.row.mnemonic;
    groups.set(name, [...(groups.get(name) ?? []), pattern]);
  }
  return [...groups.values()];
})();

/** What compilers put before a branch: taken more often, for the fused cases. */
const comparisons = patterns.filter(({ row }) =>
  ['cmp', 'test', 'sub', 'add', 'inc', 'dec'].includes(row.mnemonic),
);

const nameOf = (instruction: Instruction) => instruction.row.semantics ?? instruction.row.mnemonic;
const SHIFTS = new Set(['shl', 'shr', 'sar', 'shld', 'shrd']);
const ROTATES = new Set(['rol', 'ror', 'rcl', 'rcr']);

const flagMask = (names: readonly (keyof typeof FlagBit)[] = []) =>
  names.reduce((mask, name) => mask | FlagBit[name], 0);

/** Writes what the manual leaves undefined; the shift count decides for shifts (SDM 2D, SAL; 2B, RCL; 2D, SHLD). */
function undefinedFlags(instruction: Instruction, count: number): number {
  const name = nameOf(instruction);
  const size = instruction.operands[0]?.size ?? 4;
  const masked = count & (size === 8 ? 63 : 31);
  if ((SHIFTS.has(name) || ROTATES.has(name)) && masked === 0) return 0;
  let mask = flagMask(instruction.row.undefined);
  if (SHIFTS.has(name) || ROTATES.has(name)) {
    if (masked > 1) mask |= FlagBit.OF;
    if (!ROTATES.has(name) && masked >= size * 8) mask |= FlagBit.CF;
  }
  return mask;
}

/** State under construction: registers that an operand needs at a value are pinned. */
class Draft {
  readonly registers: BigUint64Array;
  readonly window: Uint8Array;
  private readonly pinned = new Set<number>();

  constructor(readonly random: Random) {
    this.registers = BigUint64Array.from({ length: 16 }, () => random.operand());
    this.window = Uint8Array.from({ length: WINDOW_SIZE }, () => random.below(256));
    // Half of the memory operands are edge cases too.
    const view = new DataView(this.window.buffer);
    for (let at = 0; at < WINDOW_SIZE; at += 8) {
      if (random.oneIn(2)) view.setBigUint64(at, random.operand(), true);
    }
  }

  isPinned(register: number): boolean {
    return this.pinned.has(register);
  }

  pin(register: number, value: bigint): void {
    this.registers[register] = BigInt.asUintN(64, value);
    this.pinned.add(register);
  }

  /** An address in the window with room for `size` bytes behind it and `before` bytes before it. */
  address(size: number, before = 0): bigint {
    return BigInt(WINDOW_ADDRESS + before + this.random.below(WINDOW_SIZE - size - before + 1));
  }

  /** Eight bytes of the window, 0 beyond its end. */
  read64(address: bigint): bigint {
    const bytes = this.window.subarray(Number(address) - WINDOW_ADDRESS);
    return bytes.slice(0, 8).reduceRight((value, byte) => (value << 8n) | BigInt(byte), 0n);
  }

  write64(address: bigint, value: bigint): void {
    new DataView(this.window.buffer).setBigUint64(Number(address) - WINDOW_ADDRESS, value, true);
  }
}

/** Random bytes of an instruction of a pattern, and more than it needs. */
export function encode(pattern: OpcodePattern, random: Random): number[] {
  const bytes: number[] = [];
  // AMD processors obey 66 on near branches in 64-bit mode, Intel's and this machine ignore it (SDM 2A, JMP).
  const sized = pattern.operandSize === undefined && pattern.row.force64 !== true;
  if (pattern.operandSize === 2 || (sized && random.oneIn(5))) bytes.push(0x66);
  if (pattern.addressSize === 4 || (pattern.addressSize === undefined && random.oneIn(16))) bytes.push(0x67);
  if (pattern.row.lockable && random.oneIn(6)) bytes.push(0xf0);
  if (typeof pattern.prefix === 'number') bytes.push(pattern.prefix);
  else if (/^(movs|cmps|stos|lods|scas)/.test(pattern.row.semantics ?? '') && random.oneIn(2)) {
    bytes.push(random.pick([0xf2, 0xf3]));
  }
  const wide = pattern.operandSize === 8 || (pattern.operandSize === undefined && random.oneIn(3));
  const rex = (wide || pattern.rexW === true ? 0x48 : 0x40) | random.below(8);
  if (rex >= 0x48 || random.oneIn(3)) bytes.push(rex);
  bytes.push(...[[], [0x0f], [0x0f, 0x38], [0x0f, 0x3a]][pattern.map], pattern.opcode);
  if (pattern.hasModRM) {
    const reg = pattern.extension >= 0 ? pattern.extension : random.below(8);
    const mod = pattern.memory === true ? random.below(3) : random.below(4);
    bytes.push(pattern.fixedModRM >= 0 ? pattern.fixedModRM : (mod << 6) | (reg << 3) | random.below(8));
  }
  // SIB, displacement and immediate; what is too much is cut off after decoding.
  const start = bytes.length;
  for (let index = 0; index < 14; index += 1) bytes.push(random.below(256));
  if (random.oneIn(2)) bytes.splice(start + 1, 4, random.below(256), 0, 0, 0);
  return bytes;
}

function decodeAt(bytes: readonly number[], address: number): Instruction | undefined {
  const decoded = decodeBytes(Uint8Array.from(bytes), BigInt(address), 64);
  return isInstruction(decoded) && decoded.row.kind === 'hot' ? decoded : undefined;
}

/** Bytes that a memory operand spans before and behind its address. */
function extent(instruction: Instruction, memory: MemoryOperand): { size: number; before: number } {
  const name = nameOf(instruction);
  if (name === 'bound') return { size: 2 * memory.size, before: 0 };
  if (name === 'xlat') return { size: 32, before: 0 };
  if (/^bt/.test(name) && instruction.operands[1].kind === 'register') return { size: 24, before: 16 };
  if (instruction.repeat !== 'none') return { size: 48, before: 40 };
  return { size: Math.max(memory.size, 1), before: /^(movs|cmps|stos|lods|scas)/.test(name) ? 8 : 0 };
}

/** Makes a memory operand's address lie in the window; false when its registers do not allow it. */
function place(draft: Draft, instruction: Instruction, memory: MemoryOperand): boolean {
  const { random } = draft;
  const { size, before } = extent(instruction, memory);
  const wanted = draft.address(size, before);
  const { base, index, scale } = memory;
  // RIP-relative and absolute operands cannot be steered.
  if (base < 0 && index < 0) return false;
  if (base >= 0 && draft.isPinned(base)) return false;
  if (index >= 0 && (draft.isPinned(index) || index === base)) return false;
  if (base < 0) {
    const rest = wanted - memory.displacement;
    if ((rest & ((1n << BigInt(scale)) - 1n)) !== 0n) return false;
    draft.pin(index, rest >> BigInt(scale));
    return true;
  }
  if (index >= 0) draft.pin(index, BigInt(random.below(64)));
  const offset = index >= 0 ? draft.registers[index] << BigInt(scale) : 0n;
  draft.pin(base, wanted - memory.displacement - offset);
  return true;
}

/** A stack instruction needs rSP (and rBP) in the window. */
function placeStack(draft: Draft, name: string): boolean {
  if (
    ['push', 'pushf', 'pushSelector', 'call', 'callIndirect', 'pop', 'ret', 'enter', 'leave'].includes(name)
  ) {
    if (draft.isPinned(RSP)) return false;
    draft.pin(RSP, draft.address(16, 64));
    if (name === 'enter' || name === 'leave') {
      if (draft.isPinned(RBP)) return false;
      draft.pin(RBP, draft.address(16, 40));
    }
  }
  return true;
}

const BRANCH_SKIP = [0xeb, 0x04];
/** lea 1(%r15), %r15: tells that the branch was taken. */
const BRANCH_MARK = [0x4d, 0x8d, 0x7f, 0x01];

/** Gives an indirect branch the address of the mark as its target. */
function aimIndirect(draft: Draft, instruction: Instruction, target: bigint): boolean {
  const name = nameOf(instruction);
  if (name === 'ret') {
    draft.write64(draft.registers[RSP], target);
    return true;
  }
  const [operand] = instruction.operands;
  if (operand.kind === 'register') {
    if (operand.index === RSP || draft.isPinned(operand.index)) return false;
    draft.pin(operand.index, target);
    return true;
  }
  if (operand.kind !== 'memory') return false;
  draft.write64(addressOf(draft, operand, instruction), target);
  return true;
}

function addressOf(draft: Draft, memory: MemoryOperand, instruction: Instruction): bigint {
  const base = memory.base < 0 ? 0n : draft.registers[memory.base];
  const index = memory.index < 0 ? 0n : draft.registers[memory.index] << BigInt(memory.scale);
  return BigInt.asUintN(instruction.addressSize * 8, base + index + memory.displacement);
}

const RELATIVE = new Set(['jmp', 'jcc', 'call', 'loop', 'loope', 'loopne', 'jcxz']);
const INDIRECT = new Set(['jmpIndirect', 'callIndirect', 'ret']);

/** Makes the operands of a comparison equal, or nearly, now and then. */
function makeClose(draft: Draft, instruction: Instruction): void {
  const { random } = draft;
  if (!['cmp', 'sub', 'sbb', 'cmpxchg'].includes(nameOf(instruction)) || !random.oneIn(2)) return;
  const [first, second] = instruction.operands;
  const target = [first, second].find((operand) => operand.kind === 'register' && !operand.high);
  if (target?.kind !== 'register' || draft.isPinned(target.index)) return;
  const other = target === first ? second : first;
  let value = 0n;
  if (other.kind === 'register') value = draft.registers[other.index] >> (other.high ? 8n : 0n);
  if (other.kind === 'immediate') value = other.value;
  if (other.kind === 'memory') value = draft.read64(addressOf(draft, other, instruction));
  draft.pin(target.index, value + BigInt(random.pick([0, 0, 1, -1])));
}

/** The values that make an instruction interesting or harmless. */
function steer(draft: Draft, instruction: Instruction): boolean {
  const { random } = draft;
  const name = nameOf(instruction);
  const size = instruction.operands[0]?.size ?? 4;
  makeClose(draft, instruction);
  if (instruction.repeat !== 'none') draft.pin(RCX, BigInt(random.below(5)));
  if (name === 'xlat') draft.pin(RAX, (random.operand() & ~0xffn) | BigInt(random.below(32)));
  if (
    /^bt/.test(name) &&
    instruction.operands[0].kind === 'memory' &&
    instruction.operands[1].kind === 'register'
  ) {
    const { index } = instruction.operands[1];
    if (draft.isPinned(index)) return false;
    draft.pin(index, BigInt(random.below(128) - 64));
  }
  if ((name === 'div' || name === 'idiv') && !random.oneIn(4)) {
    const high = name === 'div' ? 0n : random.pick([0n, -1n]);
    const pair = BigInt.asUintN(64, high);
    if (draft.isPinned(RAX)) return true;
    if (size === 1) draft.pin(RAX, random.oneIn(2) ? BigInt(random.below(256)) : random.operand());
    else if (!draft.isPinned(RDX))
      draft.pin(RDX, random.oneIn(2) ? pair : pair ^ BigInt(random.below(1 << 20)));
  }
  if (
    /^cmpxchg/.test(name) &&
    instruction.operands[0].kind === 'memory' &&
    random.oneIn(2) &&
    !draft.isPinned(RAX)
  ) {
    const address = Number(addressOf(draft, instruction.operands[0], instruction)) - WINDOW_ADDRESS;
    const view = new DataView(draft.window.buffer);
    if (size <= 8) {
      for (let byte = 0; byte < 8; byte += 1) {
        const at = address + byte;
        if (at < WINDOW_SIZE && byte < size)
          view.setUint8(at, Number((draft.registers[RAX] >> BigInt(8 * byte)) & 0xffn));
      }
    }
    if (name !== 'cmpxchg' && !draft.isPinned(RDX) && size === 8) {
      view.setUint32(address + 4, Number(draft.registers[RDX] & 0xffff_ffffn), true);
    }
  }
  return true;
}

/** Is the outcome defined at all? */
function isDefined(draft: Draft, instruction: Instruction): boolean {
  const name = nameOf(instruction);
  const size = instruction.operands[0]?.size ?? 4;
  if (name === 'bswap' && size === 2) return false;
  if ((name === 'shld' || name === 'shrd') && size === 2) return (countOf(draft, instruction) & 31) <= 16;
  // SAHF, LAHF aside, AH may not be combined with what the probe keeps.
  if (name === 'enter')
    return (Number(immediateOf(instruction, 1)) & 31) < 4 && immediateOf(instruction, 0) < 0x1000n;
  return true;
}

function immediateOf(instruction: Instruction, index: number): bigint {
  const operand = instruction.operands[index];
  return operand.kind === 'immediate' ? operand.value : 0n;
}

/** Count of a shift before masking. */
function countOf(draft: Draft, instruction: Instruction): number {
  const last = instruction.operands.at(-1);
  if (!last || instruction.operands.length < 2) return 0;
  if (last.kind === 'immediate') return Number(last.value & 0xffn);
  return last.kind === 'register' ? Number(draft.registers[last.index] & 0xffn) : 0;
}

/** Instructions on registers other than RCX that define every flag: they leave the lazy flags in each of their kinds. */
const FLAG_SETTERS = [
  [0x48, 0x01, 0xd0],
  [0x29, 0xf2],
  [0x66, 0x11, 0xc6],
  [0x40, 0x18, 0xd7],
  [0x48, 0xff, 0xc6],
  [0xff, 0xcf],
  [0xf6, 0xdb],
];

/** One case: maybe a flag setter, the instruction, maybe a reader of its flags. undefined: try again. */
function tryGenerate(random: Random): GeneratedCase | undefined {
  const pattern = random.pick(random.oneIn(6) ? comparisons : random.pick(byMnemonic));
  const draft = new Draft(random);
  const setter = random.oneIn(3) ? random.pick(FLAG_SETTERS) : [];
  const start = CODE_ADDRESS + setter.length;
  const bytes = encode(pattern, random);
  const first = decodeAt(bytes, start);
  if (!first || first.row !== pattern.row) return undefined;
  const name = nameOf(first);
  let encoded = bytes.slice(0, first.length);
  const branches = RELATIVE.has(name) || INDIRECT.has(name);
  if (RELATIVE.has(name)) encoded = aimRelative(encoded, first);
  const instruction = decodeAt(encoded, start);
  if (!instruction) return undefined;
  // The setter changes registers that an address or a divisor may need.
  if (setter.length > 0)
    for (const register of [RAX, RDX, RCX, RSI, RDI, RBX]) draft.pin(register, draft.registers[register]);
  if (!placeStack(draft, name)) return undefined;
  for (const operand of instruction.operands) {
    if (operand.kind !== 'memory' || name === 'lea' || name === 'nop') continue;
    if (!place(draft, instruction, operand)) return undefined;
  }
  if (!steer(draft, instruction)) return undefined;
  const markAddress = BigInt(start + encoded.length + BRANCH_SKIP.length);
  if (INDIRECT.has(name) && (instruction.operandSize !== 8 || !aimIndirect(draft, instruction, markAddress)))
    return undefined;
  if (!isDefined(draft, instruction)) return undefined;

  const undefinedMask = undefinedFlags(instruction, countOf(draft, instruction));
  const chosen = !branches && random.oneIn(2) ? flagReader(random) : undefined;
  const reader = chosen && (chosen.reads & undefinedMask) === 0 ? chosen.code : [];
  const tail = branches || reader[0] >> 4 === 7 ? [...BRANCH_SKIP, ...BRANCH_MARK] : [];
  const direction = random.oneIn(4) ? 0x400n : 0n;
  return {
    code: Uint8Array.from([...setter, ...encoded, ...reader, ...tail]),
    registers: draft.registers,
    flags: 0x202n | BigInt(random.next() & ALL_FLAGS) | direction,
    window: draft.window,
    definedFlags: ALL_FLAGS & ~undefinedMask,
    name: instruction.row.mnemonic,
  };
}

/** A relative branch over the skip to the mark. */
function aimRelative(encoded: readonly number[], instruction: Instruction): number[] {
  const size = instruction.row.operands[0] === 'Jb' ? 1 : 4;
  const displacement = [BRANCH_SKIP.length, 0, 0, 0].slice(0, size);
  return [...encoded.slice(0, encoded.length - size), ...displacement];
}

const { CF, PF, AF, ZF, SF, OF } = FlagBit;
/** What the conditions read, by their upper three bits (SDM 1 appendix B). */
const CONDITION_FLAGS = [OF, CF, ZF, CF | ZF, SF, PF, SF | OF, ZF | SF | OF];

interface FlagReader {
  readonly code: readonly number[];
  readonly reads: number;
}

/** An instruction that reads flags into R14, or branches to the mark by them. */
function flagReader(random: Random): FlagReader {
  const condition = random.below(16);
  const reads = CONDITION_FLAGS[condition >> 1];
  return random.pick<FlagReader>([
    { code: [0x41, 0x0f, 0x90 + condition, 0xc6], reads }, // setcc r14b
    { code: [0x4c, 0x0f, 0x40 + condition, 0xf2], reads }, // cmovcc r14, rdx
    { code: [0x70 + condition, BRANCH_SKIP.length], reads },
    { code: [0x70 + condition, BRANCH_SKIP.length], reads },
    { code: [0x49, 0x11, 0xd6], reads: CF }, // adc r14, rdx
    { code: [0x41, 0xff, 0xce], reads: CF }, // dec r14d
    { code: [0x9f], reads: SF | ZF | AF | PF | CF }, // lahf
    { code: [0x41, 0xd1, 0xc6], reads: SF | ZF | AF | PF }, // rol r14d, 1
  ]);
}

/** One random case. */
export function generate(random: Random): GeneratedCase {
  for (;;) {
    const generated = tryGenerate(random);
    if (generated) return generated;
  }
}
