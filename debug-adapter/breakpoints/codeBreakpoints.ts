/** Breakpoints on code: source lines, functions, instructions. */
import type { DebugProtocol } from '@vscode/debugprotocol';
import type { World } from '../../emulator/machine/machineTypes.js';
import type { Debuggee } from '../debuggee/debuggee.js';
import { withoutGeneration } from '../disassembly/instructionReference.js';
import { Condition } from './conditions/condition.js';
import type { ConditionTexts } from './conditions/condition.js';
import { parseReference } from './reference.js';
import type { StopCause } from './types.js';

export interface Place {
  readonly world: World;
  readonly address: bigint;
}

/** Where a breakpoint came to stand. */
export interface Resolved {
  readonly places: readonly Place[];
  readonly line?: number;
  /** Why it stands nowhere. */
  readonly message?: string;
}

export interface CodeBreakpoint {
  readonly id: number;
  readonly reason: StopCause['reason'];
  readonly condition: Condition;
  /** Asked again when images change. */
  readonly resolve: () => Resolved;
  readonly source: DebugProtocol.Source | undefined;
  resolved: Resolved;
}

/** What a resolution gives the client. */
export function protocolBreakpoint({
  id,
  condition,
  source,
  resolved,
}: CodeBreakpoint): DebugProtocol.Breakpoint {
  const verified = resolved.places.length > 0 && condition.error === undefined;
  return {
    id,
    verified,
    ...(source && { source }),
    ...(resolved.line !== undefined && { line: resolved.line }),
    ...(!verified && { message: condition.error ?? resolved.message }),
  };
}

/** The nearest line with code, in every image that has code of the file. */
export function resolveLine(debuggee: Debuggee, path: string, line: number): Resolved {
  const places: Place[] = [];
  let actual: number | undefined;
  let isKnown = false;
  for (const image of debuggee.allImages) {
    const name = image.debugName(path);
    const found = name === undefined ? undefined : image.debugInfo.addressesOfLine(name, line);
    isKnown ||= name !== undefined;
    if (!found || (actual !== undefined && found.line > actual)) continue;
    if (actual === undefined || found.line < actual) places.length = 0;
    actual = found.line;
    places.push(...found.addresses.map((address) => ({ world: image.world, address })));
  }
  if (places.length > 0) return { places, line: actual };
  const message = isKnown
    ? `there is no code at or after line ${line}`
    : 'neither the guest nor the host has code of this file';
  return { places, message };
}

/** The bodies of all functions of that name. */
export function resolveFunction(debuggee: Debuggee, name: string): Resolved {
  const places = debuggee.allImages.flatMap(({ world, debugInfo }) =>
    debugInfo.functionsNamed(name.trim()).map(({ bodyStart }) => ({ world, address: bodyStart })),
  );
  if (places.length > 0) return { places };
  return { places, message: `neither the guest nor the host has a function ${name}` };
}

export function resolveInstruction(debuggee: Debuggee, reference: string, offset: number): Resolved {
  try {
    const { world, address } = parseReference(withoutGeneration(reference), debuggee.machine.world);
    return { places: [{ world, address: BigInt.asUintN(64, address + BigInt(offset)) }] };
  } catch (error) {
    return { places: [], message: error instanceof Error ? error.message : String(error) };
  }
}

/** Makes breakpoints with ids of their own. */
export class CodeBreakpointFactory {
  private lastId = 0;

  constructor(private readonly output: (text: string) => void) {}

  nextId(): number {
    return ++this.lastId;
  }

  create(
    reason: StopCause['reason'],
    texts: ConditionTexts,
    resolve: () => Resolved,
    source?: DebugProtocol.Source,
  ): CodeBreakpoint {
    const condition = new Condition(texts, this.output);
    return { id: this.nextId(), reason, condition, resolve, source, resolved: resolve() };
  }
}
