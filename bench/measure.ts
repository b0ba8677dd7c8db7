/** Runs one peer on one guest and takes the time between the lines that the guest prints. */
import { spawn } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import type { Invocation } from './peers/peer.js';

export interface Measurement {
  readonly secondsARound: number;
  /** The guest's checksums, one a round. */
  readonly lines: readonly string[];
  /** Guest instructions in a round, where the peer says. */
  readonly instructionsARound: number | undefined;
}

export interface MeasureOptions {
  /** How long a peer may translate what has got hot before it is measured, in seconds of `secondsUsed`. */
  readonly warmUp: number;
  /** How long to measure, from then on, in seconds of `secondsUsed`. */
  readonly seconds: number;
  /** Seconds until the first line, and between two lines, at most. */
  readonly patience: number;
}

const LINE = /^[0-9a-f]{8}$/;
/** A line has come. */
interface Mark {
  /** Seconds of `secondsUsed`. */
  readonly time: number;
  readonly round: number;
  /** Instructions since reset, NaN where the peer does not count them. */
  readonly position: number;
}

/** Rounds that a measurement takes at least. */
const FEWEST_ROUNDS = 2;

/**
 * Seconds of processor time that a process has used in all its threads: on a machine that others use too it says more
 * than the time that passed, which is what it answers where there is no Linux /proc.
 */
function secondsUsed(pid: number): number {
  try {
    const tasks = readdirSync(`/proc/${pid}/task`);
    // Nanoseconds on a processor come first (Documentation/scheduler/sched-stats.rst).
    const used = tasks.map((task) =>
      Number(readFileSync(`/proc/${pid}/task/${task}/schedstat`, 'latin1').split(' ')[0]),
    );
    return used.reduce((sum, nanoseconds) => sum + nanoseconds, 0) / 1e9;
  } catch {
    return performance.now() / 1e3;
  }
}

/**
 * The clock starts at the first line behind the warm-up, which begins at the first line: start-up, the guest's preparations
 * and most of the translation of its code are not counted. The peer is ended when the time is over. Rejects when it ends or falls silent before.
 */
export function measure(invocation: Invocation, options: MeasureOptions): Promise<Measurement> {
  return new Promise((resolve, reject) => {
    const child = spawn(invocation.command, invocation.args, {
      cwd: invocation.folder,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const server = createServer((socket) => socket.on('data', received).on('error', () => undefined));
    if (invocation.serialPort !== undefined) server.listen(invocation.serialPort, '127.0.0.1');
    const lines: string[] = [];
    const marks: Mark[] = [];
    let warm: Mark | undefined;
    let rest = '';
    let errors = '';
    let watchdog: NodeJS.Timeout | undefined;
    const fail = (why: string): void => {
      child.removeAllListeners('exit');
      child.kill('SIGKILL');
      clearTimeout(watchdog);
      server.close();
      reject(new Error(`${why}\n${invocation.command} ${invocation.args.join(' ')}\n${rest}${errors}`));
    };
    const wait = (): void => {
      clearTimeout(watchdog);
      watchdog = setTimeout(
        () => fail(`no line in ${options.patience} s (${lines.length} before)`),
        options.patience * 1000,
      );
    };
    let finished = false;
    const finish = (from: Mark, to: Mark): void => {
      finished = true;
      clearTimeout(watchdog);
      server.close();
      child.removeAllListeners('exit');
      child.once('exit', () => resolve(measured(lines, from, to)));
      child.kill('SIGKILL');
    };
    child.on('error', (error) => fail(error.message));
    child.on('exit', (status, signal) => fail(`ended with ${status ?? signal} after ${lines.length} lines`));
    child.stderr.on('data', (data: Buffer) => (errors = (errors + data.toString('latin1')).slice(-1000)));
    function received(data: Buffer): void {
      if (finished) return;
      const now = secondsUsed(child.pid!);
      const text = (rest + data.toString('latin1')).split('\n');
      rest = text.pop()!.slice(-2000);
      for (const line of text) {
        // A peer that counts instructions prints the count behind the line.
        const [checksum, position] = line.trim().split(' ');
        if (!LINE.test(checksum)) continue;
        lines.push(checksum);
        const mark = { time: now, round: lines.length, position: Number(position) };
        marks.push(mark);
        if (now - marks[0].time >= options.warmUp) warm ??= mark;
        wait();
      }
      const last = marks.at(-1);
      if (!warm || !last || last.round - warm.round < FEWEST_ROUNDS) return;
      if (last.time - warm.time >= options.seconds) finish(warm, last);
    }
    child.stdout.on('data', received);
    wait();
  });
}

function measured(lines: readonly string[], from: Mark, to: Mark): Measurement {
  const rounds = to.round - from.round;
  const instructions = (to.position - from.position) / rounds;
  return {
    secondsARound: (to.time - from.time) / rounds,
    lines,
    instructionsARound: Number.isNaN(instructions) ? undefined : instructions,
  };
}
