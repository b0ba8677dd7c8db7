/**
 * The seams inside the processor, as types: the execution engine (hot: WebAssembly), the memory system, the cold
 * instructions (TypeScript) and virtualization know each other only through these.
 */
import type { Instruction } from '../isa/instruction.js';
import type { Fault } from './fault.js';
import type { LinearMemory, ProcessorState } from './state.js';

/**
 * Kinds of memory access, as bits: what TLB tags, EPT and watchpoints distinguish. STACK: through SS, so that a
 * non-canonical address is #SS(0) instead of #GP(0). SUPERVISOR: an implicit supervisor-mode access (SDM 3A 4.6).
 */
export const Access = { READ: 1, WRITE: 2, EXECUTE: 4, STACK: 8, SUPERVISOR: 16 } as const;

// ---------------------------------------------------------------- memory

/** What a TLB miss came to. */
export const FillResult = {
  /** The tag for this access is in the TLB now: try again. */
  FILLED: 0,
  /** Mapped, but the fast path must not make this access (MMIO, watched page, code page, page crossing). */
  CAREFUL: 1,
  /** `fault` of the memory system says why not. */
  FAULT: 2,
  /** The access caused a VM exit (EPT violation or misconfiguration), which has been made: RIP is the host's. */
  EXITED: 3,
} as const;
export type FillResult = (typeof FillResult)[keyof typeof FillResult];

/** Linear memory as the executing program sees it, at the current CPL. Linear addresses come as two int32 halves. */
export interface MemorySystem {
  /** Set when `fill` answers FAULT or `prepare` answers 0 with `exited` false. */
  readonly fault: Fault | undefined;
  /** `prepare` answered 0 because the access made a VM exit. */
  readonly exited: boolean;

  /** Walks the page tables (and EPT) for one byte's page, sets accessed and dirty bits, fills the current TLB bank. */
  fill(addressLow: number, addressHigh: number, access: number): FillResult;

  /**
   * Makes an access of `size` bytes possible whatever lies there, all checks done: answers an offset in the linear
   * memory that holds the operand (in RAM, or a copy in the scratch region), or 0. `access` may be READ|WRITE. After
   * the operand was stored to, `commit` must follow.
   */
  prepare(addressLow: number, addressHigh: number, size: number, access: number): number;
  /** Carries a prepared write out to where the copy came from: the other page, the device. */
  commit(): void;

  /** Physical address of the instruction byte at a linear address, or -1 with `fault`/`exited` set. */
  fetch(addressLow: number, addressHigh: number): number;

  /** From now on writes to this physical page are withheld from the fast path and reported to the engine. */
  protectCode(physicalPage: number): void;
  /**
   * Selects the TLB bank for the current CPL and translation context. True: the bank's translations were voided or were
   * another context's, so that what is cached by linear address under this bank is void too.
   */
  selectBank(): boolean;
}

// ---------------------------------------------------------------- execution engine

/** Why the engine came back. */
export const EngineExit = {
  /** The budget is used up; RIP is the next instruction. */
  BUDGET: 0,
  /** A cold instruction is next: `instruction`, not executed; RIP is at it. */
  COLD: 1,
  /** `fault` was raised by the instruction at RIP; nothing of it happened. */
  FAULT: 2,
  /** A memory access of the instruction at RIP made a VM exit; RIP is the host's already. */
  EXITED: 3,
  /** RIP is at a breakpoint; the instruction is not executed. */
  BREAKPOINT: 4,
  /** An instruction that touched a watched address has just completed. */
  WATCHPOINT: 5,
  /** The next bytes are no instruction that the machine knows although the manual has it: `unimplemented` names it. */
  UNIMPLEMENTED: 6,
} as const;
export type EngineExit = (typeof EngineExit)[keyof typeof EngineExit];

/** Runs instructions from RIP. The interpreter is the first; the compiler joins behind the same interface. */
export interface Engine {
  /** At least until `budget` (>0) instructions are retired, exactly: never more. */
  run(budget: number): EngineExit;
  /** Instructions retired by the last `run`. */
  readonly retired: number;
  /** Retired so far by a `run` in progress, exact while the memory system is called; 0 outside `run`: keeps time exact. */
  readonly retiredNow: number;
  /** Makes a `run` in progress return BUDGET at the next instruction boundary: a device access changed what is due. */
  requestReturn(): void;
  readonly instruction: Instruction | undefined;
  readonly fault: Fault | undefined;
  readonly unimplemented: string | undefined;

