/** The interpreter: predecoded blocks run by generated code, everything unusual decided here. */
import type { Instruction } from '../../isa/instruction.js';
import type { Fault } from '../fault.js';
import { boundRange, divideError, generalProtection, stackFault, Vector } from '../fault.js';
import { createDispatcher } from '../compiler/dispatcher.js';
import { LONGEST_CHECK, RegionCheck } from '../compiler/regionCheck.js';
import { RegionCompiler } from '../compiler/regionCompiler.js';
import { regionRecord } from '../compiler/regionLayout.js';
import type { TieringLimits } from '../compiler/tiering.js';
import { CHECK_LIMITS, Tiering } from '../compiler/tiering.js';
import { layout } from '../layout.js';
import type { Engine, EngineHooks, MemorySystem } from '../seams.js';
import { Access, EngineExit, FillResult } from '../seams.js';
import type { LinearMemory } from '../state.js';
import type { CodeLocation } from './blockBuilding.js';
import type { Block, CodeContext } from './blocks.js';
import { BlockBuilding } from './blockBuilding.js';
import { Blocks } from './blocks.js';
import { LONG_MODE_KEY, modeKey, modeOfKey, segmentAllows } from './codeMode.js';
import { ShapeResult } from './functionEmitter.js';
import { ExitCode, field, Handler } from './record.js';
import { JumpCache } from './jumpCache.js';
import type { HostFunctions } from './shapeTable.js';
import { ShapeTable } from './shapeTable.js';
import { isInstruction } from '../../isa/decoder.js';

export type CompilerChoice = 'off' | 'on' | TieringLimits;

/** How an engine executes. */
export interface EngineOptions {
  /** Whether hot code is compiled, or what counts as hot. */
  readonly compiler?: CompilerChoice;
  /** Everything that compiled code does the interpreter does too; a difference throws CompilerMismatch. */
  readonly checkCompiler?: boolean;
}

/** No record: look RIP up. */
const NONE = 0;
/** Compiled code comes back after so many instructions: V8 replaces its baseline code only on the next call. */
const LONGEST_RUN = 1_000_000;
const SS = 2;
const MAX_STEPPED = 4096;

export class Interpreter implements Engine {
  retired = 0;
  instruction: Instruction | undefined;
  fault: Fault | undefined;
  unimplemented: string | undefined;

  private readonly shapes: ShapeTable;
  private readonly blocks: Blocks;
  private readonly tiering: Tiering | undefined;
  private readonly check: RegionCheck | undefined;
  /** The interpreter repeats what a region did: no regions. */
  private alone = false;
  /** What `context` was chosen for. */
  private mode = -1;
  private codeBase = -1;
  private world = -1;
  private context!: CodeContext;
  private tlbBank = -1;
  private readonly jumpCache: JumpCache;
  private running = false;
  private granted = 0;
  private left = 0;
  private returnRequested = false;
  private skipBreakpoint = false;
  /** Physical addresses that were single-stepped without a block. */
  private readonly steppedAt = new Set<number>();
  private segmentFault: Fault | undefined;

  constructor(
    private readonly memory: LinearMemory,
    private readonly system: MemorySystem,
    private readonly hooks: EngineHooks,
    { checkCompiler = false, compiler = checkCompiler ? CHECK_LIMITS : 'on' }: EngineOptions = {},
  ) {
    const regions = new WebAssembly.Table({ element: 'anyfunc', initial: 256 });
    const host: HostFunctions = {
      checkSegment: (base, offset, size, access) => this.checkSegment(base, offset, size, access),
      prepare: (low, high, size, access) => system.prepare(low, high, size, access),
      commit: () => system.commit(),
      runRegions: createDispatcher(memory.wasm, regions),
    };
    this.shapes = new ShapeTable(memory.wasm, host, checkCompiler);
    if (checkCompiler) {
      this.check = new RegionCheck(memory, regions, (record, count) => this.interpretAlone(record, count));
    }
    this.blocks = new Blocks(memory, this.shapes, system, hooks, () => this.tiering?.flush());
    if (compiler !== 'off') {
      this.tiering = new Tiering(
        this.blocks,
        new RegionCompiler(memory, this.blocks, regions, this.shapes.helpers, checkCompiler),
        compiler === 'on' ? undefined : compiler,
      );
    }
    this.jumpCache = new JumpCache(memory);
  }

