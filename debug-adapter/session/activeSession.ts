/** A launched program under the debugger: the parts, and what happens when the machine stops or ends. */
import type { MachineEnd } from '../../emulator/machine/machineTypes.js';
import { Breakpoints } from '../breakpoints/breakpoints.js';
import type { HitContext, StopCause } from '../breakpoints/types.js';
import { Debuggee } from '../debuggee/debuggee.js';
import { codeSpaceOfFrame } from '../disassembly/codeSpace.js';
import { CodeGenerations } from '../disassembly/generations.js';
import { instructionReference } from '../disassembly/instructionReference.js';
import { exitStatus, explainEnd } from '../explain/ends.js';
import { ThreadState } from '../launch/hostContract.js';
import type { PreparedLaunch } from '../launch/prepareLaunch.js';
import { SerialConsole } from '../output/console.js';
import type { Plan } from '../runner/plan.js';
import { runFreely } from '../runner/plan.js';
import { Runner } from '../runner/runner.js';
import { Sources } from '../sources/sources.js';
import type { CodeFrame } from '../stack/frame.js';
import { Stacks } from '../stack/stack.js';
import { Stepper } from '../stepping/stepper.js';
import type { StepTarget } from '../stepping/stepper.js';
import { runToEntry } from '../stepping/steps.js';
import { hitContextIn } from '../variables/evaluate.js';
import { VariableStore } from '../variables/store.js';
import { ViewState } from '../views/viewState.js';
import { Activity } from './activity.js';
import type { SessionServices } from './services.js';
import { RequestError } from './requestError.js';
import type { Outbox } from './requests.js';
import { isBehindExit } from './stackTrace.js';

export class ActiveSession {
  readonly debuggee: Debuggee;
  readonly stacks: Stacks;
  readonly breakpoints: Breakpoints;
  readonly runner: Runner;
  readonly stepper: Stepper;
  readonly store = new VariableStore();
  readonly sources: Sources;
  readonly generations = new CodeGenerations();
  readonly views: ViewState;
  /** Targets offered by the last stepInTargets request, by id. */
  stepTargets: readonly StepTarget[] = [];
  lastCause: StopCause | undefined;
  private readonly console: SerialConsole;
  private readonly activity: Activity;
  private readonly stopWaiters: (() => void)[] = [];
  private closed = false;

  constructor(
    launch: PreparedLaunch,
    readonly services: SessionServices,
    readonly outbox: Outbox,
    /** Breakpoints of the session that is restarted. */
    before?: Breakpoints,
  ) {
    this.debuggee = new Debuggee(launch, services.installFolder);
    this.stacks = new Stacks(this.debuggee);
    this.stepper = new Stepper(this.debuggee, this.stacks);
    this.breakpoints = new Breakpoints(this.debuggee, {
      onChanged: (breakpoints) => {
        for (const breakpoint of breakpoints) outbox.event('breakpoint', { reason: 'changed', breakpoint });
      },
      onOutput: (output) => outbox.event('output', { category: 'console', output }),
    });
    if (before) this.breakpoints.adopt(before);
    this.sources = new Sources(this.debuggee, (path) => services.platform.readFileSync(path) !== undefined);
    this.views = new ViewState();
    this.console = new SerialConsole((body) => outbox.event('output', body));
    this.debuggee.machine.observers.onSerialOutput = this.console.write;
    this.debuggee.machine.paceIdle = launch.arguments.time !== 'fast';
    this.activity = new Activity(this.debuggee, this.stacks, services.pacing, outbox);
    this.runner = new Runner(this.debuggee, this.breakpoints, services.pacing, () => this.hitContext(), {
      stopped: (cause) => this.stopped(cause),
      ended: (end) => this.ended(end),
      progressed: () => this.activity.progressed(),
    });
  }

  // -------------------------------------------------------------- moving

  /** After the client's configuration is complete. */
  start(): void {
    const { arguments: args, host } = this.debuggee.launch;
    if (!args.stopOnEntry) this.resume(runFreely);
    else if (host) this.resume(runToEntry(this.debuggee));
    else void this.services.pacing.wait(0).then(() => this.stopped({ reason: 'entry' }));
  }

  resume(plan: Plan): void {
    if (this.debuggee.machine.ended) throw new RequestError(explainEnd(this.debuggee.machine.ended));
    if (this.runner.running) throw new RequestError('the machine is running');
    this.views.remember(this.debuggee);
    this.invalidate();
    this.lastCause = undefined;
    this.runner.resume(plan);
  }

  /** Changes the breakpoints and puts them into the machine. */
  changeBreakpoints<Body>(change: (breakpoints: Breakpoints) => Body): Body {
    const body = change(this.breakpoints);
    this.runner.breakpointsChanged();
    return body;
  }

  /** The user changed a register, memory or a VMCS field: what was shown is void. */
  valueChanged(): void {
    const pcBefore = this.stacks.topOf(this.stacks.currentThread.id)?.pc;
    this.stacks.refresh();
    const isElsewhere = this.stacks.topOf(this.stacks.currentThread.id)?.pc !== pcBefore;
    this.outbox.event('invalidated', { areas: isElsewhere ? ['stacks', 'variables'] : ['variables'] });
  }

