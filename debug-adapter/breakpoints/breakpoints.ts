/** All breakpoints of a session: kinds put together behind what the runner asks. */
import type { DebugProtocol } from '@vscode/debugprotocol';
import type { WatchHit, Watchpoint, World } from '../../emulator/machine/machineTypes.js';
import type { EntryFailure, WorldSwitch } from '../../emulator/machine/worldSwitch.js';
import type { Debuggee } from '../debuggee/debuggee.js';
import type { CodeBreakpoint } from './codeBreakpoints.js';
import {
  CodeBreakpointFactory,
  protocolBreakpoint,
  resolveFunction,
  resolveInstruction,
  resolveLine,
} from './codeBreakpoints.js';
import { DataBreakpoints } from './dataBreakpoints.js';
import { explainTripleFault } from '../explain/failure.js';
import type { RaisedFault } from '../explain/failure.js';
import { nameOf } from '../hypercalls/record.js';
import type { ExitSettings } from './exitBreakpoints.js';
import { ExitBreakpoints, withVerdict } from './exitBreakpoints.js';
import type { BreakpointSet, HitContext, StopCause } from './types.js';

export interface BreakpointEvents {
  /** Where these stand has changed. */
  onChanged(breakpoints: readonly DebugProtocol.Breakpoint[]): void;
  /** What a log point says. */
  onOutput(text: string): void;
}

/** Requests as they were set, so that a restarted session sets them again. */
interface Settings {
  readonly sources: Map<string, DebugProtocol.SetBreakpointsArguments>;
  functions: DebugProtocol.SetFunctionBreakpointsArguments;
  instructions: DebugProtocol.SetInstructionBreakpointsArguments;
  data: DebugProtocol.SetDataBreakpointsArguments;
  exceptions: DebugProtocol.SetExceptionBreakpointsArguments;
  vmExits: readonly ExitSettings[];
}

export class Breakpoints implements BreakpointSet {
  private readonly settings: Settings = {
    sources: new Map(),
    functions: { breakpoints: [] },
    instructions: { breakpoints: [] },
    data: { breakpoints: [] },
    exceptions: { filters: [] },
    vmExits: [],
  };
  private readonly factory: CodeBreakpointFactory;
  private readonly exits: ExitBreakpoints;
  private readonly data: DataBreakpoints;
  private readonly bySource = new Map<string, readonly CodeBreakpoint[]>();
  private functions: readonly CodeBreakpoint[] = [];
  private instructions: readonly CodeBreakpoint[] = [];
  /** Breakpoints by address, of each world. */
  private readonly byAddress: Record<World, ReadonlyMap<bigint, readonly CodeBreakpoint[]>> = {
    root: new Map(),
    guest: new Map(),
  };

  constructor(
    private readonly debuggee: Debuggee,
    private readonly events: BreakpointEvents,
  ) {
    const output = (text: string): void => events.onOutput(text);
    this.factory = new CodeBreakpointFactory(output);
    const nextId = (): number => this.factory.nextId();
    this.exits = new ExitBreakpoints(nextId, output, {
      hypercall: (event) => this.hypercallName(event),
      tripleFault: (event) => explainTripleFault(debuggee, event),
    });
    this.data = new DataBreakpoints(nextId, output);
  }

  /** Sets what another session had; its ids are told anew. */
  adopt({ settings }: Breakpoints): void {
    for (const args of settings.sources.values()) this.setSource(args);
    this.setFunctions(settings.functions);
    this.setInstructions(settings.instructions);
    this.setData(settings.data);
    this.setExceptions(settings.exceptions);
    this.setVmExits(settings.vmExits);
  }

  // -------------------------------------------------------------- requests

  setSource(args: DebugProtocol.SetBreakpointsArguments): DebugProtocol.Breakpoint[] {
    const path = args.source.path ?? args.source.name ?? '';
    this.settings.sources.set(path, args);
    const breakpoints = (args.breakpoints ?? []).map(({ line, ...texts }) =>
      this.factory.create('breakpoint', texts, () => resolveLine(this.debuggee, path, line), args.source),
    );
    this.bySource.set(path, breakpoints);
    this.index();
    return breakpoints.map(protocolBreakpoint);
  }

  setFunctions(args: DebugProtocol.SetFunctionBreakpointsArguments): DebugProtocol.Breakpoint[] {
    this.settings.functions = args;
    this.functions = args.breakpoints.map(({ name, ...texts }) =>
      this.factory.create('function breakpoint', texts, () => resolveFunction(this.debuggee, name)),
    );
    this.index();
    return this.functions.map(protocolBreakpoint);
  }