  get retiredNow(): number {
    return this.running ? this.granted - this.left : 0;
  }

  requestReturn(): void {
    this.returnRequested = true;
  }

  codeWritten(physicalAddress: number, length: number): void {
    if (this.blocks.drop(physicalAddress, length)) this.flushJumpCache();
  }

  flushJumpCache(): void {
    this.jumpCache.flush();
  }

  breakpointsChanged(): void {
    this.blocks.flush();
    this.flushJumpCache();
  }

  resumeOverBreakpoint(): void {
    this.skipBreakpoint = true;
  }

  run(budget: number): EngineExit {
    this.instruction = undefined;
    this.fault = undefined;
    this.unimplemented = undefined;
    this.returnRequested = false;
    this.granted = budget;
    this.left = budget;
    this.running = true;
    this.selectContext();
    const exit = this.execute();
    this.running = false;
    this.retired = budget - this.left;
    return exit;
  }

  decodeCurrent(): Instruction | undefined {
    this.fault = undefined;
    this.selectContext();
    const location = this.locate();
    if (!location) {
      this.unfetchable();
      return undefined;
    }
    const decoded = new BlockBuilding(this.memory, location, () => this.blocks.secondPage(location)).next(
      true,
    );
    this.fault = decoded === 'unfetchable' ? this.system.fault : undefined;
    return isInstruction(decoded) ? decoded : undefined;
  }

  // -------------------------------------------------------------- finding code

  private selectContext(): void {
    const mode = modeKey(this.memory);
    const codeBase = mode === LONG_MODE_KEY ? 0 : this.memory.u32[layout.csBase >> 2];
    const world = this.hooks.breakpointWorld();
    const bank = this.memory.u32[layout.tlbBank >> 2];
    const same = mode === this.mode && codeBase === this.codeBase && world === this.world;
    if (same && bank === this.tlbBank) return;
    this.mode = mode;
    this.codeBase = codeBase;
    this.world = world;
    this.tlbBank = bank;
    const codeKey = `${mode} ${codeBase} ${world}`;
    this.context = this.blocks.context(codeKey, () => ({ mode: modeOfKey(mode), codeBase }));
    // What is cached by RIP holds for one translation context at one privilege, which the TLB bank tells.
    this.jumpCache.select(`${codeKey} ${bank}`);
  }

  /** Where the code at RIP lies; undefined when it cannot be fetched. */
  private locate(): CodeLocation | undefined {
    const { context, memory, system } = this;
    const { u32, i32 } = memory;
    const ripLow = i32[layout.rip >> 2];
    const ripHigh = i32[(layout.rip >> 2) + 1];
    const wide = context.mode.width === 64;
    if (!wide && (ripHigh !== 0 || ripLow >>> 0 > u32[layout.csLimit >> 2])) {
      // Outside 64-bit mode RIP is an offset that the limit of CS bounds (SDM 3A 5.3).
      this.fault = generalProtection();
      return undefined;
    }
    const linearLow = (ripLow + context.codeBase) | 0;
    const linearHigh = wide ? ripHigh : 0;
    const physical = system.fetch(linearLow, linearHigh);
    return physical < 0 ? undefined : { context, ripLow, ripHigh, linearLow, linearHigh, physical };
  }

  /** The block at RIP, built when it is new. */
  private block(): Block | undefined {
    const location = this.locate();
    if (!location) return undefined;
    const known = this.blocks.find(location);
    if (known && (known.secondPage < 0 || this.blocks.secondPage(location) === known.secondPage))
      return known;
    const generation = this.blocks.generation;
    const block = this.blocks.build(location);
    if (this.blocks.generation !== generation) this.flushJumpCache();
    return block;
  }

  private unfetchable(): EngineExit {
    if (this.fault) return EngineExit.FAULT;
    if (this.system.exited) return EngineExit.EXITED;
    this.fault = this.system.fault;
    return EngineExit.FAULT;
  }

  // -------------------------------------------------------------- running

  private execute(): EngineExit {
    if (this.skipBreakpoint) {
      this.skipBreakpoint = false;
      const exit = this.stepOverBreakpoint();
      if (exit !== undefined) return exit;
    }
    return this.executeFrom(NONE);
  }