  /** Bytes of a code page change now; drop what was predecoded from them. Physical address and length. */
  codeWritten(physicalAddress: number, length: number): void;
  /** Linear mappings, the mode or CPL changed: jump cache and links by linear address are void. */
  flushJumpCache(): void;
  /** Breakpoints changed: `isBreakpoint` of the hooks is asked again. */
  breakpointsChanged(): void;
  /** Skip the breakpoint at the current RIP once: the next `run` starts by executing it. */
  resumeOverBreakpoint(): void;
  /** Decodes the instruction at the current RIP without executing it; undefined with `fault` set when it cannot be. */
  decodeCurrent(): Instruction | undefined;
}

/** What the engine asks of its surroundings while it decodes. */
export interface EngineHooks {
  /** Is there a breakpoint at this linear address in the current world? Asked when blocks are built. */
  isBreakpoint(linearAddress: bigint): boolean;
  /** A number that differs between worlds with different breakpoints: part of the key of decoded blocks. */
  breakpointWorld(): number;
  /** Did the instruction that just ran carefully touch a watched address? Reading resets it. */
  takeWatchHit(): boolean;
}

// ---------------------------------------------------------------- cold instructions

/** What a cold instruction came to. RIP moves behind the instruction only on RETIRED. */
export const Cold = {
  RETIRED: 'retired',
  /** The instruction set RIP itself (IRET, SYSCALL, far transfers). */
  JUMPED: 'jumped',
  /** An iteration of a repeated string instruction is done, and there are more; RIP stays. */
  REPEAT: 'repeat',
  /** A VM exit (or a VM entry) was made; RIP belongs to the other world. */
  SWITCHED: 'switched',
} as const;
export type ColdOutcome = (typeof Cold)[keyof typeof Cold] | Fault | Unimplemented | Fatal;

/** The manual has it, this machine does not: the run stops and says so. */
export interface Unimplemented {
  readonly kind: 'unimplemented';
  readonly what: string;
}
/** The processor cannot go on: shutdown after a triple fault, VMX abort. */
export interface Fatal {
  readonly kind: 'fatal';
  readonly reason: 'tripleFault' | 'vmxAbort';
  readonly detail: string;
}

/**
 * One cold instruction. The order is the manual's (SDM 3C 26.1.1): `check` finds the faults that come before a VM exit
 * (#UD, privilege; reading the I/O permission bitmap may itself exit), then virtualization may intercept, then
 * `execute`.
 */
export interface ColdSemantics {
  readonly check?: (processor: Processor, instruction: Instruction) => Fault | 'exited' | undefined;
  readonly execute: (processor: Processor, instruction: Instruction) => ColdOutcome;
}

// ---------------------------------------------------------------- virtualization

/** What the guest's paging structures say of a page, as the qualification of an EPT violation reports it (SDM 3C table 28-7). */
export const PageAttribute = { USER: 1, WRITABLE: 2, EXECUTE_DISABLE: 4 } as const;

/** Why a guest-physical address has no translation: the EPT walk made a VM exit, or #VE is to be raised. */
export const Translation = { EXITED: -1, VIRTUALIZATION_EXCEPTION: -2 } as const;

/** The linear access that needs a guest-physical address. */
export interface GuestAccess {
  readonly linear: bigint;
  /** The address is that of a guest paging-structure entry, not of the operand. */
  readonly pageWalk: boolean;
  /** Bits of `PageAttribute` for the operand's page. */
  readonly attributes: number;
}

