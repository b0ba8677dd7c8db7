/**
 * String instructions with REP, and INS and OUTS (SDM 1 7.3.9, 2B REP). A call does what lies on the current pages and
 * answers REPEAT when there is more, so that interrupts are taken between; registers are exact at every element.
 */
import type { Instruction, MemoryOperand } from '../../isa/instruction.js';
import { compareFlags } from '../compareFlags.js';
import { writeArithmeticFlags } from '../flags.js';
import { region } from '../layout.js';
import { highHalf, lowHalf } from '../linearAccess.js';
import { Rflags } from '../registerBits.js';
import type { ColdOutcome, ColdSemantics, Processor } from '../seams.js';
import { Access, Cold } from '../seams.js';
import { checkPortAccess } from './io.js';
import type { AccessSize, Failure } from './operands.js';
import {
  cut,
  failed,
  linearAddress,
  readMemory,
  readRegister,
  Segment,
  writeMemory,
  writeRegister,
} from './operands.js';
import type { ColdTable } from './semantics.js';

const [RAX, RCX, RDX, RSI, RDI] = [0, 1, 2, 6, 7];
/** Elements that a call does one by one, where a page cannot be done at once. */
const ELEMENTS_A_CALL = 64;

/** One execution of a string instruction. */
class StringRun {
  readonly size: AccessSize;
  readonly sourceSegment: number;
  private readonly backward: boolean;
  readonly repeated: boolean;

  constructor(
    readonly processor: Processor,
    readonly instruction: Instruction,
  ) {
    const source = memoryWithBase(instruction, RSI);
    const destination = memoryWithBase(instruction, RDI);
    this.size = (source ?? destination)!.size as AccessSize;
    this.sourceSegment = source?.segment ?? Segment.DS;
    this.backward = (processor.state.rflagsSystem & Rflags.DF) !== 0n;
    this.repeated = instruction.repeat !== 'none';
  }

  /** A register cut to the address size. */
  register(index: number): bigint {
    return readRegister(this.processor.state, index, this.instruction.addressSize);
  }

  /** Elements left: rCX, or 1 without REP. */
  get count(): bigint {
    return this.repeated ? this.register(RCX) : 1n;
  }

  /** Counts `elements` of rCX off and moves rSI or rDI over them. */
  advance(elements: number, ...pointers: number[]): void {
    const { state } = this.processor;
    const { addressSize } = this.instruction;
    const step = BigInt(elements * this.size) * (this.backward ? -1n : 1n);
    for (const pointer of pointers) {
      writeRegister(state, pointer, addressSize, cut(this.register(pointer) + step, addressSize));
    }
    if (this.repeated) {
      writeRegister(state, RCX, addressSize, cut(this.register(RCX) - BigInt(elements), addressSize));
    }
  }

  /** A trap flag wants a stop after each element (SDM 3B 18.3.1.4). */
  get elementsAllowed(): number {
    return (this.processor.state.rflagsSystem & Rflags.TF) !== 0n ? 1 : ELEMENTS_A_CALL;
  }

  /** RETIRED when nothing is left. */
  get outcome(): ColdOutcome {
    return this.repeated && this.register(RCX) !== 0n ? Cold.REPEAT : Cold.RETIRED;
  }

  /** How many elements from a pointer on lie in one page, as an access in place; 0 when that cannot be. */
  elementsInPage(pointer: number, segment: number, access: number): number {
    if (this.backward || this.elementsAllowed === 1) return 0;
    const offset = this.register(pointer);
    const linear = linearAddress(this.processor.state, segment, offset, this.size, access);
    if (typeof linear !== 'bigint') return 0;
    const toPageEnd = 4096 - Number(linear & 0xfffn);
    const most = Number(this.count < 4096n ? this.count : 4096n);
    const elements = Math.min(most, Math.floor(toPageEnd / this.size));
    if (elements === 0) return 0;
    // The whole stretch must pass the limit, and not wrap in the address size.
    const last = offset + BigInt((elements - 1) * this.size);
    if (last >> BigInt(this.instruction.addressSize * 8) !== 0n) return 0;
    const end = linearAddress(this.processor.state, segment, last, this.size, access);
    return typeof end === 'bigint' ? elements : 0;
  }

