/**
 * The run loop: events at instruction boundaries in the order of SDM 3A 6.9, then the engine, then what the engine
 * leaves to TypeScript.
 */
import type { Instruction } from '../isa/instruction.js';
import { eventOfFault, EventType } from './exceptions.js';
import type { Fault } from './fault.js';
import { Vector } from './fault.js';
import { initialize, startUp } from './initialization.js';
import { layout } from './layout.js';
import type { CoreProcessor } from './processor.js';
import { Activity, Dr6, Interruptibility, is64BitMode } from './registerBits.js';
import type { ColdOutcome, Fatal, PendingEvent, Unimplemented } from './seams.js';
import { Cold, EngineExit } from './seams.js';
import type { WatchHit } from './watchpoints.js';

/** Why a run ended. */
export type RunStop =
  | { readonly kind: 'budget' }
  /** RIP is at a breakpoint, before the instruction. */
  | { readonly kind: 'breakpoint' }
  /** The instruction before RIP touched watched bytes. */
  | { readonly kind: 'watchpoint'; readonly hits: readonly WatchHit[] }
  /** `stopRequested` was set. */
  | { readonly kind: 'stopRequested' }
  /** The `onException` hook asked to stop; the exception is not delivered. */
  | { readonly kind: 'exception'; readonly fault: Fault; readonly rip: bigint }
  /** PAUSE: the machine's other processors may go on. */
  | { readonly kind: 'yield' }
  /** HLT, and nothing is pending: time may jump to `clock.nextEvent`. */
  | { readonly kind: 'idle' }
  | Unimplemented
  | Fatal;

export interface RunResult {
  readonly stop: RunStop;
  /**
   * How far the position moved: retired instructions, iterations of repeated string instructions, and delivered faults
   * (which count so that time passes even when a handler faults for ever).
   */
  readonly retired: number;
}

/** How the run begins. */
export interface RunOptions {
  /** A breakpoint at the current RIP does not stop the run. */
  readonly overBreakpoint?: boolean;
  /** The `onException` hook is not asked about the first exception at the current RIP: it has been. */
  readonly overException?: boolean;
}

const SHADOW = Interruptibility.STI | Interruptibility.MOV_SS;
const RFLAGS_TF = 1 << 8;
const RFLAGS_IF = 1 << 9;
const RFLAGS_RF = 1 << 16;

/** Runs a processor until `budget` is used up or something stops it. */
export function runProcessor(processor: CoreProcessor, budget: number, options: RunOptions = {}): RunResult {
  const run = new Run(processor, budget, options);
  const stop = run.run();
  return { stop, retired: processor.position - run.startPosition };
}

class Run {
  readonly startPosition: number;
  private readonly end: number;
  private readonly words: Int32Array;
  /** RIP at which a breakpoint, or the exception hook, is passed over once. */
  private breakpointPassed: bigint | undefined;
  private exceptionPassed: bigint | undefined;

  constructor(
    private readonly processor: CoreProcessor,
    budget: number,
    options: RunOptions,
  ) {
    this.words = processor.memory.i32;
    this.startPosition = processor.position;
    this.end = this.startPosition + budget;
    this.breakpointPassed = options.overBreakpoint ? processor.state.rip : undefined;
    this.exceptionPassed = options.overException ? processor.state.rip : undefined;
  }

  run(): RunStop {
    for (;;) {
      const stop = this.stopAtBoundary() ?? this.heldTrap() ?? this.boundaryEvents() ?? this.runEngine();
      if (stop !== undefined && stop !== 'again') return stop;
    }
  }

  /** Stops that the previous instruction or an observer asked for, then the budget. */
  private stopAtBoundary(): RunStop | undefined {
    const { processor } = this;
    if (processor.watchpoints.hit) return { kind: 'watchpoint', hits: processor.watchpoints.take() };
    if (processor.stopRequested) {
      processor.stopRequested = false;
      return { kind: 'stopRequested' };
    }
    if (processor.virtualization.aborted) return processor.virtualization.aborted;
    if (processor.position >= this.end) return { kind: 'budget' };
    if (processor.yields) {
      processor.yields = false;
      return { kind: 'yield' };
    }
    return undefined;
  }

