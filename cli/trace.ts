/** `hyperstep trace`: a line for each hypercall, in the order in which they were made. */
import { SHOWN_REGISTERS } from '../debug-adapter/hypercalls/conventions.js';
import { createHypercallLog } from '../debug-adapter/hypercalls/createLog.js';
import type { HypercallLog, LoggedCall } from '../debug-adapter/hypercalls/log.js';
import { nameOf, registerValues, sourceOf } from '../debug-adapter/hypercalls/record.js';
import type { PreparedLaunch } from '../debug-adapter/launch/prepareLaunch.js';
import { VcpuNumbers } from '../debug-adapter/launch/vcpuNumbers.js';
import type { RegisterValues } from '../debug-adapter/protocol.js';
import type { Report } from './report.js';

/** One line of `trace --json`: a stable contract, documented in README. */
export interface TraceLine {
  readonly seq: number;
  readonly position: number;
  readonly vcpu: number;
  readonly kind: string;
  readonly nr: string;
  readonly name: string | null;
  readonly before: RegisterValues;
  readonly after: RegisterValues | null;
  readonly cpl: number;
  readonly result: string | null;
  readonly virtualNs: number;
  readonly source: { readonly file: string; readonly line: number } | null;
}

export const traceHypercalls: Report = (launch, print, json) => {
  const log = createHypercallLog(launch);
  const vcpus = new VcpuNumbers(launch.machine, launch.host?.debugInfo);
  let printed = 0;

  /** Prints the calls up to the first unanswered one: lines stand in the order of the calls. */
  const printAnswered = (): void => {
    const end = log.unanswered[0] ?? log.length;
    for (; printed < end; printed++) print(format(lineOf(launch, log, log.at(printed), vcpus), json));
  };

  launch.machine.observers.onWorldSwitch = (event) => {
    if (event.exit) vcpus.of(event.vmcs);
    if (log.observe(event)) printAnswered();
    return false;
  };
  return {
    finish: () => {
      for (; printed < log.length; printed++)
        print(format(lineOf(launch, log, log.at(printed), vcpus), json));
    },
  };
};

function lineOf(launch: PreparedLaunch, log: HypercallLog, call: LoggedCall, vcpus: VcpuNumbers): TraceLine {
  return {
    seq: call.seq,
    position: call.position,
    vcpu: vcpus.of(call.vmcs),
    kind: call.kind,
    nr: `0x${call.nr.toString(16)}`,
    name: nameOf(log, call, launch.handlers?.hypercalls ?? []),
    before: registerValues(call.before),
    after: call.after ? registerValues(call.after) : null,
    cpl: call.cpl,
    result: log.resultOf(call),
    virtualNs: call.virtualNs,
    source: sourceOf(call, launch.guest.debugInfo),
  };
}

function format(line: TraceLine, json: boolean): string {
  if (json) return JSON.stringify(line);
  const registers = SHOWN_REGISTERS.map((name) => {
    const { before, after } = line;
    const changed = after && after[name] !== before[name];
    return `${name}=${before[name]}${changed ? `->${after[name]}` : ''}`;
  });
  const place = line.source ? `${line.source.file}:${line.source.line}` : '?';
  const call = line.name ?? `hypercall ${BigInt(line.nr)}`;
  const result = line.result ?? 'not answered';
  return `#${line.seq} vcpu${line.vcpu} cpl${line.cpl} ${call} ${registers.join(' ')} = ${result} (${place}, ${line.virtualNs} ns)`;
}
