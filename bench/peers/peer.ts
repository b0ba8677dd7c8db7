/** What the benchmark compares: programs that boot a multiboot image and show its serial line on standard output. */
import type { BootProgram } from '../build.js';
import type { GuestWidth, Row } from '../rows.js';

export interface Invocation {
  readonly command: string;
  readonly args: readonly string[];
  readonly folder: string;
  /** The peer sends its serial line to this TCP port of 127.0.0.1, not to standard output. */
  readonly serialPort?: number;
}

export interface Peer {
  readonly name: string;
  readonly title: string;
  readonly width: GuestWidth;
  /** Makes the peer ready, installing it where that is missing; answers its version, or why it cannot be used. */
  prepare(): { readonly version: string } | { readonly missing: string };
  /** Why the peer cannot run a row; undefined when it can. */
  cannotRun(row: Row): string | undefined;
  invocation(program: BootProgram, folder: string): Invocation;
}
