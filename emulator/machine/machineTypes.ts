/** The machine as the debugger, the command line and the tests use it. */
import type { Fault } from '../cpu/fault.js';
import type { LinearMemory, ProcessorState } from '../cpu/state.js';
import type { EntryExplanation } from '../vmx/entry/explain.js';
import type { EntryFailure, VmcsAccess, WorldSwitch } from './worldSwitch.js';

/** Root: the host (or a bare-metal program). Guest: VMX non-root operation. */
export type World = 'root' | 'guest';

export interface MachineOptions {
  /** Bytes of RAM; a multiple of 64 KiB. */
  readonly memorySize: number;
  /** Processors, 1 to 8; default 1. They take turns, a fixed number of instructions each. */
  readonly processors?: number;
  /** What is loaded at reset. */
  readonly image: Uint8Array;
  readonly imageName: string;
  /**
   * How a program without a multiboot header is entered: 64-bit with identity paging, or flat 32-bit protected mode.
   * A multiboot program is entered as multiboot says. Default: what the ELF class says.
   */
  readonly mode?: 'long' | 'protected';
  readonly commandLine?: string;
  readonly modules?: readonly { readonly name: string; readonly bytes: Uint8Array }[];
  /** Whether hot code is compiled; default: off. */
  readonly compiler?: 'off' | 'on';
  /**
   * Compiled code is run by the interpreter too, and compared; `run` throws CompilerMismatch at a difference. Compiles
   * early, and is slow.
   */
  readonly checkCompiler?: boolean;
}

/** Why `run` came back. */
export type MachineStop =
  | { readonly kind: 'budget' }
  /** RIP is at a breakpoint, before the instruction. */
  | { readonly kind: 'breakpoint'; readonly world: World; readonly address: bigint }
  /** The instruction before RIP touched watched bytes. */
  | { readonly kind: 'watchpoint'; readonly hits: readonly WatchHit[] }
  /** An observer of world switches asked to stop: the switch is done, RIP is in the new world. */
  | { readonly kind: 'worldSwitch'; readonly event: WorldSwitch }
  /** An observer of exceptions asked to stop: RIP is at the faulting instruction, the exception is not delivered yet. */
  | { readonly kind: 'exception'; readonly world: World; readonly fault: Fault; readonly rip: bigint }
  /** A VM entry was refused by a check; RIP is where the processor went on (VMfail: behind the instruction). */
  | { readonly kind: 'entryFailure'; readonly failure: EntryFailure }
  /** Nothing to do until this virtual time, and `paceIdle` is set: call `skipIdle` when the time has come. */
  | { readonly kind: 'idle'; readonly untilNs: number }
  | { readonly kind: 'ended'; readonly end: MachineEnd };

/** The machine stops for good (until reset). */
export type MachineEnd =
  /** A value was written to port 0xf4: status is (value << 1) | 1, cut to 8 bits. */
  | { readonly kind: 'debugExit'; readonly status: number }
  /** The program switched the machine off (ACPI S5). */
  | { readonly kind: 'poweredOff' }
  /** HLT with nothing that could ever wake the processor. */
  | { readonly kind: 'halted' }
  | { readonly kind: 'tripleFault'; readonly detail: string }
  | { readonly kind: 'vmxAbort'; readonly detail: string }
  /** The manual has it, the machine does not. */
  | { readonly kind: 'unimplemented'; readonly what: string; readonly rip: bigint };

export interface WatchHit {
  readonly id: number;
  /** Linear address and size of the access that touched the watched bytes. */
  readonly address: bigint;
  readonly size: number;
  readonly access: 'read' | 'write';
}

export interface Watchpoint {
  readonly id: number;
  readonly address: bigint;
  readonly length: number;
  readonly access: 'read' | 'write' | 'readWrite';
}

/** Observers cost nothing where there is none. Answering true stops the machine at that place. */
export interface MachineObservers {
  onWorldSwitch?: (event: WorldSwitch) => boolean;
  onException?: (world: World, fault: Fault, rip: bigint) => boolean;
  onEntryFailure?: (failure: EntryFailure) => boolean;
  /** VMREAD or VMWRITE accessed a field. */
  onVmcsAccess?: (access: VmcsAccess) => void;
  /** A byte left a serial port: 0 is COM1 (the console), 1 is COM2 (the host's log). */
  onSerialOutput?: (port: number, byte: number) => void;
}

/** Page tables to translate through, for reads in a world that is not the current one. */
export interface TranslationContext {
  readonly cr0: bigint;
  readonly cr3: bigint;
  readonly cr4: bigint;
  readonly efer: bigint;
  /** EPT pointer, or undefined when guest-physical is physical. */
  readonly eptPointer: bigint | undefined;
}

export interface Machine {
  readonly memory: LinearMemory;
  /** The processor's registers. Segment, control and MSR fields included; RFLAGS through `rflags`. */
  readonly state: ProcessorState;
  rflags: bigint;
  /** To be called after a change to control or segment registers or IA32_EFER: cached translations and code are void. */
  contextChanged(): void;
  readonly world: World;
  readonly processorCount: number;
  /** Number of the processor whose registers `state` shows: the one that runs. */
  readonly currentProcessor: number;
  /** Shows another processor: `state`, `world` and memory by linear address are that one's; it goes on first. */
  selectProcessor(number: number): void;
  /** Physical address of the current VMCS, or undefined. In the guest world: the running guest's. */
  readonly currentVmcs: number | undefined;
  /** Retired instructions since reset: the position. */
  readonly position: number;
  /** Virtual nanoseconds since reset. */
  readonly virtualNs: number;
  readonly ended: MachineEnd | undefined;
  readonly observers: MachineObservers;
  /** True: `run` answers 'idle' instead of jumping to the next timer. */
  paceIdle: boolean;

  /** Runs at most `budget` instructions. A breakpoint at the starting RIP is stepped over. */
  run(budget: number): MachineStop;
  /** One instruction, whatever breakpoints there are; 'budget' is the normal answer. */
  step(): MachineStop;
  /** Jumps an idle machine's time forward, to at most this virtual time. */
  skipIdle(untilNs: number): void;

  /** Replaces all breakpoints of a world. Linear addresses. */
  setBreakpoints(world: World, addresses: ReadonlySet<bigint>): void;
  /** Replaces all watchpoints. They apply in both worlds to the linear address. */
  setWatchpoints(watchpoints: readonly Watchpoint[]): void;

  /** Current translation context of the world that is running. */
  readonly translation: TranslationContext;
  /** Side-effect-free read; bytes that are not mapped or are a device's end the answer early (maybe empty). */
  readLinear(address: bigint, length: number, context?: TranslationContext): Uint8Array;
  /** Writes RAM; answers how many bytes were written before an unmapped one. */
  writeLinear(address: bigint, bytes: Uint8Array, context?: TranslationContext): number;
  readPhysical(address: number, length: number): Uint8Array;
  writePhysical(address: number, bytes: Uint8Array): void;

  /** Value of a VMCS field by encoding, of any VMCS; undefined when the field or the VMCS is not there. */
  readVmcs(vmcs: number, encoding: number): bigint | undefined;
  /** Writes a field as VMWRITE would, read-only fields included; false when it cannot be. */
  writeVmcs(vmcs: number, encoding: number, value: bigint): boolean;
  /** Every rule that a VM entry with this VMCS would violate now; undefined where there is no VMCS. */
  explainEntry(vmcs: number): EntryExplanation | undefined;
}
