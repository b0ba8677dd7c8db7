/** A processor for tests of the system part: everything but the platform is the real thing. */
import { writeRflags } from '../cpu/flags.js';
import { Interpreter } from '../cpu/interpreter/interpreter.js';
import { region } from '../cpu/layout.js';
import type { CoreProcessor, ProcessorHooks } from '../cpu/processor.js';
import { createProcessor } from '../cpu/processor.js';
import { Cr0, Cr4, DR6_RESET, DR7_RESET, Efer, SegmentAccess } from '../cpu/registerBits.js';
import type { Bus, Clock, InterruptController } from '../cpu/seams.js';
import { runProcessor } from '../cpu/run.js';
import type { ProcessorState } from '../cpu/state.js';
import { LinearMemory } from '../cpu/state.js';
import { createVmx } from '../vmx/vmx.js';

/** Where things lie in the physical and, identity-mapped, in the linear memory. */
export const at = {
  gdt: 0x1000,
  idt: 0x2000,
  tss: 0x3000,
  kernelCode: 0x4000,
  userCode: 0x5000,
  handlers: 0x6000,
  kernelStack: 0x8000,
  interruptStack: 0x9000,
  userStack: 0xa000,
  data: 0xb000,
  tables: 0x2_0000,
  device: 0xfee0_0000,
} as const;

/** Selectors of the GDT that `createSystem` makes. */
export const selector = {
  kernelCode: 0x08,
  kernelData: 0x10,
  userCode32: 0x1b,
  userData: 0x23,
  userCode: 0x2b,
  tss: 0x30,
  absentData: 0x40,
  executeOnly: 0x48,
  conforming: 0x50,
  readOnly: 0x58,
  absentCode: 0x60,
  callGate: 0x68,
} as const;

const RAM_SIZE = 1 << 20;

/** The interpreter, with a log of what it was told of code that changes. */
class LoggingInterpreter extends Interpreter {
  readonly codeWrites: [address: number, length: number][] = [];

  override codeWritten(address: number, length: number): void {
    this.codeWrites.push([address, length]);
    super.codeWritten(address, length);
  }
}

/** Time that a test sets events in. */
class TestClock implements Clock {
  now = 0;
  nextEvent = Infinity;
  due: () => void = () => undefined;
  advance(instructions: number): void {
    this.now += instructions;
  }
  fireDue(): void {
    this.nextEvent = Infinity;
    this.due();
  }
}

/** Interrupts that a test raises. */
class TestApic implements InterruptController {
  readonly id = 0;
  readonly tscDeadline = 0n;
  nmiPending = false;
  initPending = false;
  startupVector = -1;
  tpr = 0;
  requested: number[] = [];
  acknowledged: number[] = [];
  ended = 0;
  pendingVector(): number {
    return this.requested[0] ?? -1;
  }
  acknowledge(): number {
    const vector = this.requested.shift() ?? 0xff;
    this.acknowledged.push(vector);
    return vector;
  }
  endOfInterrupt(): void {
    this.ended++;
  }
  setTpr(value: number): void {
    this.tpr = value;
  }
  setBase(): void {}
  reset(): void {}
  readX2apic(): undefined {}
  writeX2apic(): boolean {
    return false;
  }
  setTscDeadline(): void {}
  tscMoved(): void {}
}

/** Ports and one device page, with a log of what was accessed. */
class TestBus implements Bus {
  readonly log: string[] = [];
  readPort(port: number, size: number): number {
    this.log.push(`in ${port.toString(16)}/${size}`);
    return 0x4433_2211 % 2 ** (size * 8);
  }
  writePort(port: number, size: number, value: number): void {
    this.log.push(`out ${port.toString(16)}/${size}=${value.toString(16)}`);
  }
  isDevice(page: number): boolean {
    return page >= RAM_SIZE / 4096;
  }
  readDevice(address: number, size: number): bigint {
    this.log.push(`read ${address.toString(16)}/${size}`);
    return BigInt.asUintN(size * 8, 0x8877_6655_4433_2211n);
  }
  writeDevice(address: number, size: number, value: bigint): void {
    this.log.push(`write ${address.toString(16)}/${size}=${value.toString(16)}`);
  }
}

export interface System {
  readonly processor: CoreProcessor;
  readonly state: ProcessorState;
  readonly bus: TestBus;
  readonly apic: TestApic;
  readonly clock: TestClock;
  readonly engine: LoggingInterpreter;
  poke(address: number, value: bigint, size?: 4 | 8): void;
  peek(address: number, size?: 2 | 4 | 8): bigint;
  /** Puts code at a physical address. */
  code(address: number, ...bytes: number[]): void;
}

