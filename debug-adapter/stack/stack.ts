/** The call stack of a thread across worlds: host frames, the label of the VM exit, guest frames. */
import { exitReason } from '../../emulator/vmx/exitReasons.js';
import { Field } from '../../emulator/vmx/fields.js';
import type { NamedRegisters } from '../../toolchain/debuginfo/expression.js';
import type { Debuggee } from '../debuggee/debuggee.js';
import type { HostThread } from '../launch/hostThreads.js';
import { currentRegisters, guestRegisters } from '../variables/registerFile.js';
import type { CodeFrame, Frame } from './frame.js';
import type { DebugThread } from './threads.js';
import { threadsOf } from './threads.js';
import { unwindWorld } from './unwind.js';

const CS_L = 1 << 13;
const EFER_LMA = 1n << 10n;

type NextId = () => number;

/** Stacks are made when asked for and kept until the machine goes on. */
export class Stacks {
  private readonly frames = new Map<number, Frame>();
  private readonly stacks = new Map<number, readonly Frame[]>();
  private threadList: readonly DebugThread[] | undefined;
  /** Ids of a thread's frames, innermost first: they stay while the machine does. */
  private readonly ids = new Map<number, number[]>();
  private lastId = 0;

  constructor(private readonly debuggee: Debuggee) {}

  /** The machine moves: frames and their ids are void. */
  invalidate(): void {
    this.frames.clear();
    this.stacks.clear();
    this.ids.clear();
    this.threadList = undefined;
  }

  /** A value was changed while the machine stands: what was shown is made anew, with the same ids. */
  refresh(): void {
    const shown = [...this.stacks.keys()];
    this.frames.clear();
    this.stacks.clear();
    this.threadList = undefined;
    for (const threadId of shown) this.of(threadId);
  }

  get threads(): readonly DebugThread[] {
    this.threadList ??= threadsOf(this.debuggee, (thread) => this.blockedIn(thread));
    return this.threadList;
  }

  /** The thread on the processor. */
  get currentThread(): DebugThread {
    return this.threads.find(({ isCurrent }) => isCurrent)!;
  }

  frame(id: number): Frame | undefined {
    return this.frames.get(id);
  }

  /** Innermost first; empty for a thread that does not exist. */
  of(threadId: number): readonly Frame[] {
    let stack = this.stacks.get(threadId);
    if (!stack) {
      const thread = this.threads.find(({ id }) => id === threadId);
      stack = thread ? this.build(thread) : [];
      for (const frame of stack) this.frames.set(frame.id, frame);
      this.stacks.set(threadId, stack);
    }
    return stack;
  }

  /** The innermost code frame of a thread. */
  topOf(threadId: number): CodeFrame | undefined {
    return this.of(threadId).find((frame): frame is CodeFrame => frame.kind === 'code');
  }

  /** The guest's frames of a thread, innermost first. */
  guestFramesOf(threadId: number): readonly CodeFrame[] {
    return this.of(threadId).filter(
      (frame): frame is CodeFrame => frame.kind === 'code' && frame.world === 'guest',
    );
  }

  /** Host frames of the thread that runs a guest, innermost first; empty while it is in the guest. */
  hostStackOf(vmcs: number): readonly CodeFrame[] {
    const thread = this.threads.find((candidate) => candidate.vmcs === vmcs);
    if (!thread) return [];
    return this.of(thread.id).filter(
      (frame): frame is CodeFrame => frame.kind === 'code' && frame.world === 'root',
    );
  }

  private idsOf(threadId: number): NextId {
    const known = this.ids.get(threadId) ?? [];
    this.ids.set(threadId, known);
    let index = 0;
    return () => (known[index++] ??= ++this.lastId);
  }

  private build(thread: DebugThread): Frame[] {
    const { machine } = this.debuggee;
    const nextId = this.idsOf(thread.id);
    if (thread.isCurrent && machine.world === 'guest') {
      return this.guestFrames(thread, machine.currentVmcs!, nextId);
    }
    const host = thread.isCurrent
      ? this.currentHostFrames(thread, nextId)
      : this.sleepingHostFrames(thread.hostThread!, thread.id, nextId);
    const exit = thread.vmcs === undefined ? undefined : this.debuggee.lastExits.get(thread.vmcs);
    if (!exit?.exit || thread.vmcs === undefined) return host;
    const { reason } = exit.exit;
    const name = `VM exit: ${exitReason(reason)?.title ?? `reason ${reason}`}`;
    const label: Frame = { kind: 'label', id: nextId(), threadId: thread.id, name };
    return [...host, label, ...this.guestFrames(thread, thread.vmcs, nextId)];
  }

  private currentHostFrames(thread: DebugThread, nextId: NextId): CodeFrame[] {
    const { machine } = this.debuggee;
    const { csAccess, efer } = machine.state;
    return unwindWorld(
      this.debuggee,
      {
        threadId: thread.id,
        world: 'root',
        vmcs: undefined,
        bits: (efer & EFER_LMA) !== 0n && csAccess & CS_L ? 64 : 32,
        translation: machine.translation,
        registers: currentRegisters(machine),
        writable: true,
      },
      nextId,
    );
  }

  private guestFrames(thread: DebugThread, vmcs: number, nextId: NextId): CodeFrame[] {
    const { machine } = this.debuggee;
    const runs = thread.isCurrent && machine.world === 'guest';
    const field = (encoding: number): bigint => machine.readVmcs(vmcs, encoding) ?? 0n;
    const efer = runs ? machine.state.efer : field(Field.guestEfer.encoding);
    const access = runs ? machine.state.csAccess : Number(field(Field.guestCsAccessRights.encoding));
    return unwindWorld(
      this.debuggee,
      {
        threadId: thread.id,
        world: 'guest',
        vmcs,
        bits: (efer & EFER_LMA) !== 0n && access & CS_L ? 64 : 32,
        translation: this.debuggee.guestTranslation(vmcs),
        registers: runs ? currentRegisters(machine) : guestRegisters(this.debuggee, vmcs),
        writable: true,
      },
      nextId,
    );
  }

  /** The host stack of a thread that is not on the processor, from what its switch saved. */
  private sleepingHostFrames(thread: HostThread, threadId: number, nextId: NextId): CodeFrame[] {
    const saved: Readonly<Record<string, bigint>> = thread.saved;
    const registers: NamedRegisters = {
      read: (name) => (name in saved ? { value: saved[name], bits: 64 } : undefined),
      write: () => false,
    };
    return unwindWorld(
      this.debuggee,
      {
        threadId,
        world: 'root',
        vmcs: undefined,
        bits: 64,
        translation: this.debuggee.rootTranslation,
        registers,
        writable: false,
      },
      nextId,
    );
  }

  /** The function that a sleeping thread called to sleep: the outermost frame of the host's scheduler. */
  private blockedIn(thread: HostThread): string | undefined {
    const frames = this.sleepingHostFrames(thread, thread.vcpuId + 1, () => 0);
    return sleepingFunction(frames)?.name;
  }
}

/** Of a sleeping thread's frames the last one in the file of the scheduler, e.g. `msleep`. */
export function sleepingFunction(frames: readonly CodeFrame[]): CodeFrame | undefined {
  const code = frames.filter(({ isGlue }) => !isGlue);
  const file = code[0]?.place?.file;
  let last = code[0];
  for (const frame of code) {
    if (frame.place?.file !== file) break;
    last = frame;
  }
  return last;
}
