/** The rows of the VM Exits view, and the breakpoints that the user set in it. */
import type { HyperstepRequests, VmExitRow } from '../../debug-adapter/protocol.js';
import { ExitReason, exitReasons, vmEntryRow } from '../../emulator/vmx/exitReasons.js';
import { formatCount, formatDuration } from '../format.js';
import type { Row } from './row.js';

type SentBreakpoint = HyperstepRequests['hyperstep/setVmExitBreakpoints']['arguments']['reasons'][number];

/** A breakpoint on an exit reason, as it is kept between sessions. A disabled one keeps its condition. */
export interface VmExitBreakpoint extends SentBreakpoint {
  enabled: boolean;
}

/** Every exit reason of the processor before anything ran, so that breakpoints can be set before the first session. */
export function uncountedExits(): VmExitRow[] {
  return [...exitReasons, vmEntryRow].map(({ number, constant, title, description }) => ({
    reason: number,
    name: constant,
    title,
    description,
    count: 0,
    virtualNs: 0,
    breakpoint: false,
  }));
}

/** What a condition of a breakpoint can be, in the words of VS Code's own breakpoint menu. */
export const CONDITION_KINDS = [
  { key: 'condition', label: 'Expression', prompt: 'Stop when this expression is true, e.g. $rax == 5' },
  {
    key: 'hitCondition',
    label: 'Hit Count',
    prompt: 'Stop when this many exits were hit, e.g. 10, >= 10 or % 10',
  },
  { key: 'vmcs', label: 'VMCS', prompt: 'Stop only for the VMCS at this physical address, e.g. 0x12000' },
  { key: 'logMessage', label: 'Log Message', prompt: 'Print this message and go on, e.g. RAX is {$rax}' },
] as const;

export function vmExitRow(exit: VmExitRow, breakpoint: VmExitBreakpoint | undefined): Row {
  const numbers = exit.count > 0 ? [formatCount(exit.count), formatDuration(exit.virtualNs)] : [];
  const conditions = CONDITION_KINDS.flatMap(({ key, label }) =>
    breakpoint?.[key] ? [`${label.toLowerCase()}: ${breakpoint[key]}`] : [],
  );
  return {
    label: exit.title,
    description: [...numbers, ...conditions].join(' · '),
    tooltip: [
      exit.reason === vmEntryRow.number ? exit.title : `${exit.reason}: ${exit.title} (${exit.name})`,
      exit.description,
      exit.reason === vmEntryRow.number
        ? `${formatCount(exit.count)} entries, ${formatDuration(exit.virtualNs)} of virtual time in the guest`
        : `${formatCount(exit.count)} exits, ${formatDuration(exit.virtualNs)} of virtual time in the host`,
      ...conditions,
    ].join('\n'),
    copyText: exit.name,
  };
}

/** VMCALL first, since it is what most come for; then the reasons that occurred; in each part the manual's order. */
export function sortedExits(exits: readonly VmExitRow[]): VmExitRow[] {
  const rank = (exit: VmExitRow): number => (exit.reason === ExitReason.VMCALL ? 0 : exit.count > 0 ? 1 : 2);
  return [...exits].sort((a, b) => rank(a) - rank(b) || a.reason - b.reason);
}

/** The arguments of `hyperstep/setVmExitBreakpoints`. */
export function enabledBreakpoints(breakpoints: readonly VmExitBreakpoint[]): SentBreakpoint[] {
  return breakpoints
    .filter(({ enabled }) => enabled)
    .map(({ reason, vmcs, condition, hitCondition, logMessage }) => ({
      reason,
      vmcs,
      condition,
      hitCondition,
      logMessage,
    }));
}

/** The breakpoints with one changed; one that is neither enabled nor has a condition is not kept. */
export function withBreakpoint(
  breakpoints: readonly VmExitBreakpoint[],
  reason: number,
  change: Partial<VmExitBreakpoint>,
): VmExitBreakpoint[] {
  const old = breakpoints.find((breakpoint) => breakpoint.reason === reason) ?? { reason, enabled: false };
  const changed = { ...old, ...change };
  const worthKeeping = changed.enabled || CONDITION_KINDS.some(({ key }) => changed[key]);
  const others = breakpoints.filter((breakpoint) => breakpoint.reason !== reason);
  return (worthKeeping ? [...others, changed] : others).sort((a, b) => a.reason - b.reason);
}