/** What the vendor-neutral core asks of VMX (later of SVM). */
export interface Virtualization {
  /** The processor is in VMX non-root operation. */
  readonly inGuest: boolean;
  /** Makes the VM exit that this instruction causes unconditionally or by a control; true when it did. */
  interceptInstruction(instruction: Instruction): boolean;
  /**
   * A fault that the controls give an instruction, ahead of any VM exit and of `check`'s privilege faults: #UD of RDTSCP
   * that is not enabled for the guest (SDM 3C 26.3).
   */
  faultInGuest(instruction: Instruction): Fault | undefined;
  /** Makes the VM exit that every task switch causes in the guest; true when it did (SDM 3C 26.4.2). */
  interceptTaskSwitch(
    selector: number,
    source: 'call' | 'iret' | 'jump' | 'taskGate',
    instructionLength: number,
  ): boolean;
  /** Set when a VM exit ended in a VMX abort: the processor is in shutdown and the run ends with this. */
  readonly aborted: Fatal | undefined;
  /** Processor state and memory were replaced from outside (reset, snapshot): what was derived from them is void. */
  stateReplaced(): void;
  /** Makes the VM exit for an exception about to be delivered; true when it did. */
  interceptException(fault: Fault): boolean;
  /** The same for a double fault that becomes a triple fault. */
  interceptTripleFault(): boolean;
  /**
   * An external interrupt, NMI or INIT is pending at this instruction boundary, or it is asked whether a window is open;
   * true when it caused an exit. In the guest this is asked whatever RFLAGS.IF and blocking are: the controls decide.
   */
  interceptPendingEvent(event: PendingEvent): boolean;
  /** A virtual interrupt that is to be delivered now takes place: its vector, or -1 when there is none. */
  takeVirtualInterrupt(): number;
  /** The guest's task priority where it is virtualized; undefined: it is the APIC's. */
  readTaskPriority(): number | undefined;
  /** Writes the virtual task priority; false where it is the APIC's. */
  writeTaskPriority(value: number): boolean;
  /** The value of a virtualized MSR; undefined: RDMSR operates as usual. */
  readMsr(index: number): bigint | undefined;
  /** Writes a virtualized MSR: 'written', or a fault; undefined: WRMSR operates as usual. */
  writeMsr(index: number, value: bigint): 'written' | Fault | undefined;
  /** Number of the physical page whose accesses are virtualized, or -1. */
  readonly apicAccessPage: number;
  /**
   * An access to that page, in bytes of one register or not: the physical address to access instead, or -1 when it made
   * a VM exit. A write is followed by `apicWritten`.
   */
  accessApicPage(offset: number, size: number, access: number): number;
  /** The write at this offset is made. */
  apicWritten(offset: number): void;
  /** The guest is to be stopped after every instruction (the monitor trap flag, SDM 3C 26.5.2). */
  readonly stepsInstructions: boolean;
  /**
   * An instruction or the delivery of an event was completed in the guest: does what a write of a virtual APIC register
   * asks for, and makes that VM exit or the one of the monitor trap flag; true when it made one. `debugTrap`: bits of DR6 for the debug trap that would come next.
   */
  interceptBoundary(debugTrap: bigint): boolean;
  /** Virtual time at which the guest is to be interrupted by virtualization itself, or Infinity. */
  readonly deadline: number;
  /** Events injected by VM entry, and those that VM entry makes pending, are delivered through this. */
  takeInjectedEvent(): InjectedEvent | undefined;
  /** Delivery of an event began or ended: exits meanwhile record IDT-vectoring information. */
  beginDelivery(event: InjectedEvent): void;
  endDelivery(): void;
  /** EPT is on: guest-physical addresses need `translate`. */
  readonly nestedPaging: boolean;
  /** Identifies the address space for TLB tagging: VPID, EPTP. */
  readonly translationContext: number;
  /**
   * Host-physical address of a guest-physical one, or one of `Translation`. `how` goes into the exit
   * qualification; undefined for accesses without a linear address.
   */
  translate(guestPhysical: number, access: number, how: GuestAccess | undefined): number;
  /** The same without side effects, for the debugger: -1 where nothing is mapped. */
  probe(guestPhysical: number): number;
  /** What MOV from CR0 or CR4 and SMSW see: the read shadow under the guest/host mask (SDM 3C 26.3). */
  viewControlRegister(register: 0 | 4, value: bigint): bigint;
  /**
   * What a write of CR0 or CR4 that does not exit stores: bits that the host owns keep their value (SDM 3C 26.3).
   * undefined when a bit that VMX operation fixes is violated (SDM 3C 24.8), which is #GP(0).
   */
  admitControlRegister(register: 0 | 4, value: bigint): bigint | undefined;
}

export interface PendingEvent {
  readonly kind:
    'preemptionTimer' | 'externalInterrupt' | 'nmi' | 'init' | 'startup' | 'interruptWindow' | 'nmiWindow';
}

/** An event on its way through the IDT: the parts of the VM-entry interruption information (SDM 3C 25.8.3). */
export interface InjectedEvent {
  readonly vector: number;
  /** Interruption type, SDM 3C table 25-17: 0 external, 2 NMI, 3 hardware exception, 4, 5, 6 software. */
  readonly type: number;
  readonly errorCode: number | undefined;
  readonly instructionLength: number;
  /** For #PF and #DB: CR2 or DR6 value. */
  readonly address: bigint;
}

// ---------------------------------------------------------------- devices and time

/** Port and memory-mapped devices, by physical address. Sizes are 1, 2, 4 or 8 bytes; values unsigned. */
export interface Bus {
  readPort(port: number, size: number): number;
  writePort(port: number, size: number, value: number): void;
  /** Is this physical page MMIO or unbacked (not RAM)? */
  isDevice(physicalPage: number): boolean;
  readDevice(physicalAddress: number, size: number): bigint;
  writeDevice(physicalAddress: number, size: number, value: bigint): void;
}

