/** Debuggees for tests: real programs on the real host, stopped where a test wants them. */
import { fileURLToPath } from 'node:url';
import type { WorldSwitch } from '../../emulator/machine/worldSwitch.js';
import { platformNode } from '../../toolchain/platformNode.js';
import { Debuggee } from '../debuggee/debuggee.js';
import { isFailed, prepareLaunch } from '../launch/prepareLaunch.js';
import type { HyperstepLaunchArguments } from '../protocol.js';

export const installFolder = fileURLToPath(new URL('../..', import.meta.url));
const BUDGET = 50_000_000;

export async function launchDebuggee(args: HyperstepLaunchArguments): Promise<Debuggee> {
  const launch = await prepareLaunch(args, { platform: platformNode, installFolder });
  if (isFailed(launch)) throw new Error(launch.diagnostics.map(({ message }) => message).join('\n'));
  const debuggee = new Debuggee(launch, installFolder);
  debuggee.machine.observers.onWorldSwitch = (event) => {
    debuggee.observe(event);
    return false;
  };
  return debuggee;
}

/** Runs until a world switch that `wanted` accepts: then the machine is in the new world. */
export function runToSwitch(debuggee: Debuggee, wanted: (event: WorldSwitch) => boolean): WorldSwitch {
  const { machine } = debuggee;
  const observe = machine.observers.onWorldSwitch;
  machine.observers.onWorldSwitch = (event) => {
    debuggee.observe(event);
    return wanted(event);
  };
  try {
    for (;;) {
      const stop = machine.run(BUDGET);
      if (stop.kind === 'worldSwitch') return stop.event;
      if (stop.kind === 'ended') throw new Error(`the machine ended: ${JSON.stringify(stop.end)}`);
    }
  } finally {
    machine.observers.onWorldSwitch = observe;
  }
}

/** Runs to the end; the answer is how it ended. */
export function runToEnd(debuggee: Debuggee) {
  for (;;) {
    const stop = debuggee.machine.run(BUDGET);
    if (stop.kind === 'ended') return stop.end;
  }
}
