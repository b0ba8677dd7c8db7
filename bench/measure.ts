/** Runs one peer on one guest and takes the time between the lines that the guest prints. */
import { spawn } from 'node:child_process';
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
  /** How long to measure, from the first line on. */
  readonly seconds: number;
  /** How long until the first line, and between two lines, at most. */
  readonly patience: number;
}

const LINE = /^[0-9a-f]{8}$/;
/** Rounds that a measurement takes at least. */
const FEWEST_ROUNDS = 2;

/**
 * The first line starts the clock: start-up, the guest's preparations and its first round, in which code is translated for
 * the first time, are not counted. The peer is ended when the time is over. Rejects when it ends or falls silent before.
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
    const positions: number[] = [];
    let rest = '';
    let errors = '';
    let first = 0;
    let last = 0;
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
    const finish = (): void => {
      finished = true;
      clearTimeout(watchdog);
      server.close();
      child.removeAllListeners('exit');
      child.once('exit', () => resolve(measured(lines, (last - first) / 1e3, positions)));
      child.kill('SIGKILL');
    };
    child.on('error', (error) => fail(error.message));
    child.on('exit', (status, signal) => fail(`ended with ${status ?? signal} after ${lines.length} lines`));
    child.stderr.on('data', (data: Buffer) => (errors = (errors + data.toString('latin1')).slice(-1000)));
    function received(data: Buffer): void {
      if (finished) return;
      const now = performance.now();
      const text = (rest + data.toString('latin1')).split('\n');
      rest = text.pop()!.slice(-2000);
      for (const line of text) {
        // A peer that counts instructions prints the count behind the line.
        const [checksum, position] = line.trim().split(' ');
        if (!LINE.test(checksum)) continue;
        lines.push(checksum);
        if (position !== undefined) positions.push(Number(position));
        if (lines.length === 1) first = now;
        last = now;
        wait();
      }
      if (lines.length > FEWEST_ROUNDS && last - first >= options.seconds * 1000) finish();
    }
    child.stdout.on('data', received);
    wait();
  });
}

function measured(lines: readonly string[], seconds: number, positions: readonly number[]): Measurement {
  const rounds = lines.length - 1;
  return {
    secondsARound: seconds / rounds,
    lines,
    instructionsARound:
      positions.length > 1 ? (positions.at(-1)! - positions[0]) / (positions.length - 1) : undefined,
  };
}