  /** Executes the instruction at a breakpoint; all iterations of a repeated one. undefined: go on. */
  private stepOverBreakpoint(): EngineExit | undefined {
    const rip = this.memory.u64[layout.rip >> 3];
    for (;;) {
      const location = this.locate();
      const record = location && this.blocks.buildStep(location);
      if (record === undefined) return this.unfetchable();
      const rest = this.left - 1;
      this.left = 1;
      const exit = this.executeFrom(record);
      this.left += rest;
      // Looked at only when nothing was raised: decoding forgets the fault.
      if (exit !== EngineExit.BUDGET || this.left === 0 || this.returnRequested) return exit;
      if (this.memory.u64[layout.rip >> 3] !== rip || !this.isRepeated()) return undefined;
    }
  }

  private isRepeated(): boolean {
    return (this.decodeCurrent()?.repeat ?? 'none') !== 'none';
  }

  private executeFrom(first: number): EngineExit {
    const { blocks, memory } = this;
    const { u8, u32 } = memory;
    let record = first;
    for (;;) {
      if (this.left === 0) return EngineExit.BUDGET;
      if (record === NONE) {
        record = this.recordAtRip();
        if (record === NONE) return this.unfetchable();
      }
      if (u8[record + field.remaining] > this.left) record = blocks.truncate(record, this.left);
      this.runRecord(record);
      record = u32[layout.exitRecord >> 2];
      switch (u32[layout.exitCode >> 2]) {
        case ExitCode.BUDGET:
          break;
        case ExitCode.STOP:
          record = NONE;
          break;
        case ExitCode.LOOKUP:
          // What is next is nobody's business before an event between the two.
          if (this.left === 0) return EngineExit.BUDGET;
          record = this.entered();
          if (record === NONE) return this.unfetchable();
          break;
        case ExitCode.LINK: {
          const generation = blocks.generation;
          const block = this.block();
          if (!block) return this.unfetchable();
          block.isTarget = true;
          if (blocks.generation === generation) blocks.resolveLink(record, block);
          record = block.record;
          break;
        }
        case ExitCode.MISS: {
          const exit = this.miss(record);
          if (exit !== undefined) return exit;
          record = this.next;
          break;
        }
        case ExitCode.EVENT:
          return this.event(record);
        case ExitCode.REGION:
          record = this.checkRegion(record);
          break;
        default:
          return this.refused();
      }
    }
  }

  /** Checks the region at a record; answers where to go on. */
  private checkRegion(record: number): number {
    const { left } = this;
    const plain = this.memory.u32[(record + regionRecord.plain) >> 2];
    if (this.alone || !this.check) return plain;
    const retired = this.check.run(record, left);
    this.left = left - retired;
    return retired === 0 ? plain : NONE;
  }

  /** Interprets exactly so many instructions; answers what came in between, or undefined. */
  private interpretAlone(record: number, count: number): string | undefined {
    this.alone = true;
    this.left = count;
    const exit = this.executeFrom(record);
    this.alone = false;
    if (exit === EngineExit.BUDGET && this.left === 0) return undefined;
    return `${count} instructions were retired, interpreted ${count - this.left} (exit ${exit})`;
  }

  /** Runs generated code from a record. */
  private runRecord(record: number): void {
    const { blocks, memory, tiering } = this;
    blocks.redirectDropped();
    if (!this.alone) this.check?.forgetWrites();
    const granted = Math.min(this.left, this.check ? LONGEST_CHECK : LONGEST_RUN);
    const chunk = tiering ? Math.min(granted, tiering.chunk) : granted;
    memory.i32[layout.reserve >> 2] = granted - chunk;
    this.shapes.run(record, chunk);
    const rest = memory.i32[layout.budget >> 2];
    this.left -= granted - rest - memory.i32[layout.reserve >> 2];
    // Only where a block is about to begin its record may become a region's.
    const atBlock = memory.u32[layout.exitCode >> 2] === ExitCode.BUDGET;
    tiering?.interpreted(chunk - rest, atBlock ? memory.u32[layout.exitRecord >> 2] : NONE);
  }

  /** The record of the instruction at RIP, NONE when it cannot be fetched. */
  private recordAtRip(): number {
    if (this.left === 1) {
      const step = this.stepRecord();
      if (step !== undefined) return step;
    }
    return this.block()?.record ?? NONE;
  }

