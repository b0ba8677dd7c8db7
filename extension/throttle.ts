/**
 * Runs an asynchronous job at most once in an interval and never twice at a time. A call that comes too early runs the
 * job once more when its time has come, so the last state is never lost.
 */
export class Throttle {
  private timer: NodeJS.Timeout | undefined;
  private running = false;
  private again = false;
  private notBefore = 0;

  constructor(
    private readonly intervalMs: number,
    private readonly job: () => Promise<void>,
  ) {}

  /** Asks for a run: now when the interval has passed, else at its end. */
  request(): void {
    if (this.running) {
      this.again = true;
      return;
    }
    this.timer ??= setTimeout(() => void this.run(), Math.max(0, this.notBefore - Date.now()));
  }

  /** Runs without waiting for the interval, and before this returns unless a run is under way. */
  requestNow(): void {
    this.cancelTimer();
    this.notBefore = 0;
    if (this.running) this.again = true;
    else void this.run();
  }

  dispose(): void {
    this.cancelTimer();
    this.again = false;
  }

  private async run(): Promise<void> {
    this.timer = undefined;
    this.running = true;
    try {
      await this.job();
    } finally {
      this.running = false;
      this.notBefore = Date.now() + this.intervalMs;
      if (this.again) {
        this.again = false;
        this.request();
      }
    }
  }

  private cancelTimer(): void {
    clearTimeout(this.timer);
    this.timer = undefined;
  }
}
