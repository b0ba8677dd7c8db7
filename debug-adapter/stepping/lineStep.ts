/** Step by source line or by instruction, over or into calls and VM exits. */
import type { World } from '../../emulator/machine/machineTypes.js';
import type { WorldSwitch } from '../../emulator/machine/worldSwitch.js';
import type { LineRow } from '../../toolchain/debuginfo/debugInfo.js';
import type { Debuggee } from '../debuggee/debuggee.js';
import type { Motion, Plan } from '../runner/plan.js';
import { bodyOf, currentPc, exitHandler, isHypercall, topOfStack } from './place.js';
import type { StepOwner } from './place.js';
import type { Destination } from './steps.js';
import { isAt, isEntryOf } from './steps.js';

export interface StepStart {
  readonly owner: StepOwner;
  readonly world: World;
  /** Linear address that the step starts from. */
  readonly pc: bigint;
  readonly bits: 32 | 64;
}

export interface StepOptions {
  readonly into: boolean;
  readonly granularity: 'line' | 'instruction';
  /** The machine is in the host already, behind the VM exit of the instruction at `pc`. */
  readonly behindExit?: boolean;
  /** The thread is not on the processor: run until it is, there. */
  readonly waitFor?: Destination;
}

/** Longest x86 instruction. */
const MOST_INSTRUCTION_BYTES = 15n;

type Phase =
  | { readonly kind: 'stepping' }
  /** A call is stepped over, or run into: complete there when `final`. */
  | { readonly kind: 'running'; readonly to: Destination; readonly final: boolean }
  /** The host runs until the guest goes on. */
  | { readonly kind: 'inHost' };

export class LineStep implements Plan {
  readonly reason = 'step';
  private phase: Phase = { kind: 'stepping' };
  private readonly line: LineRow | undefined;
  private previousPc: bigint;
  private previousStack = 0n;

  constructor(
    private readonly debuggee: Debuggee,
    private readonly start: StepStart,
    private readonly options: StepOptions,
  ) {
    this.previousPc = start.pc;
    this.line = this.rowAt(start.world, start.pc);
    if (options.waitFor) this.phase = { kind: 'running', to: options.waitFor, final: false };
    if (options.behindExit) this.phase = this.afterExit();
  }

  motion(): Motion {
    if (this.phase.kind === 'stepping') {
      this.previousPc = currentPc(this.debuggee);
      this.previousStack = this.debuggee.machine.state.rsp;
      return { kind: 'step' };
    }
    if (this.phase.kind === 'inHost') return { kind: 'run' };
    return { kind: 'run', stopAt: { [this.phase.to.world]: this.phase.to.address } };
  }

  wantsSwitch(event: WorldSwitch): boolean {
    return this.phase.kind === 'inHost' && isEntryOf(this.start.owner, event);
  }

  arrived(): boolean {
    switch (this.phase.kind) {
      case 'running':
        if (!isAt(this.debuggee, this.start.owner, this.phase.to)) return false;
        if (this.phase.final) return true;
        this.phase = { kind: 'stepping' };
        return this.isComplete();
      case 'inHost':
        if (this.debuggee.machine.world !== 'guest') return false;
        this.phase = { kind: 'stepping' };
        return this.isComplete();
      case 'stepping':
        return this.afterInstruction();
    }
  }

  private afterInstruction(): boolean {
    const { world } = this.debuggee.machine;
    if (world !== this.start.world) {
      // A VM entry leads into the guest; a VM exit is stepped over or into.
      if (world === 'guest') return true;
      this.phase = this.afterExit();
      return false;
    }
    const callee = this.calledFunction();
    if (callee) {
      this.phase = callee;
      return false;
    }
    return this.isComplete();
  }

  /** The host was entered: to its handler when stepping into a hypercall, else until the guest goes on. */
  private afterExit(): Phase {
    const { owner } = this.start;
    const exit = owner.vmcs === undefined ? undefined : this.debuggee.lastExits.get(owner.vmcs)?.exit;
    if (!this.options.into || !exit || !isHypercall(exit.reason)) return { kind: 'inHost' };
    const handler = exitHandler(this.debuggee, exit.reason);
    if (handler === undefined) return { kind: 'inHost' };
    const address = bodyOf(this.debuggee, 'root', handler);
    return { kind: 'running', to: { world: 'root', address, stackAbove: 0n }, final: true };
  }

  /** After a CALL: the return address is on the stack and follows the instruction before. */
  private calledFunction(): Phase | undefined {
    const { machine } = this.debuggee;
    if (machine.state.rsp >= this.previousStack) return undefined;
    const returnAddress = topOfStack(this.debuggee, this.start.bits);
    if (returnAddress === undefined) return undefined;
    const length = returnAddress - this.previousPc;
    const pc = currentPc(this.debuggee);
    if (length <= 0n || length > MOST_INSTRUCTION_BYTES || pc === returnAddress) return undefined;
    // A PUSH of a near address is no call: the next instruction would follow.
    if (pc > this.previousPc && pc - this.previousPc <= MOST_INSTRUCTION_BYTES && pc < returnAddress)
      return undefined;
    const { world } = this.start;
    const back: Phase = {
      kind: 'running',
      to: { world, address: returnAddress, stackAbove: machine.state.rsp },
      final: false,
    };
    if (!this.options.into) return back;
    if (this.options.granularity === 'instruction') return undefined;
    if (!this.rowAt(world, pc)) return back;
    const body = bodyOf(this.debuggee, world, pc);
    if (body === pc) return undefined;
    return { kind: 'running', to: { world, address: body, stackAbove: 0n }, final: true };
  }

  /** At the beginning of another line, or anywhere for an instruction step. */
  private isComplete(): boolean {
    const pc = currentPc(this.debuggee);
    if (this.options.granularity === 'instruction') return true;
    const row = this.rowAt(this.start.world, pc);
    // Code without lines is walked through until there is a line again; a program without any stops at once.
    if (!row) return this.line === undefined;
    if (!this.line) return true;
    const sameLine = row.line === this.line.line && row.file === this.line.file;
    if (sameLine && !this.leftFunction(pc))
      return pc === this.start.pc && row.address === pc && this.isLoop();
    return this.leftFunction(pc) || (row.isStatement && row.address === pc);
  }

  /** The same line from its start again is a new round of a one-line loop: a step for C, the same line for assembly. */
  private isLoop(): boolean {
    return this.line !== undefined && !/\.(s|asm)$/i.test(this.line.file);
  }

  /** The function returned: its caller is shown in the middle of the calling line. */
  private leftFunction(pc: bigint): boolean {
    const info = this.debuggee.imageAt(this.start.world, pc)?.debugInfo;
    return info?.functionAt(pc)?.low !== info?.functionAt(this.start.pc)?.low;
  }

  private rowAt(world: World, pc: bigint): LineRow | undefined {
    return this.debuggee.imageAt(world, pc)?.debugInfo.lineAt(pc);
  }
}
