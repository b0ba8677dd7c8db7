/** Expressions in a frame: C with registers by their plain names and VMCS fields as `vmcs.guestRip`. */
import type { VmcsField } from '../../emulator/vmx/fields.js';
import { vmcsFields } from '../../emulator/vmx/fields.js';
import type { DebugInfo } from '../../toolchain/debuginfo/debugInfo.js';
import type {
  EvaluatedValue,
  EvaluationContext,
  NamedRegisters,
} from '../../toolchain/debuginfo/expression.js';
import { evaluateExpression } from '../../toolchain/debuginfo/expression.js';
import { integerOf } from '../../toolchain/debuginfo/values.js';
import type { Debuggee } from '../debuggee/debuggee.js';
import type { CodeFrame } from '../stack/frame.js';
import { parseNumber, VariableError } from './numberFormat.js';
import { isRegisterName } from './registerNames.js';

/** Where expressions are evaluated. */
export interface FrameContext {
  readonly debuggee: Debuggee;
  readonly frame: CodeFrame;
}

const fieldsByName = new Map<string, VmcsField>(
  vmcsFields.flatMap((field) => [
    [field.name.toLowerCase(), field],
    [field.constant.toLowerCase(), field],
  ]),
);

/** A VMCS field by the manual's name (`guestRip`) or the kernel's (`GUEST_RIP`), in any case. */
export const vmcsFieldNamed = (name: string): VmcsField | undefined => fieldsByName.get(name.toLowerCase());

/** The VMCS of the virtual processor whose thread a frame is in; undefined in a thread that runs none. */
export function vcpuVmcsOf({ debuggee, frame }: FrameContext): number | undefined {
  if (frame.vmcs !== undefined) return frame.vmcs;
  const vcpus = debuggee.hostThreads?.threads.filter(({ vcpuId }) => vcpuId >= 0) ?? [];
  if (vcpus.length === 0) return debuggee.machine.currentVmcs;
  // The thread of vCPU n has the id n + 1 (stack/threads.ts).
  return vcpus.find(({ vcpuId }) => vcpuId === frame.threadId - 1)?.vmcs || undefined;
}

/** The VMCS that a frame is about: its virtual processor's, else the current one of the processor. */
export const vmcsOf = (context: FrameContext): number | undefined =>
  vcpuVmcsOf(context) ?? context.debuggee.machine.currentVmcs;

export const widthInBits = (field: VmcsField): number => (field.width === 'natural' ? 64 : field.width);

/** How a VMCS field is spelled for the evaluator, which knows registers only. */
const FIELD_PREFIX = 'vmcs_';

/** Names of a frame's registers, and its VMCS fields behind them. */
function registersOf(context: FrameContext): NamedRegisters {
  const { debuggee, frame } = context;
  const fieldOf = (name: string): VmcsField | undefined =>
    name.startsWith(FIELD_PREFIX) ? vmcsFieldNamed(name.slice(FIELD_PREFIX.length)) : undefined;
  return {
    read(name) {
      const field = fieldOf(name);
      if (!field) return frame.registers.read(name.toLowerCase());
      const vmcs = vmcsOf(context);
      if (vmcs === undefined) throw new VariableError('there is no current VMCS');
      const value = debuggee.machine.readVmcs(vmcs, field.encoding);
      return value === undefined ? undefined : { value, bits: widthInBits(field) };
    },
    write(name, value) {
      const field = fieldOf(name);
      const vmcs = vmcsOf(context);
      if (!field) return frame.registers.write(name.toLowerCase(), value);
      return vmcs !== undefined && debuggee.machine.writeVmcs(vmcs, field.encoding, value);
    },
  };
}

/** Symbols to ask: of the frame's image, else of any of its world. */
const debugInfoOf = ({ debuggee, frame }: FrameContext): DebugInfo =>
  (frame.image ?? debuggee.images(frame.world)[0] ?? debuggee.allImages[0]).debugInfo;

export function evaluationContext(context: FrameContext): EvaluationContext {
  const { frame } = context;
  return {
    debugInfo: debugInfoOf(context),
    address: frame.lookup,
    inlineDepth: frame.inlineDepth,
    machine: frame.machine,
    registers: registersOf(context),
    writer: frame.writer,
  };
}

/** Whether the program has a name that hides a register of that name. */
export function isProgramName(name: string, context: FrameContext): boolean {
  const { frame } = context;
  const info = debugInfoOf(context);
  const { locals, arguments: parameters } = info.variablesAt(frame.lookup, frame.inlineDepth);
  return (
    [...locals, ...parameters].some((variable) => variable.name === name) ||
    info.globalNamed(name, frame.lookup) !== undefined ||
    info.enumeratorNamed(name) !== undefined ||
    info.symbolNamed(name) !== undefined
  );
}

// A character literal is taken whole, so that nothing inside it is a name; a member's name is not a register.
const WORD = /'(?:[^'\\]|\\.)*'|\$?\bvmcs\s*\.\s*(\w+)|(?:\.|->)\s*\w+|\$\w+|\b0[xX]\w+|\b[A-Za-z_]\w*/g;

/** The expression as the evaluator takes it: `rax` as `$rax`, `vmcs.guestRip` as `$vmcs_guestRip`. */
export function withRegisters(text: string, context: FrameContext): string {
  return text.replace(WORD, (word: string, field: string | undefined) => {
    if (field !== undefined) return vmcsFieldNamed(field) ? `$${FIELD_PREFIX}${field}` : word;
    const isPlain = /^[A-Za-z_]/.test(word) && isRegisterName(word.toLowerCase());
    return isPlain && !isProgramName(word, context) ? `$${word}` : word;
  });
}

/** Evaluates an expression of the user. Throws ExpressionError or VariableError with the reason. */
export function evaluateIn(text: string, context: FrameContext): EvaluatedValue {
  return evaluateExpression(withRegisters(text, context), evaluationContext(context));
}

/** The number that a user typed as a new value: a literal or an expression in the frame. Throws as `evaluateIn`. */
export function numberFrom(text: string, context: FrameContext): bigint {
  const literal = parseNumber(text);
  if (literal !== undefined) return literal;
  if (text.trim() === '') throw new VariableError('a value is missing');
  const value = evaluateIn(text, context);
  if (value.problem !== undefined) throw new VariableError(value.problem);
  return integerOf(value);
}

/** The function or data at an address of a frame's world: `kvm_emulate_hypercall`, `table+16`. */
export function symbolNameIn({ debuggee, frame }: FrameContext): (address: bigint) => string | undefined {
  return (address) => {
    const symbol = debuggee.imageAt(frame.world, address)?.debugInfo.symbolAt(address);
    if (!symbol || symbol.kind === 'absolute') return undefined;
    return symbol.address === address ? symbol.name : `${symbol.name}+${address - symbol.address}`;
  };
}
