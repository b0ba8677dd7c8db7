/** The machine: processor, platform and program put together, as the debugger and the command line drive it. */
import { DebugAccess } from '../cpu/debugAccess.js';
import { readRflags, writeRflags } from '../cpu/flags.js';
import { Interpreter } from '../cpu/interpreter/interpreter.js';
import { region } from '../cpu/layout.js';
import type { CoreProcessor } from '../cpu/processor.js';
import { createProcessor } from '../cpu/processor.js';
import { Rflags } from '../cpu/registerBits.js';
import type { RunStop } from '../cpu/run.js';
import { runProcessor } from '../cpu/run.js';
import type { ProcessorState } from '../cpu/state.js';
import { LinearMemory } from '../cpu/state.js';
import { Field, fieldAccess } from '../vmx/fields.js';
import type { EntryExplanation } from '../vmx/entry/explain.js';
import { VmxOperation } from '../vmx/context.js';
import { Vmx } from '../vmx/vmx.js';
import { MOST_PROCESSORS } from '../cpu/memorySystem.js';
import { enterWaitForStartup } from './loaders/entryState.js';
import { ProcessorTurns } from './processorTurns.js';
import { loadProgram } from './loaders/load.js';
import type {
  Machine,
  MachineEnd,
  MachineObservers,
  MachineOptions,
  MachineStop,
  TranslationContext,
  Watchpoint,
  World,
} from './machineTypes.js';
import type { Platform } from './platform.js';
import { createPlatform } from './platform.js';
import type { EntryFailure, WorldSwitch } from './worldSwitch.js';

/** EPTP bits 51:12, the root of the paging structures (SDM 3C 25.6.11). */
const EPT_ROOT = 0x000f_ffff_ffff_f000n;

/** Timer jumps in one `run` that wake nobody, before it comes back: the caller stays in control. */
const MOST_IDLE_JUMPS = 10_000;

/** Makes a machine with its program loaded; throws ImageError when that cannot be. */
export function createMachine(options: MachineOptions): Machine {
  return new EmulatedMachine(options);
}

class EmulatedMachine implements Machine {
  readonly memory: LinearMemory;
  readonly observers: MachineObservers = {};
  paceIdle = false;
  ended: MachineEnd | undefined;
  private readonly platform: Platform;
  private readonly processor: CoreProcessor;
  private readonly turns: ProcessorTurns;
  private readonly debugAccess: DebugAccess;
  private readonly breakpoints: Record<World, ReadonlySet<bigint>> = { root: new Set(), guest: new Set() };
  private vmx!: Vmx;
  /** What an observer or a device asked to stop for, in the middle of a run. */
  private requested: MachineStop | undefined;
  /** The last stop was at this place: going on does not stop there again. */
  private passBreakpoint = true;
  private passException = false;

  constructor(options: MachineOptions) {
    this.memory = new LinearMemory(options.memorySize);
    const processors = options.processors ?? 1;
    if (!Number.isInteger(processors) || processors < 1 || processors > MOST_PROCESSORS)
      throw new RangeError(`${processors} processors are not 1 to ${MOST_PROCESSORS}`);
    this.platform = createPlatform(this.memory, processors, {
      serialOutput: (port, byte) => this.observers.onSerialOutput?.(port, byte),
      powerOff: () => this.request({ kind: 'ended', end: { kind: 'poweredOff' } }),
      debugExit: (status) => this.request({ kind: 'ended', end: { kind: 'debugExit', status } }),
    });
    this.processor = this.createProcessor(options);
    this.debugAccess = new DebugAccess(
      this.memory,
      this.processor.state,
      this.platform.bus,
      this.processor.virtualization,
      (physical, length) => this.processor.engine.codeWritten(physical, length),
      (eptPointer, guestPhysical) => this.vmx.probeThrough(Number(eptPointer & EPT_ROOT), guestPhysical),
    );
    this.turns = new ProcessorTurns(this.memory, this.processor, this.platform);
    for (let number = 1; number < processors; number++) {
      this.turns.select(number);
      enterWaitForStartup(this.processor);
    }
    this.turns.select(0);
    loadProgram(this.memory, this.processor.state, options);
    this.processor.stateReplaced(0);
  }

