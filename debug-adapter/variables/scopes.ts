/** The scopes of a frame, in the order in which they help. */
import type { DebugProtocol } from '@vscode/debugprotocol';
import { GENERAL_REGISTERS } from '../../emulator/cpu/layout.js';
import type { DebugInfo } from '../../toolchain/debuginfo/debugInfo.js';
import type { Container } from './container.js';
import { VariableList } from './cVariables.js';
import type { FrameContext } from './frameContext.js';
import { vmcsOf } from './frameContext.js';
import { HypercallRegisters, hypercallOf } from './hypercallContainer.js';
import { RegisterList, SegmentList } from './registerContainers.js';
import { flagParts } from './registerNames.js';
import type { VariableStore } from './store.js';
import { VmcsGroups } from './vmcsContainers.js';

interface ScopeRow {
  readonly name: string;
  readonly container: Container;
  readonly presentationHint?: string;
  /** Not opened by itself. */
  readonly expensive?: boolean;
}

/** The general registers and the instruction pointer, by their names in 64 or 32 bits. */
export const generalNames = (bits: 32 | 64): readonly string[] =>
  bits === 64
    ? [...GENERAL_REGISTERS, 'rip', 'rflags']
    : [...GENERAL_REGISTERS.slice(0, 8), 'rip', 'rflags'].map((name) => `e${name.slice(1)}`);

export const controlNames = ['cr0', 'cr2', 'cr3', 'cr4', 'cr8', 'efer'] as const;

/** The scopes of a code frame with handles in `store`. The first one is what VS Code opens by itself. */
export function scopesOf(context: FrameContext, store: VariableStore): DebugProtocol.Scope[] {
  return [
    ...hypercallScope(context),
    ...variableScopes(context),
    ...registerScopes(context),
    ...vmcsScope(context),
    ...globalsScope(context),
  ].map(({ name, container, presentationHint, expensive = false }) => ({
    name,
    presentationHint,
    variablesReference: store.referenceOf(container),
    expensive,
  }));
}

function hypercallScope(context: FrameContext): ScopeRow[] {
  const call = hypercallOf(context);
  return call ? [{ name: 'Hypercall (before → now)', container: new HypercallRegisters(call, context) }] : [];
}

function variableScopes(context: FrameContext): ScopeRow[] {
  const { frame } = context;
  if (!frame.image) return [];
  const visible = (info: DebugInfo) => info.variablesAt(frame.lookup, frame.inlineDepth);
  const { debugInfo } = frame.image;
  const list = (kind: 'arguments' | 'locals') => new VariableList(() => visible(debugInfo)[kind], context);
  const found = visible(debugInfo);
  const scopes: ScopeRow[] = [];
  if (found.arguments.length > 0) {
    scopes.push({ name: 'Arguments', presentationHint: 'arguments', container: list('arguments') });
  }
  if (found.locals.length > 0) {
    scopes.push({ name: 'Locals', presentationHint: 'locals', container: list('locals') });
  }
  return scopes;
}

/** Of a thread that does not run, only what its switch saved is known: scopes without any of it are left out. */
function registerScopes(context: FrameContext): ScopeRow[] {
  const names = generalNames(context.frame.bits);
  return [
    { name: 'Registers', presentationHint: 'registers', container: new RegisterList(names, context) },
    { name: 'Flags', container: new RegisterList([...flagParts.keys()], context, true) },
    { name: 'Control', container: new RegisterList(controlNames, context) },
    { name: 'Segments', container: new SegmentList(context) },
  ].filter(({ container }) => container.rows('hex', {}).length > 0);
}

function vmcsScope(context: FrameContext): ScopeRow[] {
  const vmcs = vmcsOf(context);
  return vmcs === undefined
    ? []
    : [{ name: 'VMCS', container: new VmcsGroups(vmcs, context), expensive: true }];
}

function globalsScope(context: FrameContext): ScopeRow[] {
  const info = context.frame.image?.debugInfo;
  if (!info) return [];
  const byName = () => info.globals().sort((a, b) => a.name.localeCompare(b.name));
  return [{ name: 'Globals', container: new VariableList(byName, context), expensive: true }];
}