  setInstructions(args: DebugProtocol.SetInstructionBreakpointsArguments): DebugProtocol.Breakpoint[] {
    this.settings.instructions = args;
    this.instructions = args.breakpoints.map(({ instructionReference, offset = 0, ...texts }) =>
      this.factory.create('instruction breakpoint', texts, () =>
        resolveInstruction(this.debuggee, instructionReference, offset),
      ),
    );
    this.index();
    return this.instructions.map(protocolBreakpoint);
  }

  setData(args: DebugProtocol.SetDataBreakpointsArguments): DebugProtocol.Breakpoint[] {
    this.settings.data = args;
    return this.data.set(args);
  }

  setExceptions(args: DebugProtocol.SetExceptionBreakpointsArguments): DebugProtocol.Breakpoint[] {
    this.settings.exceptions = args;
    return this.exits.setFilters(args);
  }

  /** The reasons that are ticked in the VM Exits view. */
  setVmExits(reasons: readonly ExitSettings[]): void {
    this.settings.vmExits = reasons;
    this.exits.setReasons(reasons);
  }

  hasVmExit(reason: number): boolean {
    return this.exits.hasReason(reason);
  }

  /** Lines of a file where a breakpoint can stand. */
  locations(args: DebugProtocol.BreakpointLocationsArguments): DebugProtocol.BreakpointLocation[] {
    const lines = new Set<number>();
    for (const image of this.debuggee.allImages) {
      const name = image.debugName(args.source.path ?? '');
      for (const line of name === undefined ? [] : image.debugInfo.linesIn(name)) lines.add(line);
    }
    const last = args.endLine ?? args.line;
    return [...lines]
      .filter((line) => line >= args.line && line <= last)
      .sort((a, b) => a - b)
      .map((line) => ({ line }));
  }

  /** Symbols came or went: everything is resolved again. */
  imagesChanged(): void {
    const changed: DebugProtocol.Breakpoint[] = [];
    for (const breakpoint of this.codeBreakpoints) {
      const before = JSON.stringify(protocolBreakpoint(breakpoint));
      breakpoint.resolved = breakpoint.resolve();
      const now = protocolBreakpoint(breakpoint);
      if (JSON.stringify(now) !== before) changed.push(now);
    }
    this.index();
    if (changed.length > 0) this.events.onChanged(changed);
  }

  // -------------------------------------------------------------- the runner's questions

  addresses(world: World): ReadonlySet<bigint> {
    return new Set(this.byAddress[world].keys());
  }

  get watchpoints(): readonly Watchpoint[] {
    return this.data.watchpoints;
  }

  atAddress(world: World, address: bigint, context: HitContext): StopCause | undefined {
    for (const breakpoint of this.byAddress[world].get(address) ?? []) {
      const { id, reason } = breakpoint;
      const cause = withVerdict(breakpoint.condition.ask(context), { reason, hitBreakpointIds: [id] });
      if (cause) return cause;
    }
    return undefined;
  }

  atWatch(hits: readonly WatchHit[], context: HitContext): StopCause | undefined {
    return this.data.at(hits, context);
  }

  wantsSwitch(event: WorldSwitch): boolean {
    return this.exits.wantsSwitch(event);
  }

  atSwitch(event: WorldSwitch, context: HitContext): StopCause | undefined {
    return this.exits.atSwitch(event, context);
  }

  wantsException(world: World): boolean {
    return this.exits.wantsException(world);
  }

  atException(raised: RaisedFault, context: HitContext): StopCause | undefined {
    return this.exits.atException(raised, context);
  }

  wantsEntryFailure(): boolean {
    return this.exits.wantsEntryFailure;
  }

  atEntryFailure(failure: EntryFailure, context: HitContext): StopCause | undefined {
    return this.exits.atEntryFailure(failure, context);
  }

  // -------------------------------------------------------------- inside

  private get codeBreakpoints(): CodeBreakpoint[] {
    return [...[...this.bySource.values()].flat(), ...this.functions, ...this.instructions];
  }

  private index(): void {
    const maps = { root: new Map<bigint, CodeBreakpoint[]>(), guest: new Map<bigint, CodeBreakpoint[]>() };
    for (const breakpoint of this.codeBreakpoints) {
      if (breakpoint.condition.error !== undefined) continue;
      for (const { world, address } of breakpoint.resolved.places) {
        maps[world].set(address, [...(maps[world].get(address) ?? []), breakpoint]);
      }
    }
    Object.assign(this.byAddress, maps);
  }

  private hypercallName(event: WorldSwitch): string | undefined {
    const { log, ownHypercalls } = this.debuggee;
    const call = log.openCallOf(event.vmcs);
    if (!call) return undefined;
    return nameOf(log, call, ownHypercalls) ?? `hypercall ${call.nr}`;
  }
}
