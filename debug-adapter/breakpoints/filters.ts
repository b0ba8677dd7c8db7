/** The exception filters of the initialize response: coarse groups of VM exits, guest exceptions, and what is fatal. */
import type { DebugProtocol } from '@vscode/debugprotocol';
import { ExitReason } from '../../emulator/vmx/exitReasons.js';

export interface ExceptionFilter extends DebugProtocol.ExceptionBreakpointsFilter {
  /** The exits that it stops at. */
  readonly exits: readonly number[];
}

const filter = (
  name: string,
  label: string,
  description: string,
  exits: readonly number[],
  isDefault = false,
): ExceptionFilter => ({
  filter: name,
  label,
  description,
  default: isDefault,
  supportsCondition: true,
  conditionDescription: 'An expression on the guest, such as $rax == 5',
  exits,
});

export const GUEST_EXCEPTIONS = 'guestExceptions';
export const FATAL = 'fatal';

export const exceptionFilters: readonly ExceptionFilter[] = [
  filter('hypercalls', 'Hypercalls', 'Stop at VMCALL exits.', [ExitReason.VMCALL]),
  filter('cpuid', 'CPUID', 'Stop at CPUID exits.', [ExitReason.CPUID]),
  filter('io', 'Port I/O', 'Stop at exits by IN, OUT, INS, OUTS.', [ExitReason.IO_INSTRUCTION]),
  filter('msr', 'MSR access', 'Stop at RDMSR and WRMSR exits.', [ExitReason.MSR_READ, ExitReason.MSR_WRITE]),
  filter('controlRegisters', 'Control registers', 'Stop at control-register exits.', [ExitReason.CR_ACCESS]),
  filter('ept', 'EPT violations', 'Stop at EPT violations and misconfigurations.', [
    ExitReason.EPT_VIOLATION,
    ExitReason.EPT_MISCONFIG,
  ]),
  filter(
    GUEST_EXCEPTIONS,
    'Guest exceptions',
    'Stop when the guest raises an exception, before it is delivered.',
    [],
  ),
  filter(
    FATAL,
    'Fatal: triple fault, failed VM entry',
    'Stop when the guest triple-faults or a check refuses a VM entry.',
    [ExitReason.TRIPLE_FAULT],
    true,
  ),
];