  private createProcessor({ compiler, checkCompiler }: MachineOptions): CoreProcessor {
    const { observers } = this;
    const worldSwitched = (event: WorldSwitch): void => {
      if (observers.onWorldSwitch?.(event)) this.request({ kind: 'worldSwitch', event });
    };
    const entryFailed = (failure: EntryFailure): void => {
      if (observers.onEntryFailure?.(failure)) this.request({ kind: 'entryFailure', failure });
    };
    const processor = createProcessor({
      memory: this.memory,
      bus: this.platform.bus,
      clock: this.platform.clock,
      apic: this.platform.apics[0],
      processorCount: this.platform.apics.length,
      createEngine: (memory, _state, system, hooks) =>
        new Interpreter(memory, system, hooks, { compiler, checkCompiler }),
      createVirtualization: (parts) => {
        // Getters: an observer that is not there must cost nothing, and may come and go.
        this.vmx = new Vmx(parts, {
          get onWorldSwitch() {
            return observers.onWorldSwitch && worldSwitched;
          },
          get onEntryFailure() {
            return observers.onEntryFailure && entryFailed;
          },
          get onVmcsAccess() {
            return observers.onVmcsAccess;
          },
        });
        return this.vmx;
      },
      hooks: {
        isBreakpoint: (address) => this.breakpoints[this.world].has(address),
        breakpointWorld: () => (this.world === 'guest' ? 1 : 0),
        onException: (fault, rip) => observers.onException?.(this.world, fault, rip) ?? false,
      },
    });
    this.platform.clock.attach(processor.engine);
    return processor;
  }

  private request(stop: MachineStop): void {
    this.requested ??= stop;
    this.processor.stopRequested = true;
  }

  // -------------------------------------------------------------- state

  get state(): ProcessorState {
    return this.processor.state;
  }

  get rflags(): bigint {
    return readRflags(this.state);
  }

  set rflags(value: bigint) {
    writeRflags(this.state, value);
  }

  contextChanged(): void {
    this.processor.flushAllTlbs();
    this.processor.contextChanged();
  }

  get world(): World {
    return this.vmx.inGuest ? 'guest' : 'root';
  }

  get processorCount(): number {
    return this.turns.count;
  }

  get currentProcessor(): number {
    return this.turns.current;
  }

  selectProcessor(number: number): void {
    if (number < 0 || number >= this.turns.count) throw new RangeError(`there is no processor ${number}`);
    this.turns.select(number);
  }

  get currentVmcs(): number | undefined {
    return this.vmx.currentVmcs;
  }

  get position(): number {
    return this.processor.position;
  }

  get virtualNs(): number {
    return this.platform.clock.now;
  }

  // -------------------------------------------------------------- running

  run(budget: number): MachineStop {
    return this.runUntil(budget, this.passBreakpoint, this.passException);
  }

  step(): MachineStop {
    const stop = this.runUntil(1, true, this.passException);
    this.passBreakpoint = true;
    return stop;
  }

  skipIdle(untilNs: number): void {
    this.platform.clock.jumpTo(Math.min(untilNs, this.nextEvent));
  }

  private runUntil(budget: number, overBreakpoint: boolean, overException: boolean): MachineStop {
    if (this.ended) return { kind: 'ended', end: this.ended };
    let left = budget;
    let options = { overBreakpoint, overException };
    for (let jumps = 0; jumps < MOST_IDLE_JUMPS; jumps++) {
      const { stop, retired } = runProcessor(this.processor, this.turns.grant(left), options);
      left -= retired;
      if (retired > 0) this.turns.ran();
      if (this.processor.processorCount > 1 && this.turnIsOver(stop, left)) {
        options = { overBreakpoint: false, overException: false };
        continue;
      }
      const answer = this.answerTo(stop);
      if (answer) return this.remember(answer);
      if (left <= 0) break;
      options = { overBreakpoint: false, overException: false };
    }
    return this.remember({ kind: 'budget' });
  }

  /** Another processor goes on; nobody hears of it. */
  private turnIsOver(stop: RunStop, left: number): boolean {
    if (stop.kind === 'yield') this.turns.yield();
    else if (stop.kind === 'idle') return this.turns.passOn();
    else if (stop.kind !== 'budget') return false;
    return left > 0;
  }

