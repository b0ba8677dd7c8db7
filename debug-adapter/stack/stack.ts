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

/** Stacks are made when asked for and kept until the machine goes on. */
export class Stacks {
  private readonly frames = new Map<number, Frame>();
  private readonly stacks = new Map<number, readonly Frame[]>();
  private threadList: readonly DebugThread[] | undefined;
  private lastId = 0;
  /** By thread the ids of its frames before a value was changed, innermost first. */
  private readonly earlierIds = new Map<number, readonly number[]>();
  private reusedIds: number[] = [];

  constructor(private readonly debuggee: Debuggee) {}

  /** The machine moves: frames and their ids are void. */
  invalidate(): void {
    this.frames.clear();
    this.stacks.clear();
    this.earlierIds.clear();
    this.threadList = undefined;
  }

  /** The user changed a value: frames are made anew, with the ids that the client goes on to use. */
  refresh(): void {
    const ids = [...this.stacks].map(([threadId, frames]) => [threadId, frames.map(({ id }) => id)] as const);
    this.invalidate();
    for (const [threadId, ofThread] of ids) this.earlierIds.set(threadId, ofThread);
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
    for (const [threadId, ids] of this.earlierIds) if (ids.includes(id)) this.of(threadId);
    return this.frames.get(id);
  }

  /** Innermost first; empty for a thread that does not exist. */
  of(threadId: number): readonly Frame[] {
    let stack = this.stacks.get(threadId);
    if (!stack) {
      const thread = this.threads.find(({ id }) => id === threadId);
      this.reusedIds = [...(this.earlierIds.get(threadId) ?? [])];
      stack = thread ? this.build(thread) : [];
      this.reusedIds = [];
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

  private readonly nextId = (): number => this.reusedIds.shift() ?? ++this.lastId;

  private build(thread: DebugThread): Frame[] {
    const { machine } = this.debuggee;
    if (thread.isCurrent && machine.world === 'guest') return this.guestFrames(thread, machine.currentVmcs!);
    const host = thread.isCurrent
      ? this.currentHostFrames(thread)
      : this.sleepingHostFrames(thread.hostThread!, thread.id);
    const exit = thread.vmcs === undefined ? undefined : this.debuggee.lastExits.get(thread.vmcs);
    if (!exit?.exit || thread.vmcs === undefined) return host;
    const { reason } = exit.exit;
    const name = `VM exit: ${exitReason(reason)?.title ?? `reason ${reason}`}`;
    const label: Frame = { kind: 'label', id: this.nextId(), threadId: thread.id, name };
    return [...host, label, ...this.guestFrames(thread, thread.vmcs)];
  }

  private currentHostFrames(thread: DebugThread): CodeFrame[] {
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
      this.nextId,
    );
  }

  private guestFrames(thread: DebugThread, vmcs: number): CodeFrame[] {
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
      this.nextId,
    );
  }

  /** The host stack of a thread that is not on the processor, from what its switch saved. */
  private sleepingHostFrames(thread: HostThread, threadId: number): CodeFrame[] {
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
      this.nextId,
    );
  }

  /** The function that a sleeping thread called to sleep: the outermost frame of the host's scheduler. */
  private blockedIn(thread: HostThread): string | undefined {
    const frames = this.sleepingHostFrames(thread, thread.vcpuId + 1);
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
