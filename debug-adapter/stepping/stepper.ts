/** From a step request to a plan: what Step Over, Step Into and Step Out mean where a thread stands. */
import { ExitReason } from '../../emulator/vmx/exitReasons.js';
import type { Debuggee } from '../debuggee/debuggee.js';
import type { Plan } from '../runner/plan.js';
import { runFreely } from '../runner/plan.js';
import type { CodeFrame } from '../stack/frame.js';
import type { Stacks } from '../stack/stack.js';
import { LineStep } from './lineStep.js';
import type { StepOwner } from './place.js';
import { bodyOf, exitHandler, isHypercall } from './place.js';
import { runTo, runToGuest } from './steps.js';

export type Granularity = 'line' | 'instruction';

/** A function that Step Into can be told to stop in. */
export interface StepTarget {
  readonly id: number;
  readonly label: string;
  /** Asked when it is chosen: handlers may have been reloaded since it was offered. */
  readonly address: () => bigint;
}

export class Stepper {
  constructor(
    private readonly debuggee: Debuggee,
    private readonly stacks: Stacks,
  ) {}

  next(threadId: number, granularity: Granularity): Plan {
    return this.step(threadId, granularity, false);
  }

  stepIn(threadId: number, granularity: Granularity, target?: StepTarget): Plan {
    if (!target) return this.step(threadId, granularity, true);
    const destination = { world: 'root', address: target.address(), stackAbove: 0n } as const;
    return runTo(this.debuggee, this.ownerOf(threadId), destination);
  }

  /** To the caller; out of the host's function for this exit: back into the guest, behind the instruction. */
  stepOut(threadId: number): Plan {
    const owner = this.ownerOf(threadId);
    const top = this.stacks.topOf(threadId);
    if (!top) return runFreely;
    const caller = this.callerOf(threadId, top);
    const leavesHost = top.world === 'root' && owner.vmcs !== undefined && this.guestWaits(threadId);
    if (leavesHost && (top.isGlue || this.isExitHandler(top, owner) || !caller || caller.isGlue)) {
      return runToGuest(this.debuggee, owner);
    }
    if (!caller) return runFreely;
    const destination = { world: top.world, address: caller.pc, stackAbove: top.cfa - 1n };
    return runTo(this.debuggee, owner, destination);
  }

  /** At a hypercall: the exit handler, `kvm_emulate_hypercall`, the own handler of the number. */
  targets(frame: CodeFrame): StepTarget[] {
    const owner = this.ownerOf(frame.threadId);
    const host = this.debuggee.launch.host?.debugInfo;
    if (!host || frame.world !== 'guest' || !this.isAtHypercall(frame, owner)) return [];
    const functions = [
      () => exitHandler(this.debuggee, ExitReason.VMCALL),
      () => host.functionsNamed('kvm_emulate_hypercall')[0]?.low,
      () => this.ownHandler(frame),
    ];
    return functions.flatMap((find, id) => {
      const low = find();
      const name =
        low === undefined ? undefined : this.debuggee.imageAt('root', low)?.debugInfo.functionAt(low)?.name;
      if (low === undefined || name === undefined) return [];
      return [{ id, label: name, address: () => bodyOf(this.debuggee, 'root', find() ?? low) }];
    });
  }

  private step(threadId: number, granularity: Granularity, into: boolean): Plan {
    const owner = this.ownerOf(threadId);
    const thread = this.stacks.threads.find(({ id }) => id === threadId);
    const top = this.stacks.topOf(threadId);
    if (!top || !thread) return runFreely;
    const shown = top.isGlue && granularity === 'line' ? this.stacks.guestFramesOf(threadId)[0] : undefined;
    const from = shown ?? top;
    const start = { owner, world: from.world, pc: from.pc, bits: from.bits };
    const stack = top.registers.read('rsp')?.value ?? 0n;
    const waitFor = thread.isCurrent
      ? undefined
      : { world: top.world, address: top.pc, stackAbove: stack - 1n };
    return new LineStep(this.debuggee, start, {
      into,
      granularity,
      behindExit: shown !== undefined,
      waitFor,
    });
  }

  private ownerOf(threadId: number): StepOwner {
    return { threadId, vmcs: this.stacks.threads.find(({ id }) => id === threadId)?.vmcs };
  }

  /** The frame that a code frame returns to, in the same world; inlined calls belong to the same one. */
  private callerOf(threadId: number, frame: CodeFrame): CodeFrame | undefined {
    const next = this.stacks
      .of(threadId)
      .find((other) => other.kind === 'label' || (other.world === frame.world && other.level > frame.level));
    return next?.kind === 'code' ? next : undefined;
  }

  private guestWaits(threadId: number): boolean {
    return this.stacks.guestFramesOf(threadId).length > 0;
  }

  private isExitHandler(frame: CodeFrame, owner: StepOwner): boolean {
    const reason = this.debuggee.lastExits.get(owner.vmcs!)?.exit?.reason;
    const handler = reason === undefined ? undefined : exitHandler(this.debuggee, reason);
    return handler !== undefined && frame.image?.debugInfo.functionAt(frame.lookup)?.low === handler;
  }

  private isAtHypercall(frame: CodeFrame, owner: StepOwner): boolean {
    const bytes = frame.machine.readMemory(frame.pc, VMCALL.length);
    const isVmcall = bytes !== undefined && VMCALL.every((byte, i) => bytes[i] === byte);
    const exit = owner.vmcs === undefined ? undefined : this.debuggee.lastExits.get(owner.vmcs);
    return isVmcall || (this.debuggee.machine.world === 'root' && isHypercall(exit?.exit?.reason));
  }

  private ownHandler(frame: CodeFrame): bigint | undefined {
    const nr = frame.registers.read('rax')?.value;
    return this.debuggee.ownHypercalls.find((call) => call.nr === nr)?.handler;
  }
}

const VMCALL = [0x0f, 0x01, 0xc1] as const;
