/** Breakpoints on VM exits, guest exceptions and refused entries: by reason, or by a filter. */
import type { DebugProtocol } from '@vscode/debugprotocol';
import type { World } from '../../emulator/machine/machineTypes.js';
import type { EntryFailure, WorldSwitch } from '../../emulator/machine/worldSwitch.js';
import { ExitReason, exitReason, vmEntryRow } from '../../emulator/vmx/exitReasons.js';
import { parseNumber, VariableError } from '../variables/numberFormat.js';
import { explainEntryFailure } from '../explain/ends.js';
import type { RaisedFault } from '../explain/failure.js';
import { exceptionName } from '../explain/faults.js';
import { Condition } from './conditions/condition.js';
import type { ConditionTexts, Verdict } from './conditions/condition.js';
import { exceptionFilters, FATAL, GUEST_EXCEPTIONS } from './filters.js';
import type { HitContext, StopCause } from './types.js';

/** Says more of an exit: the name of the hypercall, the cause of a triple fault. */
export interface DescribeExit {
  hypercall(event: WorldSwitch): string | undefined;
  tripleFault(event: WorldSwitch): string | undefined;
}

/** A breakpoint on a reason: what it depends on. */
export interface ExitSettings extends ConditionTexts {
  readonly reason: number;
  /** Physical address of a VMCS; other virtual processors pass. */
  readonly vmcs?: string;
}

interface ExitBreakpoint {
  readonly vmcs?: number;
  readonly id: number;
  readonly condition: Condition;
}

export class ExitBreakpoints {
  /** From the VM Exits view, and from the filters; by reason. */
  private byReason = new Map<number, ExitBreakpoint>();
  private filters = new Map<string, ExitBreakpoint>();

  constructor(
    private readonly nextId: () => number,
    private readonly output: (text: string) => void,
    private readonly describe: DescribeExit,
  ) {}

  /** Throws VariableError for a VMCS that is no number. */
  setReasons(reasons: readonly ExitSettings[]): void {
    this.byReason = new Map(
      reasons.map(({ reason, vmcs, ...texts }) => [reason, { ...this.make(texts), vmcs: addressOf(vmcs) }]),
    );
  }

  hasReason(reason: number): boolean {
    return this.byReason.has(reason);
  }

  setFilters({
    filters,
    filterOptions,
  }: DebugProtocol.SetExceptionBreakpointsArguments): DebugProtocol.Breakpoint[] {
    const chosen = [
      ...filters.map((filterId) => ({ filterId, condition: undefined })),
      ...(filterOptions ?? []),
    ];
    this.filters = new Map();
    return chosen.map(({ filterId, condition }) => {
      const known = exceptionFilters.some(({ filter }) => filter === filterId);
      if (!known) return { verified: false, message: `there is no filter "${filterId}"` };
      const breakpoint = this.make({ condition });
      this.filters.set(filterId, breakpoint);
      return { id: breakpoint.id, verified: true };
    });
  }

  wantsSwitch(event: WorldSwitch): boolean {
    return this.of(event) !== undefined;
  }

  atSwitch(event: WorldSwitch, context: HitContext): StopCause | undefined {
    const breakpoint = this.of(event);
    if (!breakpoint) return undefined;
    if (!event.exit) return this.cause(breakpoint, context, { ...ENTRY, switch: event });
    const { reason } = event.exit;
    const isFatal = reason === ExitReason.TRIPLE_FAULT;
    const detail = this.describe.hypercall(event);
    const title = `VM exit: ${exitReason(reason)?.title ?? `reason ${reason}`}${detail ? ` (${detail})` : ''}`;
    return this.cause(breakpoint, context, {
      reason: isFatal ? 'exception' : 'breakpoint',
      description: title,
      text: this.describe.tripleFault(event),
      switch: event,
    });
  }

  wantsException(world: World): boolean {
    return world === 'guest' && this.filters.has(GUEST_EXCEPTIONS);
  }

  atException(raised: RaisedFault, context: HitContext): StopCause | undefined {
    const breakpoint = this.filters.get(GUEST_EXCEPTIONS);
    if (!breakpoint) return undefined;
    const name = exceptionName(raised.fault.vector);
    return this.cause(breakpoint, context, {
      reason: 'exception',
      description: `Guest exception: ${name}`,
      text: name,
      fault: raised,
    });
  }

  get wantsEntryFailure(): boolean {
    return this.filters.has(FATAL);
  }

  atEntryFailure(failure: EntryFailure, context: HitContext): StopCause | undefined {
    const breakpoint = this.filters.get(FATAL);
    return (
      breakpoint &&
      this.cause(breakpoint, context, {
        reason: 'exception',
        description: 'VM entry failed',
        text: explainEntryFailure(failure),
        entryFailure: failure,
      })
    );
  }

  private make(texts: ConditionTexts): ExitBreakpoint {
    return { id: this.nextId(), condition: new Condition(texts, this.output) };
  }

  private of({ exit, vmcs }: WorldSwitch): ExitBreakpoint | undefined {
    const reason = exit ? exit.reason : vmEntryRow.number;
    const direct = this.byReason.get(reason);
    if (direct && (direct.vmcs === undefined || direct.vmcs === vmcs)) return direct;
    const filter = exceptionFilters.find(
      ({ filter, exits }) => this.filters.has(filter) && exits.includes(reason),
    );
    return filter && this.filters.get(filter.filter);
  }

  private cause(breakpoint: ExitBreakpoint, context: HitContext, cause: StopCause): StopCause | undefined {
    return withVerdict(breakpoint.condition.ask(context), { ...cause, hitBreakpointIds: [breakpoint.id] });
  }
}

const ENTRY: StopCause = { reason: 'breakpoint', description: vmEntryRow.title };

function addressOf(vmcs: string | undefined): number | undefined {
  if (vmcs === undefined) return undefined;
  const address = parseNumber(vmcs);
  if (address === undefined) throw new VariableError(`"${vmcs}" is not the address of a VMCS`);
  return Number(address);
}

/** What cannot be evaluated stops, and the description says why. */
export function withVerdict(verdict: Verdict, cause: StopCause): StopCause | undefined {
  if (verdict === 'pass') return undefined;
  if (verdict.problem === undefined) return cause;
  return { ...cause, description: `${cause.description ?? 'Breakpoint'}: ${verdict.problem}` };
}