const FLAT = 0xffff_ffff;
const CODE = 0x9b | SegmentAccess.G;
const DATA = 0x93 | SegmentAccess.G | SegmentAccess.DB;

const descriptor = (access: number, base = 0, limit = 0xf_ffff): bigint => {
  const low = ((base & 0xffff) << 16) | (limit & 0xffff);
  const high = (base & 0xff00_0000) | (limit & 0xf_0000) | (access << 8) | ((base >>> 16) & 0xff);
  return (BigInt(high >>> 0) << 32n) | BigInt(low >>> 0);
};

/** A processor at privilege level 0 in 64-bit mode or flat 32-bit protected mode, with GDT, TSS, paging on. */
export function createSystem(mode: 'long' | 'protected' = 'long', hooks: ProcessorHooks = {}): System {
  const long = mode === 'long';
  const memory = new LinearMemory(RAM_SIZE);
  const bus = new TestBus();
  const apic = new TestApic();
  const clock = new TestClock();
  let engine: LoggingInterpreter | undefined;
  const processor = createProcessor({
    memory,
    bus,
    apic,
    clock,
    hooks,
    createEngine: (_, __, paged, engineHooks) =>
      (engine = new LoggingInterpreter(memory, paged, engineHooks)),
    createVirtualization: (owner) => createVmx(owner),
  });
  const { state } = processor;
  const poke = (address: number, value: bigint, size = 8): void => {
    if (size === 4) memory.view.setUint32(region.ram + address, Number(value), true);
    else memory.view.setBigUint64(region.ram + address, value, true);
  };

  const codeAccess = CODE | (long ? SegmentAccess.L : SegmentAccess.DB);
  const dpl3 = 3 << SegmentAccess.DPL_SHIFT;
  const gdt: bigint[] = [
    0n,
    descriptor(codeAccess),
    descriptor(DATA),
    descriptor(CODE | SegmentAccess.DB | dpl3),
    descriptor(DATA | dpl3),
    descriptor(codeAccess | dpl3),
    descriptor(0x8b, at.tss, 0x8067),
    0n,
    descriptor(DATA & ~SegmentAccess.P),
    descriptor(codeAccess & ~2),
    descriptor(codeAccess | 4),
    descriptor(DATA & ~2),
    descriptor(codeAccess & ~SegmentAccess.P),
  ];
  gdt.forEach((entry, index) => poke(at.gdt + index * 8, entry));
  state.gdtrBase = BigInt(at.gdt);
  state.gdtrLimit = 0xff;
  state.idtrBase = BigInt(at.idt);
  state.idtrLimit = 0xfff;
  if (long) {
    poke(at.tss + 4, BigInt(at.kernelStack));
    poke(at.tss + 0x24, BigInt(at.interruptStack));
  } else {
    poke(at.tss + 4, BigInt(at.kernelStack), 4);
    poke(at.tss + 8, BigInt(selector.kernelData), 4);
  }
  // The I/O map begins behind the TSS proper; the limit ends it.
  memory.view.setUint16(region.ram + at.tss + 0x66, 0x68, true);

  state.cr0 = Cr0.PE | Cr0.ET | Cr0.NE | Cr0.WP | Cr0.PG;
  state.cr4 = long ? Cr4.PAE : Cr4.PSE;
  state.efer = long ? Efer.LME | Efer.LMA | Efer.NXE | Efer.SCE : 0n;
  state.cr3 = BigInt(at.tables);
  writeRflags(state, 2n);
  state.dr6 = DR6_RESET;
  state.dr7 = DR7_RESET;
  const setSegment = (name: 'cs' | 'ss' | 'ds' | 'es' | 'fs' | 'gs', value: number, access: number): void => {
    state[`${name}Selector`] = value;
    state[`${name}Limit`] = FLAT;
    state[`${name}Access`] = access;
  };
  setSegment('cs', selector.kernelCode, codeAccess);
  for (const name of ['ss', 'ds', 'es', 'fs', 'gs'] as const) setSegment(name, selector.kernelData, DATA);
  state.trSelector = selector.tss;
  state.trBase = BigInt(at.tss);
  state.trLimit = 0x8067;
  state.trAccess = 0x8b;
  state.ldtrAccess = SegmentAccess.UNUSABLE;
  state.rip = BigInt(at.kernelCode);
  state.rsp = BigInt(at.kernelStack);

  // Identity: 1 MiB of 4-KByte user pages, and the device page.
  const user = 7n;
  if (long) {
    poke(at.tables, BigInt(at.tables + 0x1000) | user);
    poke(at.tables + 0x1000, BigInt(at.tables + 0x2000) | user);
    poke(at.tables + 0x1000 + 3 * 8, BigInt(at.tables + 0x4000) | user);
    poke(at.tables + 0x2000, BigInt(at.tables + 0x3000) | user);
    for (let page = 0; page < 256; page++) poke(at.tables + 0x3000 + page * 8, BigInt(page * 4096) | user);
    poke(at.tables + 0x4000 + 503 * 8, 0xfee0_0000n | user | 0x80n);
  } else {
    poke(at.tables, BigInt(at.tables + 0x1000) | user, 4);
    for (let page = 0; page < 256; page++) poke(at.tables + 0x1000 + page * 4, BigInt(page * 4096) | user, 4);
    poke(at.tables + 0x3fb * 4, 0xfec0_0000n | user | 0x80n, 4);
  }
  processor.stateReplaced(0);
  return {
    processor,
    state,
    bus,
    apic,
    clock,
    engine: engine!,
    poke,
    peek: (address, size = 8) => {
      const offset = region.ram + address;
      if (size === 2) return BigInt(memory.view.getUint16(offset, true));
      return size === 4
        ? BigInt(memory.view.getUint32(offset, true))
        : memory.view.getBigUint64(offset, true);
    },
    code: (address, ...bytes) => memory.u8.set(bytes, region.ram + address),
  };
}

