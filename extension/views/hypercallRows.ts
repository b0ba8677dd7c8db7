/** The rows of the Hypercalls view. */
import type { HypercallRecord, RegisterValues } from '../../debug-adapter/protocol.js';
import { fileName, formatCount, formatDuration, formatValue } from '../format.js';
import type { NumberFormat } from '../format.js';
import type { Place, Row } from './row.js';

/** The general registers of a hypercall, in the order in which they are shown. */
const REGISTERS: readonly (keyof RegisterValues)[] = ['rax', 'rbx', 'rcx', 'rdx', 'rsi'];

export type HypercallState = 'answered' | 'error' | 'blocked';

/** An error is a result that the host decoded as one: `-KVM_ENOSYS`. */
export function hypercallState(call: HypercallRecord): HypercallState {
  if (call.after === null) return 'blocked';
  return call.result?.startsWith('-') ? 'error' : 'answered';
}

export function hypercallName(call: HypercallRecord): string {
  return call.name ?? `hypercall ${formatValue(call.nr, 'decimal')}`;
}

/**
 * What matters most stands first, since the side bar is narrow. `nowNs` is the machine's virtual time: an unanswered call
 * counts up to it.
 */
export function hypercallRow(call: HypercallRecord, nowNs: number): Row {
  const blocked = hypercallState(call) === 'blocked';
  const result = blocked ? 'blocked' : (call.result ?? 'no result');
  const caller = call.source ? `${fileName(call.source.file)}:${call.source.line}` : call.rip;
  const elapsed = formatDuration(elapsedNs(call, nowNs));
  const since = call.blockedIn ? `${elapsed} in ${call.blockedIn}` : elapsed;
  const vcpu = `vCPU ${call.vcpu}`;
  return {
    label: `#${call.seq} ${hypercallName(call)} → ${result}`,
    description: (blocked ? [since, vcpu, caller] : [vcpu, caller, since]).join(' · '),
    tooltip: [
      `#${call.seq} ${hypercallName(call)} (${call.nr}) from ${vcpu}, CPL ${call.cpl}`,
      `${blocked ? 'Blocked for' : `→ ${result}, answered after`} ${since}`,
      `Called at ${caller}, instruction ${formatCount(call.position)}`,
    ].join('\n'),
    copyText: hypercallText(call),
    place: call.source ?? undefined,
  };
}

/** What stands under a hypercall: its registers before and after, then its circumstances. */
export function hypercallDetails(call: HypercallRecord, nowNs: number, format: NumberFormat): Row[] {
  const registers = REGISTERS.map((register) => registerRow(register, call, format));
  const { source, handler } = call;
  const blocked = call.after === null;
  const facts: Row[] = [
    {
      label: 'Caller',
      description: source ? `${fileName(source.file)}:${source.line}  (RIP ${call.rip})` : `RIP ${call.rip}`,
      place: source ?? undefined,
    },
    handlerRow(handler),
    {
      label: blocked ? 'Blocked for' : 'Answered after',
      description: `${formatDuration(elapsedNs(call, nowNs))} of virtual time`,
    },
    { label: 'Called at', description: `${formatDuration(call.virtualNs)} of virtual time` },
    { label: 'Privilege', description: `CPL ${call.cpl}` },
    { label: 'Convention', description: call.kind },
  ];
  if (blocked) facts.unshift({ label: 'Blocked in', description: call.blockedIn ?? 'the host' });
  return [...registers, ...facts].map((row) => ({ copyText: row.description, changed: false, ...row }));
}

function registerRow(register: keyof RegisterValues, call: HypercallRecord, format: NumberFormat): Row {
  const before = formatValue(call.before[register], format);
  const after = call.after === null ? undefined : formatValue(call.after[register], format);
  return {
    label: register.toUpperCase(),
    description: `${before} → ${after ?? '…'}`,
    changed: after !== undefined && after !== before,
  };
}

function handlerRow(handler: HypercallRecord['handler']): Row {
  if (handler === null) return { label: 'Handler', description: 'none' };
  const place: Place | undefined =
    handler.file !== undefined && handler.line !== undefined
      ? { file: handler.file, line: handler.line }
      : undefined;
  const where = place ? `  (${fileName(place.file)}:${place.line})` : '';
  return { label: 'Handler', description: `${handler.name}${where}`, place };
}

function elapsedNs(call: HypercallRecord, nowNs: number): number {
  return call.after === null ? Math.max(call.durationNs, nowNs - call.virtualNs) : call.durationNs;
}

function hypercallText(call: HypercallRecord): string {
  const registers = REGISTERS.map(
    (register) => `${register.toUpperCase()} ${call.before[register]} → ${call.after?.[register] ?? '…'}`,
  );
  return `#${call.seq} ${hypercallName(call)} → ${call.result ?? 'blocked'}  ${registers.join('  ')}`;
}

/** The calls with sequence numbers [start, end), which count from 0, behind one node. */
export interface CallRange {
  start: number;
  end: number;
}

/** Calls under one node; a range of more is divided again. */
export const PAGE = 100;

/**
 * How a log of `total` calls is laid out: the earlier calls behind one node, the newest below it. The border moves only
 * every `PAGE` calls, so that rows keep their place while calls arrive.
 */
export function layOut(total: number): { earlier: CallRange | undefined; newest: CallRange } {
  const border = Math.max(0, Math.floor(total / PAGE) - 1) * PAGE;
  return {
    earlier: border > 0 ? { start: 0, end: border } : undefined,
    newest: { start: border, end: total },
  };
}

/** Divides a range of more than `PAGE` calls into at most `PAGE` ranges, aligned to a power of `PAGE`. */
export function divide({ start, end }: CallRange): CallRange[] {
  let size = PAGE;
  while (size * PAGE < end - start) size *= PAGE;
  const parts: CallRange[] = [];
  for (let from = start; from < end; from += size)
    parts.push({ start: from, end: Math.min(from + size, end) });
  return parts;
}

export function rangeLabel({ start, end }: CallRange): string {
  return `#${start} … #${end - 1}`;
}
