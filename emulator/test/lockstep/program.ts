/**
 * Random programs for comparing back ends: functions with loops and calls over random instructions, whose memory
 * operands lie in data, across pages, in the program's own code, or nowhere.
 */
import { decodeBytes, isInstruction } from '../../isa/decoder.js';
import type { Instruction, MemoryOperand } from '../../isa/instruction.js';
import { byMnemonic, encode } from '../native/generator.js';
import type { Random } from '../native/random.js';

export const CODE = 0x1_0000;
export const CODE_SIZE = 0x3000;
export const DATA = 0x2_0000;
export const DATA_SIZE = 0x3000;
export const STACK_TOP = 0x4_0000;
/** What an interrupt runs, and where it finds the RIP to go back to. */
export const HANDLER = CODE + 0x2800;
export const RETURN_SLOT = DATA + 0x2000;
const UNMAPPED = 0x7000_0000;

const RSP = 4;
/** Counts the turns of the loop of a function. */
const COUNTER = 15;
const FUNCTIONS = 4;

export interface Program {
  readonly code: Uint8Array;
  /** Where execution can begin. */
  readonly entries: readonly number[];
  readonly registers: readonly bigint[];
}

const nameOf = (instruction: Instruction) => instruction.row.semantics ?? instruction.row.mnemonic;
const BRANCHES =
  /^(jmp|jcc|call|loop|loope|loopne|jcxz|jmpIndirect|callIndirect|ret|enter|leave|popa|pusha|pop|xlat)$/;

class Assembly {
  readonly bytes = new Uint8Array(CODE_SIZE);
  at = 0;

  get address(): number {
    return CODE + this.at;
  }
  emit(bytes: readonly number[]): void {
    this.bytes.set(bytes, this.at);
    this.at += bytes.length;
  }
  emit32(value: number): void {
    this.emit([value & 255, (value >> 8) & 255, (value >> 16) & 255, (value >> 24) & 255]);
  }
}

/** mov r64, imm64. */
function moveConstant(assembly: Assembly, register: number, value: bigint): void {
  assembly.emit([0x48 | (register >> 3), 0xb8 | (register & 7)]);
  for (let byte = 0n; byte < 64n; byte += 8n)
    assembly.emit([Number((BigInt.asUintN(64, value) >> byte) & 0xffn)]);
}

/** Where a memory operand is to lie. */
function chooseAddress(random: Random): number {
  switch (random.below(24)) {
    case 0:
      return UNMAPPED + random.below(0x1000);
    case 1:
      return CODE + random.below(CODE_SIZE - 64);
    case 2:
    case 3:
      return DATA + 0x1000 - 1 - random.below(15);
    default:
      return DATA + random.below(0x2000 - 64);
  }
}

const avoided = (register: number) => register === RSP || register === COUNTER;

/** Loads the registers of a memory operand so that it lies at a chosen address; false when it cannot. */
function aim(
  assembly: Assembly,
  random: Random,
  { base, index, scale, displacement }: MemoryOperand,
): boolean {
  const wanted = BigInt(chooseAddress(random)) - displacement;
  if (base < 0 && index < 0) return false;
  if (avoided(base) || avoided(index) || base === index) return false;
  if (base < 0) {
    moveConstant(assembly, index, wanted >> BigInt(scale));
    return true;
  }
  const part = index < 0 ? 0n : BigInt(random.below(16));
  if (index >= 0) moveConstant(assembly, index, part);
  moveConstant(assembly, base, wanted - (part << BigInt(scale)));
  return true;
}

/** A random instruction that does not branch and leaves the stack pointer and the loop counter alone. */
function randomInstruction(assembly: Assembly, random: Random): void {
  for (;;) {
    const pattern = random.pick(random.pick(byMnemonic));
    const bytes = encode(pattern, random);
    const instruction = decodeBytes(Uint8Array.from(bytes), 0n, 64);
    if (!isInstruction(instruction) || instruction.row !== pattern.row) continue;
    if (BRANCHES.test(nameOf(instruction))) continue;
    const clobbers = instruction.operands.some(
      (operand) => operand.kind === 'register' && avoided(operand.index),
    );
    if (clobbers || (instruction.addressSize !== 8 && instruction.repeat !== 'none')) continue;
    const rewind = assembly.at;
    const memory = instruction.operands.filter((operand) => operand.kind === 'memory');
    const isString = /^(movs|stos|lods|cmps|scas)$/.test(nameOf(instruction));
    if (isString) {
      for (const register of [6, 7]) moveConstant(assembly, register, BigInt(chooseAddress(random)));
      moveConstant(assembly, 1, BigInt(random.below(6)));
    } else if (!memory.every((operand) => aim(assembly, random, operand))) {
      assembly.at = rewind;
      continue;
    }
    // A bit offset in a register reaches far beyond its operand.
    if (/^bt/.test(nameOf(instruction)) && memory.length > 0 && instruction.operands[1].kind === 'register') {
      const { index } = instruction.operands[1];
      const [{ base, index: scaled }] = memory;
      if (index === base || index === scaled) {
        assembly.at = rewind;
        continue;
      }
      moveConstant(assembly, index, BigInt(random.below(256) - 128));
    }
    assembly.emit(bytes.slice(0, instruction.length));
    return;
  }
}