/** Makes the processor run user code at privilege level 3. */
export function enterUser(system: System, mode: 'long' | 'protected' = 'long'): void {
  const { state, processor } = system;
  const dpl3 = 3 << SegmentAccess.DPL_SHIFT;
  state.csSelector = mode === 'long' ? selector.userCode : selector.userCode32;
  state.csAccess = CODE | dpl3 | (mode === 'long' ? SegmentAccess.L : SegmentAccess.DB);
  state.ssSelector = selector.userData;
  state.ssAccess = DATA | dpl3;
  state.cpl = 3;
  state.rip = BigInt(at.userCode);
  state.rsp = BigInt(at.userStack);
  processor.contextChanged();
}

/** Writes an IDT gate. `type` 14: interrupt gate, 15: trap gate. */
export function setGate(
  system: System,
  vector: number,
  gate: { type?: number; dpl?: number; ist?: number; present?: boolean; code?: number; offset?: number } = {},
  mode: 'long' | 'protected' = 'long',
): void {
  const { type = 14, dpl = 0, ist = 0, present = true, code = selector.kernelCode } = gate;
  const offset = gate.offset ?? at.handlers + vector * 16;
  const access = type | (dpl << 5) | (present ? 0x80 : 0);
  const low = BigInt(((code << 16) | (offset & 0xffff)) >>> 0);
  const high = BigInt(((offset & 0xffff_0000) | (access << 8) | ist) >>> 0);
  const size = mode === 'long' ? 16 : 8;
  system.poke(at.idt + vector * size, low | (high << 32n));
  if (mode === 'long') system.poke(at.idt + vector * size + 8, 0n);
}

export const hex = (value: bigint | number): string => value.toString(16);

/** Where the processor is: CS:RIP SS:RSP. */
export const where = ({ state }: System): string =>
  `${hex(state.csSelector)}:${hex(state.rip)} ${hex(state.ssSelector)}:${hex(state.rsp)}`;

export type Mode = 'long' | 'protected';

/** Runs one instruction; answers 'ok', the fault that it raised as `#vector(error code)`, or why the run stopped. */
export function step(system: System, mode: Mode = 'long'): string {
  for (const vector of [0, 6, 8, 10, 11, 12, 13, 14]) setGate(system, vector, { ist: 1 }, mode);
  const { stop } = runProcessor(system.processor, 1);
  if (stop.kind !== 'budget') return stop.kind === 'unimplemented' ? stop.what : stop.kind;
  const vector = (Number(system.state.rip) - at.handlers) / 16;
  if (vector < 0 || vector > 14 || !Number.isInteger(vector)) return 'ok';
  const size = mode === 'long' ? 8 : 4;
  const hasCode = vector === 8 || vector >= 10;
  return `#${vector}(${hasCode ? hex(system.peek(Number(system.state.rsp), size)) : ''})`;
}

/** One instruction at a privilege level, after `set`: the system and what `step` answered. */
export function execute(
  code: number[],
  set: (system: System) => void = () => undefined,
  { mode = 'long', user = false }: { mode?: Mode; user?: boolean } = {},
): { system: System; outcome: string } {
  const system = createSystem(mode);
  system.code(user ? at.userCode : at.kernelCode, ...code);
  if (user) enterUser(system, mode);
  set(system);
  return { system, outcome: step(system, mode) };
}
