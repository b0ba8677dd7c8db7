/** The body of `hyperstep/hypercalls`: rows of the log with names, places and where a blocked call waits. */
import { callPlace } from '../hypercalls/callSite.js';
import type { LoggedCall } from '../hypercalls/log.js';
import { nameOf, registerValues, sourceOf } from '../hypercalls/record.js';
import type { Debuggee } from '../debuggee/debuggee.js';
import type { HypercallRecord, HyperstepRequests } from '../protocol.js';
import type { CodeFrame } from '../stack/frame.js';
import { sleepingFunction } from '../stack/stack.js';
import { hex } from '../variables/numberFormat.js';
import { ThreadState } from '../launch/hostContract.js';

/** The host's function that answers the calls for which there is no own handler. */
const ANSWERING_FUNCTION = 'kvm_emulate_hypercall';
/** A view never shows more rows at once; the log may have 100,000. */
const MOST_ROWS = 10_000;

/** `hostStackOf`: host frames of the thread that runs a guest, innermost first. */
export function hypercallsView(
  debuggee: Debuggee,
  { start, count }: HyperstepRequests['hyperstep/hypercalls']['arguments'],
  hostStackOf: (vmcs: number) => readonly CodeFrame[],
): HyperstepRequests['hyperstep/hypercalls']['body'] {
  const { log, machine } = debuggee;
  const first = Math.min(Math.max(0, Math.trunc(start)), log.length);
  const last = Math.min(log.length, first + Math.min(Math.max(0, count), MOST_ROWS));
  const calls = Array.from({ length: last - first }, (_, index) =>
    recordOf(log.at(first + index), debuggee, hostStackOf),
  );
  return { total: log.length, unanswered: log.unanswered, virtualNs: machine.virtualNs, calls };
}

function recordOf(
  call: LoggedCall,
  debuggee: Debuggee,
  hostStackOf: (vmcs: number) => readonly CodeFrame[],
): HypercallRecord {
  const { log, machine, launch, ownHypercalls } = debuggee;
  return {
    seq: call.seq,
    position: call.position,
    vcpu: debuggee.vcpus.of(call.vmcs),
    kind: call.kind,
    nr: hex(call.nr),
    name: nameOf(log, call, ownHypercalls),
    before: registerValues(call.before),
    after: call.after ? registerValues(call.after) : null,
    cpl: call.cpl,
    result: log.resultOf(call),
    virtualNs: call.virtualNs,
    durationNs: (call.answeredNs ?? machine.virtualNs) - call.virtualNs,
    rip: hex(call.rip),
    source: placeOf(call, debuggee) ?? sourceOf(call, launch.guest.debugInfo),
    handler: handlerOf(call, debuggee),
    blockedIn: call.after ? null : blockedIn(call, debuggee, hostStackOf),
  };
}

/** The source line of the call, with the path on this machine. */
function placeOf(call: LoggedCall, debuggee: Debuggee): HypercallRecord['source'] {
  const image = debuggee.imageAt('guest', call.callSite);
  const place = image && callPlace(call.callSite, image.debugInfo);
  return place ? { file: image.sourcePath(place.file), line: place.line } : null;
}

/** The user's handler of that number, else the function of the host that answers; null when the host has none. */
function handlerOf(call: LoggedCall, debuggee: Debuggee): HypercallRecord['handler'] {
  const own = debuggee.ownHypercalls.find(({ nr }) => nr === call.nr);
  for (const { debugInfo, sourcePath } of debuggee.images('root')) {
    const found = own ? debugInfo.functionAt(own.handler) : debugInfo.functionsNamed(ANSWERING_FUNCTION)[0];
    if (!found) continue;
    const { name, location } = found;
    return location ? { name, file: sourcePath(location.file), line: location.line } : { name };
  }
  return null;
}

/** `msleep (sched.c:120)`: the function that the sleeping thread of an open call called; null while it runs. */
function blockedIn(
  call: LoggedCall,
  debuggee: Debuggee,
  hostStackOf: (vmcs: number) => readonly CodeFrame[],
): string | null {
  const thread = debuggee.hostThreads?.threads.find(({ vmcs }) => vmcs === call.vmcs);
  if (thread?.state !== ThreadState.SLEEPING) return null;
  const frame = sleepingFunction(hostStackOf(call.vmcs));
  if (!frame) return null;
  const file = frame.place?.file.split(/[/\\]/).at(-1);
  return file ? `${frame.name} (${file}:${frame.place!.line})` : frame.name;
}