/** A short forward branch by a random condition over a few instructions. */
function conditional(assembly: Assembly, random: Random): void {
  assembly.emit([0x70 + random.below(16), 0]);
  const from = assembly.at;
  for (let count = random.below(3); count >= 0; count -= 1) randomInstruction(assembly, random);
  const distance = assembly.at - from;
  if (distance < 128) assembly.bytes[from - 1] = distance;
}

/** push and pop, maybe of what an instruction computes in between. */
function stacked(assembly: Assembly, random: Random): void {
  const register = random.pick([0, 1, 2, 3, 5, 6, 7]);
  assembly.emit([0x50 + register]);
  randomInstruction(assembly, random);
  assembly.emit([0x58 + random.pick([0, 1, 2, 3, 5, 6, 7])]);
}

/** call rel32 to a function. */
function call(assembly: Assembly, target: number): void {
  assembly.emit([0xe8]);
  assembly.emit32(target - (assembly.address + 4));
}

function body(assembly: Assembly, random: Random, callees: readonly number[]): void {
  for (let count = 2 + random.below(5); count > 0; count -= 1) {
    switch (random.below(8)) {
      case 0:
        conditional(assembly, random);
        break;
      case 1:
        stacked(assembly, random);
        break;
      case 2:
        if (callees.length > 0) call(assembly, random.pick(callees));
        break;
      default:
        randomInstruction(assembly, random);
    }
  }
}

/** push r15; mov r15d, n; 1: body; dec r15 or sub r15, 1; jnz 1b; pop r15; ret. */
function functionOf(assembly: Assembly, random: Random, callees: readonly number[]): number {
  const start = assembly.address;
  assembly.emit([0x41, 0x57, 0x41, 0xbf]);
  assembly.emit32(2 + random.below(20));
  const loop = assembly.at;
  body(assembly, random, callees);
  if (random.oneIn(3)) {
    // An inner loop in RCX.
    moveConstant(assembly, 1, BigInt(1 + random.below(9)));
    const inner = assembly.at;
    assembly.emit([
      0x48,
      0x01,
      0xc8,
      0x83,
      0xc2,
      0x03,
      0x48,
      0xff,
      0xc9,
      0x75,
      (inner - assembly.at - 11) & 255,
    ]);
  }
  assembly.emit(random.oneIn(2) ? [0x49, 0xff, 0xcf] : [0x49, 0x83, 0xef, 0x01]);
  assembly.emit([0x0f, 0x85]);
  assembly.emit32(loop - (assembly.at + 4));
  assembly.emit([0x41, 0x5f, 0xc3]);
  return start;
}

/** A program that runs for ever: its main loop calls functions, in order and through a register. */
export function randomProgram(random: Random): Program {
  const assembly = new Assembly();
  const functions: number[] = [];
  for (let index = 0; index < FUNCTIONS; index += 1) {
    // Some functions begin just before a page ends.
    if (random.oneIn(4)) assembly.at = ((assembly.at >> 12) << 12) + 0x1000 - random.below(40);
    functions.push(functionOf(assembly, random, functions));
    if (assembly.at > 0x2000) break;
  }
  const main = assembly.address;
  for (const target of functions) {
    if (random.oneIn(3)) {
      // mov rax, target; call rax
      moveConstant(assembly, 0, BigInt(target));
      assembly.emit([0xff, 0xd0]);
    } else {
      call(assembly, target);
    }
  }
  assembly.emit([0xe9]);
  assembly.emit32(main - (assembly.address + 4));
  // The handler: add qword [DATA + 0x2010], 1 by way of RAX, flags as they come; jmp [RETURN_SLOT]
  assembly.at = HANDLER - CODE;
  assembly.emit([0x48, 0x83, 0x04, 0x25]);
  assembly.emit32(DATA + 0x2010);
  assembly.emit([0x01, 0xff, 0x24, 0x25]);
  assembly.emit32(RETURN_SLOT);
  const registers = Array.from({ length: 16 }, () => random.operand());
  registers[RSP] = BigInt(STACK_TOP);
  return { code: assembly.bytes, entries: [main, ...functions], registers };
}