  // -------------------------------------------------------------- events between instructions

  /** 'again': something was delivered; look at the boundary anew. */
  private boundaryEvents(): RunStop | 'again' | undefined {
    const { processor } = this;
    const { clock, virtualization } = processor;
    if (clock.nextEvent <= clock.now) clock.fireDue();
    const injected = virtualization.inGuest ? virtualization.takeInjectedEvent() : undefined;
    if (injected) return this.afterDelivery(processor.deliver(injected));

    return (
      this.initialized() ??
      this.preempted() ??
      this.nonMaskable() ??
      this.maskable() ??
      this.idleUnlessActive()
    );
  }

  /** INIT and STARTUP messages (SDM 3A 9.4.4; in VMX operation 3C 24.8 and 26.2). */
  private initialized(): 'again' | undefined {
    const { processor } = this;
    const { apic, state, virtualization } = processor;
    const waits = state.activity === Activity.WAIT_FOR_SIPI;
    if (apic.initPending) {
      if (virtualization.inGuest) return !waits && this.intercepts('init') ? 'again' : undefined;
      // INIT is blocked in VMX root operation.
      if (state.vmxOperation === 0) {
        initialize(processor);
        return 'again';
      }
    }
    if (apic.startupVector < 0) return undefined;
    if (waits && virtualization.inGuest) return this.intercepts('startup') ? 'again' : undefined;
    // A processor that does not wait for it ignores it.
    if (waits) startUp(processor, apic.startupVector);
    apic.startupVector = -1;
    return waits ? 'again' : undefined;
  }

  /** What virtualization itself has planned for the guest comes before NMIs (SDM 3C 26.5.1). */
  private preempted(): 'again' | undefined {
    const { virtualization, clock } = this.processor;
    const due = virtualization.inGuest && virtualization.deadline <= clock.now;
    return due && this.intercepts('preemptionTimer') ? 'again' : undefined;
  }

  /** In the guest virtualization is asked first, window before event: its controls say what blocking means. */
  private nonMaskable(): RunStop | 'again' | undefined {
    const { apic, virtualization } = this.processor;
    if (virtualization.inGuest && this.intercepts('nmiWindow')) return 'again';
    if (!apic.nmiPending) return undefined;
    if (virtualization.inGuest && this.intercepts('nmi')) return 'again';
    if (this.blockedBy(SHADOW | Interruptibility.NMI)) return undefined;
    apic.nmiPending = false;
    return this.deliverInterrupt(Vector.NMI, EventType.NMI);
  }

  private maskable(): RunStop | 'again' | undefined {
    const { apic, virtualization } = this.processor;
    if (virtualization.inGuest) {
      if (this.intercepts('interruptWindow')) return 'again';
      const vector = virtualization.takeVirtualInterrupt();
      if (vector >= 0) return this.deliverInterrupt(vector, EventType.EXTERNAL);
    }
    if (apic.pendingVector() < 0) return undefined;
    if (virtualization.inGuest && this.intercepts('externalInterrupt')) return 'again';
    const enabled = (this.field(layout.rflagsSystem) & RFLAGS_IF) !== 0;
    const awake = this.field(layout.activity) <= Activity.HLT;
    if (!enabled || !awake || this.blockedBy(SHADOW)) return undefined;
    return this.deliverInterrupt(apic.acknowledge(), EventType.EXTERNAL);
  }

  private blockedBy(bits: number): boolean {
    return (this.field(layout.interruptibility) & bits) !== 0;
  }

  /** A trap that the hook stopped for: the instruction before it is done, so it cannot come again by itself. */
  private heldTrap(): RunStop | 'again' | undefined {
    const trap = this.processor.heldTrap;
    this.processor.heldTrap = undefined;
    return trap && this.raise(trap, 0);
  }