  /** Offset in the linear memory of where a pointer points; a failure; or 'careful'. */
  inPlace(pointer: number, segment: number, access: number): number | Failure | 'careful' {
    const { state, system } = this.processor;
    const linear = linearAddress(state, segment, this.register(pointer), this.size, access);
    if (typeof linear !== 'bigint') return linear;
    const place = system.inPlace(lowHalf(linear), highHalf(linear), access);
    if (place > 0) return place;
    if (place < 0) return 'careful';
    return system.exited ? 'exited' : system.fault!;
  }

  readSource(): bigint | Failure {
    return readMemory(this.processor, this.sourceSegment, this.register(RSI), this.size);
  }

  readDestination(): bigint | Failure {
    return readMemory(this.processor, Segment.ES, this.register(RDI), this.size);
  }

  writeDestination(value: bigint): Failure | undefined {
    return writeMemory(this.processor, Segment.ES, this.register(RDI), this.size, value);
  }

  accumulator(): bigint {
    return readRegister(this.processor.state, RAX, this.size);
  }

  written(offset: number, bytes: number): void {
    this.processor.system.ramWritten(offset - region.ram, bytes);
  }
}

const memoryWithBase = (instruction: Instruction, base: number): MemoryOperand | undefined =>
  instruction.operands.find(
    (operand): operand is MemoryOperand => operand.kind === 'memory' && operand.base === base,
  );

/** Does the instruction by elements: `element` does one, and answers a failure, or true to end a compare loop. */
function byElements(run: StringRun, element: () => Failure | boolean): ColdOutcome {
  for (let i = 0; i < run.elementsAllowed; i++) {
    if (run.count === 0n) break;
    const answer = element();
    if (answer === true) return Cold.RETIRED;
    if (answer !== false) return failed(answer);
    if (!run.repeated) return Cold.RETIRED;
  }
  return run.outcome;
}

/** Wraps an instruction: with a count of zero it does nothing. */
const string = (execute: (run: StringRun) => ColdOutcome): ColdSemantics => ({
  execute: (processor, instruction) => {
    const run = new StringRun(processor, instruction);
    return run.count === 0n ? Cold.RETIRED : execute(run);
  },
});

function moveElement(run: StringRun): Failure | boolean {
  const value = run.readSource();
  if (typeof value !== 'bigint') return value;
  const failure = run.writeDestination(value);
  if (failure !== undefined) return failure;
  run.advance(1, RSI, RDI);
  return false;
}

/** A copy upward onto its own source repeats a pattern, which a block move would not. */
const overlapsForward = (from: number, to: number, bytes: number): boolean => to > from && to < from + bytes;

const movs = string((run) => {
  const elements = Math.min(
    run.elementsInPage(RSI, run.sourceSegment, Access.READ),
    run.elementsInPage(RDI, Segment.ES, Access.WRITE),
  );
  if (elements === 0) return byElements(run, () => moveElement(run));
  const from = run.inPlace(RSI, run.sourceSegment, Access.READ);
  if (from !== 'careful' && typeof from !== 'number') return failed(from);
  const to = run.inPlace(RDI, Segment.ES, Access.WRITE);
  if (to !== 'careful' && typeof to !== 'number') return failed(to);
  const bytes = elements * run.size;
  if (from === 'careful' || to === 'careful' || overlapsForward(from, to, bytes)) {
    return byElements(run, () => moveElement(run));
  }
  run.processor.memory.u8.copyWithin(to, from, from + bytes);
  run.written(to, bytes);
  run.advance(elements, RSI, RDI);
  return run.outcome;
});

