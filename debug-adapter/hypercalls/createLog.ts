import { guestTranslation } from '../debuggee/translation.js';
import type { PreparedLaunch } from '../launch/prepareLaunch.js';
import { CallSites } from './callSite.js';
import { kvmConvention } from './conventions.js';
import { HypercallLog } from './log.js';

/** The hypercall log of a launched guest, whose code and stack are read at the VM exit. */
export function createHypercallLog({ machine, guest }: PreparedLaunch): HypercallLog {
  const callSites = new CallSites(machine, guest.debugInfo);
  return new HypercallLog(
    kvmConvention,
    (event, address, length) => machine.readLinear(address, length, guestTranslation(machine, event.vmcs)),
    (event) => callSites.of(event),
  );
}