/** The local APIC as the processor sees it. */
export interface InterruptController {
  /** Local APIC ID: the processor's number. */
  readonly id: number;
  /** Highest-priority deliverable vector, or -1. */
  pendingVector(): number;
  /** Moves that vector to in-service; answers it. */
  acknowledge(): number;
  /** Ends the service of the highest vector, as a write of the EOI register does. */
  endOfInterrupt(): void;
  nmiPending: boolean;
  /** An INIT message waits for an instruction boundary. */
  initPending: boolean;
  /** Vector of a STARTUP message, or -1. */
  startupVector: number;
  readonly tpr: number;
  setTpr(value: number): void;
  /** APIC base MSR writes. */
  setBase(value: bigint): void;
  /** INIT state of the registers; the base address and mode stay (SDM 3A 11.4.7.3). */
  reset(): void;
  /** RDMSR of 800H-8FFH; undefined: #GP(0). */
  readX2apic(msr: number): bigint | undefined;
  /** WRMSR of 800H-8FFH; false: #GP(0). */
  writeX2apic(msr: number, value: bigint): boolean;
  /** IA32_TSC_DEADLINE, in TSC units; the TSC is virtual time + `tscAdjust`. */
  readonly tscDeadline: bigint;
  setTscDeadline(tsc: bigint, tscAdjust: bigint): void;
  /** IA32_TSC_ADJUST changed. */
  tscMoved(tscAdjust: bigint): void;
}

/**
 * Virtual time: one retired instruction is one nanosecond; an idle machine jumps. The run loop bounds each
 * `engine.run` by `nextEvent - now`, calls `advance` with what was retired, and `fireDue` when an event is due, so that
 * timers fire at exact positions however the run is sliced. `rescheduled` is called by devices whose next event moved.
 */
export interface Clock {
  /** Virtual nanoseconds since reset, below 2^53; exact also while an instruction accesses a device. */
  readonly now: number;
  /** Virtual time of the earliest device event, or Infinity. */
  readonly nextEvent: number;
  advance(instructions: number): void;
  fireDue(): void;
}

// ---------------------------------------------------------------- model-specific registers

/** The model-specific registers, SDM volume 4. */
export interface ModelSpecificRegisters {
  /** Value of an MSR, or #GP(0). The caller has checked the privilege level. */
  read(index: number): bigint | Fault;
  /** Writes an MSR; #GP(0) for an unknown or read-only one, a reserved bit or a non-canonical address. */
  write(index: number, value: bigint): Fault | undefined;
  /** Adds MSRs (those of VMX, of paravirtual devices). */
  register(rows: readonly MsrRow[]): void;
}

/** One row of the MSR table. */
export interface MsrRow {
  readonly index: number;
  /** The manual's name, as `IA32_LSTAR`. */
  readonly name: string;
  readonly read: (processor: Processor) => bigint | Fault;
  /** undefined: read-only, writes are #GP(0). */
  readonly write?: (processor: Processor, value: bigint) => Fault | undefined;
}

// ---------------------------------------------------------------- the processor

/** The parts of one processor, as its instructions see them. */
export interface Processor {
  readonly memory: LinearMemory;
  readonly state: ProcessorState;
  readonly system: MemorySystem;
  readonly linear: LinearAccess;
  readonly engine: Engine;
  readonly virtualization: Virtualization;
  readonly bus: Bus;
  readonly apic: InterruptController;
  readonly clock: Clock;
  readonly msrs: ModelSpecificRegisters;
  /** How many processors the machine has. */
  readonly processorCount: number;
  /** This processor waits for another (PAUSE): the others may go on first. */
  yieldTurn(): void;
  /** Retired instructions since reset; so does each iteration of a repeated string instruction. Exact at any time. */
  readonly position: number;
  /** A mode, mapping or CPL change: reselects the TLB bank and voids what was cached by linear address. */
  contextChanged(): void;
  /** Voids all TLB entries of the current context (MOV to CR3, INVEPT, ...). */
  flushTlb(): void;
  /** Voids all TLB entries of every context. */
  flushAllTlbs(): void;
  /** Voids the entries of one linear page (INVLPG). */
  flushTlbPage(linear: bigint): void;
  /** Delivers an event through the IDT; a fault inside delivery escalates as SDM 3A 6.15 says. */
  deliver(event: InjectedEvent): ColdOutcome;
}

/**
 * Memory by linear address for TypeScript: cold instructions and event delivery. `supervisor` overrides the CPL
 * (descriptor table accesses are implicit supervisor accesses). A failed access answers a Fault, or 'exited' when it
 * made a VM exit. `stack`: a non-canonical address is #SS(0) instead of #GP(0).
 */
export interface LinearAccess {
  read(linear: bigint, size: 1 | 2 | 4 | 8, supervisor?: boolean, stack?: boolean): bigint | Fault | 'exited';
  write(
    linear: bigint,
    size: 1 | 2 | 4 | 8,
    value: bigint,
    supervisor?: boolean,
    stack?: boolean,
  ): undefined | Fault | 'exited';
}
