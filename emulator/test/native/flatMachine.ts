/** A processor around the interpreter for tests: identity-mapped RAM, nothing else. */
import type { Fault } from '../../cpu/fault.js';
import { pageFault } from '../../cpu/fault.js';
import type { CompilerChoice } from '../../cpu/interpreter/interpreter.js';
import { Interpreter } from '../../cpu/interpreter/interpreter.js';
import { layout, region, tlbEntry, TLB_ENTRIES, TLB_ENTRY_SIZE } from '../../cpu/layout.js';
import type { EngineHooks, MemorySystem } from '../../cpu/seams.js';
import { Access, FillResult } from '../../cpu/seams.js';
import { createProcessorState, LinearMemory } from '../../cpu/state.js';

const NO_TAG = -1;

/** Identity mapping of all RAM; everything above faults. Careful accesses are counted. */
class IdentityMemory implements MemorySystem {
  fault: Fault | undefined;
  readonly exited = false;
  carefulAccesses = 0;
  readonly codePages = new Set<number>();
  /** Linear bytes whose access is reported. */
  watched: { readonly first: number; readonly last: number } | undefined;
  watchHit = false;
  onWrite: (physical: number, length: number) => void = () => undefined;
  private pending = { address: 0, size: 0, operand: 0 };

  private allWithheld = false;

  constructor(private readonly memory: LinearMemory) {
    this.flushTlb();
    memory.u32[layout.tlbBank >> 2] = region.tlb;
  }

  flushTlb(): void {
    this.memory.i32.fill(NO_TAG, region.tlb >> 2, (region.tlb + TLB_ENTRIES * TLB_ENTRY_SIZE) >> 2);
  }

  /** From now on every access is made carefully (or none). */
  withholdAll(withheld: boolean): void {
    if (this.allWithheld === withheld) return;
    this.allWithheld = withheld;
    this.flushTlb();
  }

  private isMapped(low: number, high: number): boolean {
    return high === 0 && low >>> 0 < this.memory.ramSize;
  }

  fill(low: number, high: number, access: number): FillResult {
    if (!this.isMapped(low, high)) return this.refuse(low, high, access);
    const page = low >>> 12;
    const write = (access & Access.WRITE) !== 0;
    const watched = this.watched && page >= this.watched.first >>> 12 && page <= this.watched.last >>> 12;
    if (this.allWithheld || watched || (write && this.codePages.has(page))) return FillResult.CAREFUL;
    const entry = (region.tlb + (page % TLB_ENTRIES) * TLB_ENTRY_SIZE) >> 2;
    const { i32 } = this.memory;
    const setTag = (tag: number) => {
      i32[entry + (tag >> 2)] = page << 12;
      i32[entry + (tag >> 2) + 1] = 0;
    };
    i32.fill(NO_TAG, entry, entry + 6);
    setTag(tlbEntry.tagRead);
    if (!this.codePages.has(page)) setTag(tlbEntry.tagWrite);
    i32[entry + (tlbEntry.addend >> 2)] = region.ram;
    return FillResult.FILLED;
  }

  private refuse(low: number, high: number, access: number): FillResult {
    const address = (BigInt(high >>> 0) << 32n) | BigInt(low >>> 0);
    this.fault = pageFault(address, (access & Access.WRITE) !== 0 ? 2 : 0);
    return FillResult.FAULT;
  }

  prepare(low: number, high: number, size: number, access: number): number {
    this.carefulAccesses += 1;
    const last = low + size - 1;
    if (!this.isMapped(low, high) || !this.isMapped(last, high)) {
      this.refuse(this.isMapped(low, high) ? last & ~0xfff : low, high, access);
      return 0;
    }
    if (this.watched && low <= this.watched.last && last >= this.watched.first) this.watchHit = true;
    // As for devices and page crossings: the operand is a copy, which `commit` carries back.
    const copied = this.allWithheld || (low & 0xfff) + size > 4096;
    const write = (access & Access.WRITE) !== 0;
    const operand = !copied ? region.ram + low : write ? region.scratch : region.scratch + 64;
    if (copied) this.memory.u8.copyWithin(operand, region.ram + low, region.ram + low + size);
    if (write) this.pending = { address: low, size, operand };
    return operand;
  }

  commit(): void {
    const { address, size, operand } = this.pending;
    this.memory.u8.copyWithin(region.ram + address, operand, operand + size);
    this.onWrite(this.pending.address, this.pending.size);
  }

  inPlace(low: number, high: number, access: number): number {
    if (this.isMapped(low, high)) return region.ram + (low >>> 0);
    this.refuse(low, high, access);
    return 0;
  }

  ramWritten(physicalAddress: number, length: number): void {
    this.onWrite(physicalAddress, length);
  }

  fetch(low: number, high: number): number {
    if (this.isMapped(low, high)) return low >>> 0;
    this.refuse(low, high, Access.EXECUTE);
    return -1;
  }

  protectCode(page: number): void {
    this.codePages.add(page);
    this.memory.i32.fill(
      NO_TAG,
      (region.tlb + (page % TLB_ENTRIES) * TLB_ENTRY_SIZE) >> 2,
      ((region.tlb + (page % TLB_ENTRIES) * TLB_ENTRY_SIZE) >> 2) + 6,
    );
  }

  selectBank(): boolean {
    // One bank.
    return false;
  }
}

const DATA_FLAT = 0xc093;
const CODE_64 = 0xa09b;
const CODE_32 = 0xc09b;

/** RAM, state and an interpreter in 64-bit mode or in flat 32-bit protected mode. */
export function flatMachine({
  ramSize = 0x100_0000,
  width = 64 as 32 | 64,
  compiler = undefined as CompilerChoice | undefined,
  checkCompiler = false,
} = {}) {
  const memory = new LinearMemory(ramSize);
  const state = createProcessorState(memory);
  const system = new IdentityMemory(memory);
  const breakpoints = new Set<bigint>();
  const hooks: EngineHooks = {
    isBreakpoint: (address) => breakpoints.has(address),
    breakpointWorld: () => 0,
    takeWatchHit: () => {
      const hit = system.watchHit;
      system.watchHit = false;
      return hit;
    },
  };
  const engine = new Interpreter(memory, system, hooks, { compiler, checkCompiler });
  system.onWrite = (physical, length) => engine.codeWritten(physical, length);
  state.rflagsSystem = 2n;
  state.cr0 = 0x8000_0011n;
  // CR4.OSFXSR: SSE is enabled.
  state.cr4 = 0x200n;
  state.efer = width === 64 ? 0x500n : 0n;
  for (const name of ['es', 'ss', 'ds', 'fs', 'gs'] as const) {
    state[`${name}Access`] = DATA_FLAT;
    state[`${name}Limit`] = 0xffff_ffff;
  }
  state.csAccess = width === 64 ? CODE_64 : CODE_32;
  state.csLimit = 0xffff_ffff;
  const load = (address: number, bytes: ArrayLike<number>) => {
    memory.u8.set(bytes, region.ram + address);
  };
  return { memory, state, system, engine, breakpoints, load };
}