  /** The record of the block at RIP, which control has come to by RIP. */
  private entered(): number {
    const block = this.block();
    if (!block) return NONE;
    block.isTarget = true;
    block.isEntered = true;
    this.jumpCache.remember(block.record, block.start);
    return block.record;
  }

  /** Single steps through new code do not leave blocks behind; where they come again, a block is built. */
  private stepRecord(): number | undefined {
    const location = this.locate();
    if (!location || this.blocks.find(location) || this.atBreakpoint(location)) return undefined;
    if (this.steppedAt.has(location.physical)) return undefined;
    if (this.steppedAt.size === MAX_STEPPED) this.steppedAt.clear();
    this.steppedAt.add(location.physical);
    return this.blocks.buildStep(location);
  }

  private atBreakpoint(location: CodeLocation): boolean {
    return this.hooks.isBreakpoint(
      BigInt.asUintN(64, (BigInt(location.linearHigh) << 32n) | BigInt(location.linearLow >>> 0)),
    );
  }

  /** Where `miss` goes on. */
  private next = NONE;

  /** An access found no tag: fill the TLB and execute again, or execute carefully. */
  private miss(record: number): EngineExit | undefined {
    const { i32 } = this.memory;
    const low = i32[layout.accessAddress >> 2];
    const high = i32[(layout.accessAddress >> 2) + 1];
    const info = i32[layout.accessInfo >> 2];
    const crosses = (low & 0xfff) + (info >>> 8) > 4096;
    const result = crosses ? FillResult.CAREFUL : this.system.fill(low, high, info & 0xff);
    switch (result) {
      case FillResult.FILLED:
        this.next = record;
        return undefined;
      case FillResult.CAREFUL:
        return this.careful(record);
      default:
        return this.unfetchable();
    }
  }

  private careful(record: number): EngineExit | undefined {
    const { blocks } = this;
    const shape = this.memory.u16[(record + field.shape) >> 1];
    const generation = blocks.generation;
    const result = this.shapes.carefulFunction(shape)(record);
    if (result === ShapeResult.LEFT) return this.refused();
    this.left -= 1;
    this.next = blocks.generation !== generation ? NONE : this.followed(result);
    if (this.hooks.takeWatchHit()) return EngineExit.WATCHPOINT;
    return this.returnRequested ? EngineExit.BUDGET : undefined;
  }

  /** The record that a careful function answered; one that only names a RIP sets it. */
  private followed(result: number): number {
    const { u16, u64 } = this.memory;
    if (result === ShapeResult.INDIRECT) return NONE;
    if (u16[(result + field.handler) >> 1] !== Handler.FAR) return result;
    u64[layout.rip >> 3] = u64[(result + field.immediate) >> 3];
    return NONE;
  }

  /** The instruction at RIP raised an exception itself, or was refused memory. */
  private refused(): EngineExit {
    const { u32 } = this.memory;
    if (u32[layout.exitCode >> 2] === ExitCode.RAISE) {
      this.fault = raised(u32[layout.accessInfo >> 2]);
      return EngineExit.FAULT;
    }
    if (this.segmentFault) {
      this.fault = this.segmentFault;
      this.segmentFault = undefined;
      return EngineExit.FAULT;
    }
    return this.unfetchable();
  }

  private event(record: number): EngineExit {
    const event = this.blocks.events.get(record);
    if (!event) throw new Error(`record ${record.toString(16)} leaves without a reason`);
    switch (event.kind) {
      case 'cold':
        this.instruction = event.instruction;
        return EngineExit.COLD;
      case 'fault':
        this.fault = event.fault;
        return EngineExit.FAULT;
      case 'unimplemented':
        this.unimplemented = event.name;
        return EngineExit.UNIMPLEMENTED;
      case 'breakpoint':
        return EngineExit.BREAKPOINT;
    }
  }

  private checkSegment(base: number, offset: number, size: number, access: number): number {
    const segment = (base - layout.esBase) >> 3;
    const write = (access & Access.WRITE) !== 0;
    if (segmentAllows(this.memory, segment, offset, size, write)) return 1;
    this.segmentFault = segment === SS ? stackFault() : generalProtection();
    return 0;
  }
}

function raised(vector: number): Fault {
  switch (vector) {
    case Vector.DE:
      return divideError();
    case Vector.BR:
      return boundRange();
    default:
      return generalProtection();
  }
}