  /** Something was written to the machine: what was shown of it is void. */
  invalidate(): void {
    this.stacks.invalidate();
    this.store.invalidate();
  }

  /** Stops the machine and says nothing: the session ends or begins anew. */
  async quiet(): Promise<void> {
    this.closed = true;
    if (!this.runner.running) return;
    const stopped = new Promise<void>((resolve) => this.stopWaiters.push(resolve));
    this.runner.pause();
    await stopped;
  }

  // -------------------------------------------------------------- stopping

  private stopped(cause: StopCause): void {
    for (const waiter of this.stopWaiters.splice(0)) waiter();
    if (this.closed) return;
    this.invalidate();
    this.lastCause = cause;
    this.console.flush();
    this.activity.stopped();
    const { description, text, hitBreakpointIds } = cause;
    this.outbox.event('stopped', {
      reason: this.stopReason(cause),
      description,
      text,
      hitBreakpointIds: hitBreakpointIds && [...hitBreakpointIds],
      threadId: this.threadToShow(),
      allThreadsStopped: true,
    });
  }

  /**
   * For the reason `breakpoint` VS Code shows the top frame whatever its hint; for a reason that it does not know, the
   * first frame that is not subtle: behind an exit the guest's instruction.
   */
  private stopReason({ reason }: StopCause): string {
    const { client } = this.services;
    if (client !== 'vscode' || reason !== 'breakpoint') return reason;
    return isBehindExit(this.stacks.of(this.threadToShow())) ? 'VM exit' : reason;
  }

  private ended(end: MachineEnd): void {
    for (const waiter of this.stopWaiters.splice(0)) waiter();
    if (this.closed) return;
    this.console.flush();
    const { failure } = this.debuggee;
    const status = exitStatus(end, failure !== undefined);
    const message = explainEnd(end);
    if (status === undefined) {
      // What went wrong stays to be looked at: registers, stack, VMCS.
      this.outbox.event('output', { category: 'stderr', output: `${message}\n` });
      this.stopped({ reason: 'exception', description: 'Machine stopped', text: message });
      return;
    }
    this.activity.ended();
    this.console.end();
    this.outbox.event('output', { category: 'console', output: `${message}.\n` });
    if (failure !== undefined) this.outbox.event('output', { category: 'stderr', output: `${failure}\n` });
    this.outbox.event('exited', { exitCode: status });
    this.outbox.event('terminated', {});
  }

  /** The thread on the processor; while the host idles, a vCPU that waits. */
  private threadToShow(): number {
    const { currentThread, threads } = this.stacks;
    if (currentThread.hostThread || threads.length === 1) return currentThread.id;
    const waiting = threads.find(({ hostThread }) => hostThread?.state === ThreadState.SLEEPING);
    return (waiting ?? currentThread).id;
  }

  /** Conditions are asked about the guest when the machine has just left it. */
  private hitContext(): HitContext {
    this.stacks.invalidate();
    const { id } = this.stacks.currentThread;
    const frames = this.stacks.of(id);
    const frame = isBehindExit(frames) ? this.stacks.guestFramesOf(id)[0] : this.stacks.topOf(id);
    return hitContextIn(this.debuggee, frame);
  }

  // -------------------------------------------------------------- for requests

  /** A reference to the frame's code that changes when what was shown of it is patched. */
  codeReference(frame: CodeFrame): string {
    const space = codeSpaceOfFrame(this.debuggee, frame);
    return instructionReference(frame.world, frame.pc, this.generations.current(space));
  }

  /** The frame that a view shows: a given one, or the one that the user looks at in a thread. */
  frameIdFor(args: { threadId?: number; frameId?: number }): number | undefined {
    if (args.frameId !== undefined && this.stacks.frame(args.frameId)?.kind === 'code') return args.frameId;
    const threadId = args.threadId ?? this.stacks.currentThread.id;
    const frames = this.stacks.of(threadId);
    return (isBehindExit(frames) ? this.stacks.guestFramesOf(threadId)[0] : this.stacks.topOf(threadId))?.id;
  }

  /** The VMCS of a thread's guest, else the current one. */
  vmcsOf(threadId: number | undefined): number | undefined {
    const thread = this.stacks.threads.find(({ id }) => id === threadId) ?? this.stacks.currentThread;
    return thread.vmcs ?? this.debuggee.machine.currentVmcs;
  }

  /** Host frames of the thread that runs a guest, also while the machine runs (between slices). */
  hostStackOf(vmcs: number): readonly CodeFrame[] {
    if (this.runner.running) this.stacks.invalidate();
    return this.stacks.hostStackOf(vmcs);
  }

  /** The code frame with this id; without one, the innermost of the thread on the processor. */
  codeFrame(id: number | undefined): CodeFrame {
    if (this.runner.running) throw new RequestError('the machine is running');
    const frame = id === undefined ? this.stacks.topOf(this.stacks.currentThread.id) : this.stacks.frame(id);
    if (!frame) throw new RequestError('this frame is of an earlier stop');
    if (frame.kind === 'label')
      throw new RequestError('this is the border between host and guest, not a frame');
    return frame;
  }
}