/** Repeats an element over `bytes` bytes, by doubling. */
function fill(memory: Uint8Array, at: number, bytes: number, value: bigint, size: number): void {
  for (let i = 0; i < size; i++) memory[at + i] = Number((value >> BigInt(8 * i)) & 0xffn);
  for (let done = size; done < bytes; done *= 2) {
    memory.copyWithin(at + done, at, at + Math.min(done, bytes - done));
  }
}

const stos = string((run) => {
  const elements = run.elementsInPage(RDI, Segment.ES, Access.WRITE);
  const to = elements === 0 ? 'careful' : run.inPlace(RDI, Segment.ES, Access.WRITE);
  if (to === 'careful') {
    return byElements(run, () => {
      const failure = run.writeDestination(run.accumulator());
      if (failure !== undefined) return failure;
      run.advance(1, RDI);
      return false;
    });
  }
  if (typeof to !== 'number') return failed(to);
  const bytes = elements * run.size;
  fill(run.processor.memory.u8, to, bytes, run.accumulator(), run.size);
  run.written(to, bytes);
  run.advance(elements, RDI);
  return run.outcome;
});

const lods = string((run) =>
  byElements(run, () => {
    const value = run.readSource();
    if (typeof value !== 'bigint') return value;
    writeRegister(run.processor.state, RAX, run.size, value);
    run.advance(1, RSI);
    return false;
  }),
);

/** REPE goes on while equal, REPNE while different (SDM 2B table 4-17). */
const endsCompare = (run: StringRun, equal: boolean): boolean =>
  run.repeated && (run.instruction.repeat === 'rep' ? !equal : equal);

function compare(run: StringRun, left: bigint, right: bigint, ...pointers: number[]): boolean {
  writeArithmeticFlags(run.processor.state, compareFlags(left, right, run.size));
  run.advance(1, ...pointers);
  return endsCompare(run, left === right);
}

const scas = string((run) =>
  byElements(run, () => {
    const right = run.readDestination();
    return typeof right === 'bigint' ? compare(run, run.accumulator(), right, RDI) : right;
  }),
);

const cmps = string((run) =>
  byElements(run, () => {
    const left = run.readSource();
    if (typeof left !== 'bigint') return left;
    const right = run.readDestination();
    return typeof right === 'bigint' ? compare(run, left, right, RSI, RDI) : right;
  }),
);

// -------------------------------------------------------------- ports

const portPermission: NonNullable<ColdSemantics['check']> = (processor, instruction) => {
  const run = new StringRun(processor, instruction);
  return checkPortAccess(processor, Number(readRegister(processor.state, RDX, 2)), run.size);
};

const portOf = (run: StringRun): number => Number(readRegister(run.processor.state, RDX, 2));

/** One element a call: devices see time pass. The destination is checked before the port is read. */
const ins: ColdSemantics = {
  check: portPermission,
  ...string((run) => {
    const { state, system, bus, memory } = run.processor;
    const linear = linearAddress(state, Segment.ES, run.register(RDI), run.size, Access.WRITE);
    if (typeof linear !== 'bigint') return linear;
    const operand = system.prepare(lowHalf(linear), highHalf(linear), run.size, Access.WRITE);
    if (operand === 0) return system.exited ? Cold.SWITCHED : system.fault!;
    const value = BigInt(bus.readPort(portOf(run), run.size) >>> 0);
    for (let i = 0; i < run.size; i++) memory.u8[operand + i] = Number((value >> BigInt(8 * i)) & 0xffn);
    system.commit();
    run.advance(1, RDI);
    return run.outcome;
  }),
};

const outs: ColdSemantics = {
  check: portPermission,
  ...string((run) => {
    const value = run.readSource();
    if (typeof value !== 'bigint') return failed(value);
    run.processor.bus.writePort(portOf(run), run.size, Number(value));
    run.advance(1, RSI);
    return run.outcome;
  }),
};

export const stringInstructions: ColdTable = { movs, cmps, stos, lods, scas, ins, outs };
