/** The kinds of step that run to a place: to an address, back into the guest, out of a function. */
import type { World } from '../../emulator/machine/machineTypes.js';
import type { WorldSwitch } from '../../emulator/machine/worldSwitch.js';
import type { Debuggee } from '../debuggee/debuggee.js';
import type { Motion, Plan } from '../runner/plan.js';
import { currentPc, isCurrent } from './place.js';
import type { StepOwner } from './place.js';

/** An address to be reached by the owner, with its stack pointer above a limit: not in a deeper call. */
export interface Destination {
  readonly world: World;
  readonly address: bigint;
  readonly stackAbove: bigint;
}

export function isAt(debuggee: Debuggee, owner: StepOwner, destination: Destination): boolean {
  const { machine } = debuggee;
  return (
    machine.world === destination.world &&
    currentPc(debuggee) === destination.address &&
    machine.state.rsp > destination.stackAbove &&
    isCurrent(debuggee, owner)
  );
}

/** Runs to a destination. */
export function runTo(debuggee: Debuggee, owner: StepOwner, destination: Destination): Plan {
  return {
    reason: 'step',
    motion: (): Motion => ({ kind: 'run', stopAt: { [destination.world]: destination.address } }),
    arrived: () => isAt(debuggee, owner, destination),
    wantsSwitch: () => false,
  };
}

export const isEntryOf = (owner: StepOwner, event: WorldSwitch): boolean =>
  event.direction === 'entry' && event.vmcs === owner.vmcs;

/** Runs the host's boot until the guest is at its first instruction. */
export function runToEntry(debuggee: Debuggee): Plan {
  const { entry } = debuggee.launch.guest.debugInfo.elf;
  return {
    reason: 'entry',
    motion: () => ({ kind: 'run', stopAt: { guest: entry } }),
    arrived: () => debuggee.machine.world === 'guest' && currentPc(debuggee) === entry,
    wantsSwitch: () => false,
  };
}

/** Runs the host until the owner's guest goes on. */
export function runToGuest(debuggee: Debuggee, owner: StepOwner): Plan {
  return {
    reason: 'step',
    motion: () => ({ kind: 'run' }),
    arrived: () => debuggee.machine.world === 'guest' && debuggee.machine.currentVmcs === owner.vmcs,
    wantsSwitch: (event) => isEntryOf(owner, event),
  };
}
