/** Runs a guest from launch arguments to its end, in fast time, and tells what could be seen of it. */
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { execute } from '../cli/execute.js';
import type { TraceLine } from '../cli/trace.js';
import { traceHypercalls } from '../cli/trace.js';
import { guestTranslation } from '../debug-adapter/debuggee/translation.js';
import type { PreparedLaunch } from '../debug-adapter/launch/prepareLaunch.js';
import { isFailed, prepareLaunch } from '../debug-adapter/launch/prepareLaunch.js';
import type { HyperstepLaunchArguments } from '../debug-adapter/protocol.js';
import { formatDiagnostic } from '../toolchain/diagnostic.js';
import { platformNode } from '../toolchain/platformNode.js';

export const ROOT = fileURLToPath(new URL('..', import.meta.url));

/** A guest that loops for ever ends its test here, not at mocha's time limit. */
const MOST_INSTRUCTIONS = 200_000_000;

export interface GuestRun {
  readonly launch: PreparedLaunch;
  /** What came out of COM1. */
  readonly console: string;
  /** What the host said, on COM2. */
  readonly log: string;
  readonly status: number;
  readonly explanation: string | undefined;
  readonly calls: readonly TraceLine[];
  /** Guest memory as it is at the end, by linear address, through the page tables of the vCPU that ran last. */
  readGuest(address: number, length: number): Uint8Array;
}

/** Throws with the diagnostics when the guest cannot be built. */
export async function runGuest(
  args: HyperstepLaunchArguments,
  { checkCompiler = false } = {},
): Promise<GuestRun> {
  const launch = await prepareLaunch(args, { platform: platformNode, installFolder: ROOT, checkCompiler });
  if (isFailed(launch)) throw new Error(launch.diagnostics.map(formatDiagnostic).join('\n'));
  const serial: [number[], number[]] = [[], []];
  launch.machine.observers.onSerialOutput = (port, byte) => serial[port].push(byte);
  const calls: TraceLine[] = [];
  const report = traceHypercalls(launch, (line) => calls.push(JSON.parse(line) as TraceLine), true);
  let vmcs = 0;
  const { onWorldSwitch } = launch.machine.observers;
  launch.machine.observers.onWorldSwitch = (event) => {
    ({ vmcs } = event);
    return onWorldSwitch?.(event) ?? false;
  };
  const outcome = await execute(launch, { time: 'fast', maxInstructions: MOST_INSTRUCTIONS });
  report.finish();
  const [console, log] = serial.map((bytes) => new TextDecoder().decode(Uint8Array.from(bytes)));
  const readGuest = (address: number, length: number): Uint8Array =>
    launch.machine.readLinear(BigInt(address), length, guestTranslation(launch.machine, vmcs));
  return { launch, console, log, ...outcome, calls, readGuest };
}

export const baseName = (file: string): string => path.basename(file);