  private intercepts(kind: PendingEvent['kind']): boolean {
    return this.processor.virtualization.interceptPendingEvent({ kind });
  }

  private deliverInterrupt(vector: number, type: number): RunStop | 'again' {
    const event = { vector, type, errorCode: undefined, instructionLength: 0, address: 0n };
    return this.afterDelivery(this.processor.deliver(event));
  }

  private afterDelivery(outcome: ColdOutcome): RunStop | 'again' {
    if (typeof outcome !== 'string') return this.stopOf(outcome);
    this.boundaryIntercepted(0n);
    return 'again';
  }

  /** An instruction or an event of the guest is done: virtualization may exit before anything else happens. */
  private boundaryIntercepted(debugTrap: bigint): boolean {
    const { virtualization } = this.processor;
    return virtualization.inGuest && virtualization.interceptBoundary(debugTrap);
  }

  private idleUnlessActive(): RunStop | undefined {
    return this.field(layout.activity) === Activity.ACTIVE ? undefined : { kind: 'idle' };
  }

  // -------------------------------------------------------------- instructions

  private runEngine(): RunStop | 'again' | undefined {
    const { processor } = this;
    const { engine, clock, state, virtualization } = processor;
    const shadow = this.field(layout.interruptibility) & SHADOW;
    const trap = (this.field(layout.rflagsSystem) & RFLAGS_TF) !== 0;
    const { inGuest } = virtualization;
    const nextEvent = inGuest ? Math.min(clock.nextEvent, virtualization.deadline) : clock.nextEvent;
    const untilEvent = Math.max(1, Math.ceil(nextEvent - clock.now));
    const steps = shadow !== 0 || trap || (inGuest && virtualization.stepsInstructions);
    const limit = steps ? 1 : Math.min(this.end - processor.position, untilEvent);
    if (this.breakpointPassed !== undefined) {
      if (this.breakpointPassed === state.rip) engine.resumeOverBreakpoint();
      this.breakpointPassed = undefined;
    }

    const exit = engine.run(limit);
    if (engine.retired > 0) {
      processor.count(engine.retired);
      this.instructionsRetired(shadow);
      if (this.boundaryIntercepted(trap ? Dr6.BS : 0n)) return 'again';
      if (trap) return this.raise(singleStep(), 0);
    }
    switch (exit) {
      case EngineExit.COLD:
        return this.cold(engine.instruction!);
      case EngineExit.FAULT:
        processor.watchpoints.discard();
        return this.raise(engine.fault!, 0);
      case EngineExit.BREAKPOINT:
        return { kind: 'breakpoint' };
      case EngineExit.UNIMPLEMENTED:
        return { kind: 'unimplemented', what: engine.unimplemented! };
      case EngineExit.EXITED:
        processor.watchpoints.discard();
        return 'again';
      default:
        return undefined;
    }
  }

  /** The shadow of STI and MOV SS, and RF, last for one instruction. */
  private instructionsRetired(shadow: number): void {
    if (shadow !== 0) this.words[layout.interruptibility >> 2] &= ~shadow;
    this.words[layout.rflagsSystem >> 2] &= ~RFLAGS_RF;
  }

  /** The order of SDM 3C 26.1.1: faults of privilege and encoding, then VM exits, then the rest. */
  private cold(instruction: Instruction): RunStop | 'again' | undefined {
    const { processor } = this;
    const { virtualization } = processor;
    const name = instruction.row.semantics ?? instruction.row.mnemonic;
    const semantics = processor.semantics(name);
    if (!semantics) return { kind: 'unimplemented', what: instruction.row.mnemonic };
    const guestFault = virtualization.inGuest ? virtualization.faultInGuest(instruction) : undefined;
    const failure = guestFault ?? semantics.check?.(processor, instruction);
    if (failure === 'exited') return 'again';
    if (failure !== undefined) return this.raise(failure, instruction.length);
    if (virtualization.inGuest && virtualization.interceptInstruction(instruction)) return 'again';

    const shadow = this.field(layout.interruptibility) & SHADOW;
    const trap = (this.field(layout.rflagsSystem) & RFLAGS_TF) !== 0;
    const outcome = semantics.execute(processor, instruction);
    if (typeof outcome !== 'string') return this.coldFailed(outcome, instruction);
    return this.coldDone(outcome, instruction, shadow, trap);
  }

