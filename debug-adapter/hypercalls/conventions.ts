/** Calling conventions of hypercalls: which registers say what, which numbers and results have names. */
import { GENERAL_REGISTERS } from '../../emulator/cpu/layout.js';
import type { GeneralRegister } from '../../emulator/cpu/layout.js';
import { ExitReason } from '../../emulator/vmx/exitReasons.js';

/** The registers that the hypercall views show, in their order. */
export const SHOWN_REGISTERS = [
  'rax',
  'rbx',
  'rcx',
  'rdx',
  'rsi',
] as const satisfies readonly GeneralRegister[];
export const SHOWN_INDEXES = SHOWN_REGISTERS.map((name) => GENERAL_REGISTERS.indexOf(name));

export interface CallingConvention {
  readonly kind: string;
  /** Exit reason of the VM exit that the call makes. */
  readonly exitReason: number;
  readonly number: GeneralRegister;
  readonly arguments: readonly GeneralRegister[];
  readonly result: GeneralRegister;
  readonly numberNames: Readonly<Record<number, string>>;
  /** Negative results by their absolute value. */
  readonly errorNames: Readonly<Record<number, string>>;
}

/** Documentation/virt/kvm/x86/hypercalls.rst and include/uapi/linux/kvm_para.h of Linux. */
export const kvmConvention: CallingConvention = {
  kind: 'kvm',
  exitReason: ExitReason.VMCALL,
  number: 'rax',
  arguments: ['rbx', 'rcx', 'rdx', 'rsi'],
  result: 'rax',
  numberNames: {
    1: 'KVM_HC_VAPIC_POLL_IRQ',
    2: 'KVM_HC_MMU_OP',
    3: 'KVM_HC_FEATURES',
    4: 'KVM_HC_PPC_MAP_MAGIC_PAGE',
    5: 'KVM_HC_KICK_CPU',
    6: 'KVM_HC_MIPS_GET_CLOCK_FREQ',
    7: 'KVM_HC_MIPS_EXIT_VM',
    8: 'KVM_HC_MIPS_CONSOLE_OUTPUT',
    9: 'KVM_HC_CLOCK_PAIRING',
    10: 'KVM_HC_SEND_IPI',
    11: 'KVM_HC_SCHED_YIELD',
    12: 'KVM_HC_MAP_GPA_RANGE',
    100: 'KVM_HC_HYPERSTEP_HELLO',
  },
  errorNames: {
    1: 'KVM_EPERM',
    7: 'KVM_E2BIG',
    14: 'KVM_EFAULT',
    22: 'KVM_EINVAL',
    95: 'KVM_EOPNOTSUPP',
    1000: 'KVM_ENOSYS',
  },
};

/** `-KVM_ENOSYS` for an error of the convention, else the value in hexadecimal. `bits`: width of the caller's mode. */
export function describeResult(convention: CallingConvention, value: bigint, bits: 32 | 64): string {
  const signed = BigInt.asIntN(bits, value);
  const error = signed < 0n ? convention.errorNames[Number(-signed)] : undefined;
  return error === undefined ? `0x${BigInt.asUintN(bits, value).toString(16)}` : `-${error}`;
}