  /** undefined: the machine was idle, time has jumped, and it goes on. */
  private answerTo(stop: RunStop): MachineStop | undefined {
    switch (stop.kind) {
      case 'stopRequested':
        return this.takeRequest();
      case 'yield':
        return { kind: 'budget' };
      case 'idle':
        return this.idle();
      case 'breakpoint': {
        const linear = BigInt.asUintN(64, this.state.csBase + this.state.rip);
        return { kind: 'breakpoint', world: this.world, address: linear };
      }
      case 'exception':
        return { ...stop, world: this.world };
      case 'unimplemented':
        return { kind: 'ended', end: { kind: 'unimplemented', what: stop.what, rip: this.state.rip } };
      case 'fatal':
        return { kind: 'ended', end: { kind: stop.reason, detail: stop.detail } };
      default:
        return stop;
    }
  }

  private takeRequest(): MachineStop {
    const requested = this.requested;
    this.requested = undefined;
    return requested ?? { kind: 'budget' };
  }

  private idle(): MachineStop | undefined {
    const { clock } = this.platform;
    const { nextEvent } = this;
    if (nextEvent === Infinity || !this.canWake) return { kind: 'ended', end: { kind: 'halted' } };
    if (this.paceIdle) return { kind: 'idle', untilNs: nextEvent };
    clock.jumpTo(nextEvent);
    return undefined;
  }

  /** The earliest thing that a timer does to the processor: a device's, or in the guest the VMX-preemption timer. */
  private get nextEvent(): number {
    const { clock } = this.platform;
    return this.vmx.inGuest ? Math.min(clock.nextEvent, this.vmx.deadline) : clock.nextEvent;
  }

  /** A timer's interrupt ends HLT only when it is taken, on one of the processors; in a guest its host may take it. */
  private get canWake(): boolean {
    return this.turns.some(
      ({ vmxOperation, rflagsSystem }) =>
        vmxOperation === VmxOperation.NON_ROOT || (rflagsSystem & Number(Rflags.IF)) !== 0,
    );
  }

  private remember(stop: MachineStop): MachineStop {
    this.passBreakpoint = stop.kind !== 'budget' && stop.kind !== 'idle';
    this.passException = stop.kind === 'exception';
    if (stop.kind === 'ended') this.ended = stop.end;
    return stop;
  }

  // -------------------------------------------------------------- breakpoints

  setBreakpoints(world: World, addresses: ReadonlySet<bigint>): void {
    this.breakpoints[world] = addresses;
    this.processor.engine.breakpointsChanged();
  }

  setWatchpoints(watchpoints: readonly Watchpoint[]): void {
    this.processor.setWatchpoints(watchpoints);
  }

  // -------------------------------------------------------------- memory

  get translation(): TranslationContext {
    const { cr0, cr3, cr4, efer } = this.state;
    return { cr0, cr3, cr4, efer, eptPointer: this.eptPointer };
  }

  private get eptPointer(): bigint | undefined {
    const { currentVmcs } = this;
    if (!this.processor.virtualization.nestedPaging || currentVmcs === undefined) return undefined;
    return this.readVmcs(currentVmcs, Field.eptPointer.encoding);
  }

  readLinear(address: bigint, length: number, context?: TranslationContext): Uint8Array {
    return this.debugAccess.read(address, length, context);
  }

  writeLinear(address: bigint, bytes: Uint8Array, context?: TranslationContext): number {
    return this.debugAccess.write(address, bytes, context);
  }

  readPhysical(address: number, length: number): Uint8Array {
    const end = Math.min(address + length, this.memory.ramSize);
    return this.memory.u8.slice(region.ram + address, region.ram + Math.max(address, end));
  }

  writePhysical(address: number, bytes: Uint8Array): void {
    if (address < 0 || address + bytes.length > this.memory.ramSize) {
      throw new RangeError(`no RAM at 0x${address.toString(16)}, ${bytes.length} bytes`);
    }
    this.memory.u8.set(bytes, region.ram + address);
    this.processor.engine.codeWritten(address, bytes.length);
  }

  // -------------------------------------------------------------- VMCS

  readVmcs(vmcs: number, encoding: number): bigint | undefined {
    const access = fieldAccess(encoding);
    if (!access) return undefined;
    const value = this.vmx.vmcsAt(vmcs)?.read(access.field);
    return value !== undefined && access.high ? value >> 32n : value;
  }

  writeVmcs(vmcs: number, encoding: number, value: bigint): boolean {
    const access = fieldAccess(encoding);
    const target = this.vmx.vmcsAt(vmcs);
    if (!access || access.high || !target) return false;
    target.write(access.field, value);
    return true;
  }

  explainEntry(vmcs: number): EntryExplanation | undefined {
    return this.vmx.explainEntry(vmcs);
  }
}