  private coldFailed(
    outcome: Fault | Unimplemented | Fatal,
    instruction: Instruction,
  ): RunStop | 'again' | undefined {
    if (outcome.kind !== 'fault') return this.stopOf(outcome);
    if (outcome.source === 'exception') this.processor.watchpoints.discard();
    return this.raise(outcome, instruction.length);
  }

  private coldDone(
    outcome: 'retired' | 'jumped' | 'repeat' | 'switched',
    instruction: Instruction,
    shadow: number,
    trap: boolean,
  ): RunStop | 'again' | undefined {
    const { processor } = this;
    const { state, virtualization } = processor;
    if (outcome === Cold.SWITCHED) {
      // VM entry is an instruction that was executed; what makes a VM exit was not.
      if (virtualization.inGuest) processor.count(1);
      else processor.watchpoints.discard();
      return 'again';
    }
    if (outcome === Cold.RETIRED) {
      const next = instruction.rip + BigInt(instruction.length);
      state.rip = BigInt.asUintN(is64BitMode(state) ? 64 : 32, next);
    }
    processor.count(1);
    this.instructionsRetired(shadow);
    // The instruction has passed its breakpoint when it goes on.
    if (outcome === Cold.REPEAT) this.breakpointPassed = state.rip;
    const traps = trap && this.trapsAfter(instruction);
    if (this.boundaryIntercepted(traps ? Dr6.BS : 0n)) return 'again';
    return traps ? this.raise(singleStep(), 0) : undefined;
  }

  /** A trap waits one instruction after MOV SS (SDM 3A 6.8.3); SYSCALL with TF in IA32_FMASK loses it. */
  private trapsAfter(instruction: Instruction): boolean {
    if ((this.field(layout.interruptibility) & Interruptibility.MOV_SS) !== 0) return false;
    const stillSet = (this.field(layout.rflagsSystem) & RFLAGS_TF) !== 0;
    return instruction.row.mnemonic !== 'syscall' || stillSet;
  }

  // -------------------------------------------------------------- exceptions

  /** Offers an exception to the debugger, then to virtualization, then delivers it. */
  private raise(fault: Fault, instructionLength: number): RunStop | 'again' {
    const { processor } = this;
    const { state, virtualization, hooks } = processor;
    const passed = this.exceptionPassed === state.rip;
    this.exceptionPassed = undefined;
    // INT n is no exception, whatever its vector.
    const isException = fault.source !== 'softwareInterrupt';
    if (!passed && isException && hooks.onException?.(fault, state.rip)) {
      processor.heldTrap = fault.vector === Vector.DB && fault.source === 'exception' ? fault : undefined;
      return { kind: 'exception', fault, rip: state.rip };
    }
    if (virtualization.inGuest && virtualization.interceptException(fault)) return 'again';
    const outcome = processor.deliver(eventOfFault(processor, fault, instructionLength));
    if (outcome === Cold.JUMPED) processor.count(1);
    return this.afterDelivery(outcome);
  }

  private stopOf(outcome: Fault | Unimplemented | Fatal): RunStop {
    if (outcome.kind === 'fault') throw new Error('delivery answered a fault');
    return outcome;
  }

  private field(offset: number): number {
    return this.words[offset >> 2];
  }
}

/** The trap of RFLAGS.TF: #DB with DR6.BS (SDM 3B 18.3.1.4). */
const singleStep = (): Fault => ({
  kind: 'fault',
  vector: Vector.DB,
  errorCode: undefined,
  address: Dr6.BS,
  source: 'exception',
});
