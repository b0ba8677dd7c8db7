/** One processor, put together from its parts. What the parts do stands in their own files. */
import type { ColdTable } from './cold/semantics.js';
import { coldInstructions } from './cold/index.js';
import { deliverEvent } from './exceptions.js';
import type { Fault } from './fault.js';
import { highHalf, lowHalf, PagedLinearAccess } from './linearAccess.js';
import { PagedMemory } from './memorySystem.js';
import { MsrTable } from './msr.js';
import type {
  Bus,
  Clock,
  ColdOutcome,
  ColdSemantics,
  Engine,
  EngineHooks,
  InjectedEvent,
  InterruptController,
  MemorySystem,
  MsrRow,
  Processor,
  Virtualization,
} from './seams.js';
import type { LinearMemory, ProcessorState } from './state.js';
import { createProcessorState } from './state.js';
import type { Watchpoint } from './watchpoints.js';
import { Watchpoints } from './watchpoints.js';

/** A kind of virtualization: its side of the seam, its instructions by semantics name, its MSRs. */
export interface VirtualizationUnit extends Virtualization {
  readonly instructions: ColdTable;
  readonly msrs: readonly MsrRow[];
}

/** Makes the execution engine. */
export type EngineFactory = (
  memory: LinearMemory,
  state: ProcessorState,
  system: MemorySystem,
  hooks: EngineHooks,
) => Engine;

/** What the debugger asks of the processor; an absent hook costs nothing. */
export interface ProcessorHooks {
  /** Is there a breakpoint at this linear address in the current world? */
  isBreakpoint?: (linearAddress: bigint) => boolean;
  /** A number that differs between worlds with different breakpoints. */
  breakpointWorld?: () => number;
  /** An exception is about to be delivered, or to make a VM exit. True: the run stops first. */
  onException?: (fault: Fault, rip: bigint) => boolean;
}

export interface ProcessorOptions {
  readonly memory: LinearMemory;
  readonly bus: Bus;
  readonly apic: InterruptController;
  readonly processorCount?: number;
  readonly clock: Clock;
  readonly createEngine: EngineFactory;
  /** Given the processor, of which only `memory` and `state` are there yet. */
  readonly createVirtualization: (processor: Processor) => VirtualizationUnit;
  readonly hooks: ProcessorHooks;
}

/** The processor with what the run loop and the machine need beyond the seam. */
export class CoreProcessor implements Processor {
  readonly memory: LinearMemory;
  readonly state: ProcessorState;
  readonly bus: Bus;
  apic: InterruptController;
  readonly processorCount: number;
  readonly clock: Clock;
  readonly hooks: ProcessorHooks;
  readonly watchpoints = new Watchpoints();
  readonly virtualization: Virtualization;
  readonly system: PagedMemory;
  readonly linear: PagedLinearAccess;
  readonly engine: Engine;
  readonly msrs: MsrTable;
  /** Set by observers in the middle of a run: it stops at the next instruction boundary. */
  stopRequested = false;
  /** Set by `yieldTurn`: the run ends at the next instruction boundary. */
  yields = false;
  /** A debug trap that the exception hook stopped for and that is still to be delivered. */
  heldTrap: Fault | undefined;
  private readonly cold: ReadonlyMap<string, ColdSemantics>;
  private counted = 0;

  constructor(options: ProcessorOptions) {
    this.memory = options.memory;
    this.bus = options.bus;
    this.apic = options.apic;
    this.processorCount = options.processorCount ?? 1;
    this.clock = options.clock;
    this.hooks = options.hooks;
    this.state = createProcessorState(options.memory);
    this.msrs = new MsrTable(this);
    const virtualization = options.createVirtualization(this);
    this.virtualization = virtualization;
    this.msrs.register(virtualization.msrs);
    this.cold = new Map(Object.entries({ ...coldInstructions, ...virtualization.instructions }));
    this.system = new PagedMemory(this);
    this.linear = new PagedLinearAccess(this.memory, this.system);
    this.engine = options.createEngine(this.memory, this.state, this.system, {
      isBreakpoint: (address) => this.hooks.isBreakpoint?.(address) ?? false,
      breakpointWorld: () => this.hooks.breakpointWorld?.() ?? 0,
      takeWatchHit: () => this.watchpoints.hit,
    });
    this.system.selectBank();
  }

  get position(): number {
    return this.counted + this.engine.retiredNow;
  }

  /** Accounts for instructions that `engine.run` or the run loop has retired. */
  count(instructions: number): void {
    this.counted += instructions;
    this.clock.advance(instructions);
  }

  yieldTurn(): void {
    this.yields = this.processorCount > 1;
  }

  /** Its state was exchanged for that of another processor of the same machine, whose local APIC this is. */
  become(apic: InterruptController): void {
    this.apic = apic;
    this.yields = false;
    this.system.processorNumber = apic.id;
    this.virtualization.stateReplaced();
    // Each processor has translations of its own, and what is cached by RIP belongs to those.
    this.system.selectBank();
  }

  /** Meaning of a cold instruction, by semantics name. */
  semantics(name: string): ColdSemantics | undefined {
    return this.cold.get(name);
  }

  contextChanged(): void {
    // Banks keep their translations while others are selected, and the jump cache has a generation for each.
    if (this.system.selectBank()) this.engine.flushJumpCache();
  }

  flushTlb(): void {
    this.system.tlb.flush();
    this.engine.flushJumpCache();
  }

  flushAllTlbs(): void {
    this.system.tlb.flushAll();
    this.engine.flushJumpCache();
  }

  flushTlbPage(linear: bigint): void {
    this.system.tlb.flushPage(lowHalf(linear), highHalf(linear));
    this.engine.flushJumpCache();
  }

  deliver(event: InjectedEvent): ColdOutcome {
    return deliverEvent(this, event);
  }

  /** Replaces all watchpoints. */
  setWatchpoints(watchpoints: readonly Watchpoint[]): void {
    this.watchpoints.replace(watchpoints);
    this.flushAllTlbs();
  }

  /** The state, or RAM, was replaced from outside (reset, loader, snapshot): everything derived from it is void. */
  stateReplaced(position = this.counted): void {
    this.counted = position;
    this.heldTrap = undefined;
    this.stopRequested = false;
    this.watchpoints.discard();
    this.virtualization.stateReplaced();
    this.system.codeReplaced();
    this.flushAllTlbs();
    this.contextChanged();
  }
}

export const createProcessor = (options: ProcessorOptions): CoreProcessor => new CoreProcessor(options);
