/** What the views hear of a running machine: at most ten times a second, and at every stop. */
import type { Debuggee } from '../debuggee/debuggee.js';
import type { Pacing } from '../runner/runner.js';
import type { Stacks } from '../stack/stack.js';
import type { Outbox } from './requests.js';

const INTERVAL_MS = 100;
/** Names of threads change when a vCPU blocks; looking costs a stack of each. */
const NAMES_INTERVAL_MS = 250;

export class Activity {
  private lastMs = -Infinity;
  private namesMs = -Infinity;
  private readonly names = new Map<number, string>();

  constructor(
    private readonly debuggee: Debuggee,
    private readonly stacks: Stacks,
    private readonly pacing: Pacing,
    private readonly outbox: Outbox,
  ) {}

  /** Between slices of a running machine. */
  progressed(): void {
    const now = this.pacing.now();
    if (now - this.lastMs < INTERVAL_MS) return;
    this.send(true);
    if (now - this.namesMs < NAMES_INTERVAL_MS) return;
    this.stacks.invalidate();
    this.nameThreads();
  }

  stopped(): void {
    this.send(false);
    this.nameThreads();
  }

  /** Nobody looks at the threads of a machine that is over. */
  ended(): void {
    this.send(false);
  }

  private send(running: boolean): void {
    this.lastMs = this.pacing.now();
    const { machine, log, exitCounts } = this.debuggee;
    this.outbox.event('hyperstep/activity', {
      running,
      position: machine.position,
      virtualNs: machine.virtualNs,
      hypercalls: log.length,
      unanswered: log.unanswered.length,
      vmExits: exitCounts.total,
    });
  }

  /** VS Code takes a new name of a thread that it knows from a `started` event. */
  private nameThreads(): void {
    this.namesMs = this.pacing.now();
    for (const { id, name } of this.stacks.threads) {
      if (this.names.get(id) === name) continue;
      this.names.set(id, name);
      this.outbox.event('thread', { reason: 'started', threadId: id });
    }
  }
}
