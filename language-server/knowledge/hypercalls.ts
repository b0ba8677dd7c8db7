/** Hypercall numbers and their operands, by hypervisor. */

export interface HypercallParameter {
  /** Lower-case 64-bit name of the register. */
  readonly register: string;
  readonly name: string;
  readonly meaning: string;
}

export interface Hypercall {
  readonly hypervisor: 'KVM' | 'Xen' | 'Hyper-V';
  readonly number: number;
  readonly name: string;
  readonly summary: string;
  /** undefined: not written down here. */
  readonly parameters: readonly HypercallParameter[] | undefined;
}

/** Where KVM's operands stand, in order (Documentation/virt/kvm/x86/hypercalls.rst): RAX has the number and the result. */
export const KVM_PARAMETER_REGISTERS = ['rbx', 'rcx', 'rdx', 'rsi'] as const;

type KvmRow = readonly [
  number: number,
  name: string,
  summary: string,
  parameters?: readonly (readonly [name: string, meaning: string])[],
];

// prettier-ignore
const kvmRows: readonly KvmRow[] = [
  [1, 'KVM_HC_VAPIC_POLL_IRQ', 'Lets the host check for pending interrupts on entry; it does nothing else.', []],
  [2, 'KVM_HC_MMU_OP', 'Changed page tables, long ago; today -KVM_ENOSYS.'],
  [3, 'KVM_HC_FEATURES', 'Asks for the features of a PowerPC host; on x86 CPUID leaf 0x40000001 has them.'],
  [4, 'KVM_HC_PPC_MAP_MAGIC_PAGE', 'PowerPC: maps the page that guest and host share.'],
  [5, 'KVM_HC_KICK_CPU', 'Wakes a vCPU that halts, for paravirtual spin locks.', [['flags', 'reserved, 0'], ['apic_id', 'APIC ID of the vCPU']]],
  [6, 'KVM_HC_MIPS_GET_CLOCK_FREQ', 'MIPS: the clock frequency.'],
  [7, 'KVM_HC_MIPS_EXIT_VM', 'MIPS: ends the virtual machine.'],
  [8, 'KVM_HC_MIPS_CONSOLE_OUTPUT', 'MIPS: writes to the console.'],
  [9, 'KVM_HC_CLOCK_PAIRING', 'Reads the host\'s clock and the TSC at the same moment.', [['paddr', 'guest-physical address of struct kvm_clock_pairing'], ['clock_type', 'KVM_CLOCK_PAIRING_WALLCLOCK (0)']]],
  [10, 'KVM_HC_SEND_IPI', 'Sends an IPI to up to 128 vCPUs (64 outside of 64-bit mode).', [['ipi_bitmap_low', 'targets, one bit each'], ['ipi_bitmap_high', 'targets, continued'], ['min', 'lowest APIC ID in the bitmap'], ['icr', 'vector and delivery mode as in the ICR']]],
  [11, 'KVM_HC_SCHED_YIELD', 'Yields to a vCPU that was preempted.', [['apic_id', 'APIC ID of the vCPU']]],
  [12, 'KVM_HC_MAP_GPA_RANGE', 'Tells the host which guest pages are encrypted or shared.', [['gpa', 'guest-physical address'], ['npages', 'number of 4-KByte pages'], ['attributes', 'page size and encryption status']]],
  [100, 'KVM_HC_HYPERSTEP_HELLO', 'Hyperstep\'s greeting: answers 0x55AA.', []],
];

// prettier-ignore
const xenRows: readonly (readonly [number: number, name: string, summary: string])[] = [
  [0, '__HYPERVISOR_set_trap_table', 'Sets the exception and interrupt handlers of a paravirtual guest.'],
  [1, '__HYPERVISOR_mmu_update', 'Writes page-table entries after checking them.'],
  [2, '__HYPERVISOR_set_gdt', 'Sets the GDT.'],
  [3, '__HYPERVISOR_stack_switch', 'Sets the kernel stack for entries from user mode.'],
  [4, '__HYPERVISOR_set_callbacks', 'Sets the event and failsafe callbacks.'],
  [5, '__HYPERVISOR_fpu_taskswitch', 'Sets or clears CR0.TS.'],
  [7, '__HYPERVISOR_platform_op', 'Operations on the platform, for the control domain.'],
  [8, '__HYPERVISOR_set_debugreg', 'Writes a debug register.'],
  [9, '__HYPERVISOR_get_debugreg', 'Reads a debug register.'],
  [10, '__HYPERVISOR_update_descriptor', 'Writes a descriptor after checking it.'],
  [12, '__HYPERVISOR_memory_op', 'Reserves, releases and maps memory.'],
  [13, '__HYPERVISOR_multicall', 'Makes several hypercalls at once.'],
  [14, '__HYPERVISOR_update_va_mapping', 'Writes the page-table entry of one address.'],
  [15, '__HYPERVISOR_set_timer_op', 'Sets the one-shot timer.'],
  [17, '__HYPERVISOR_xen_version', 'Version and features of the hypervisor.'],
  [18, '__HYPERVISOR_console_io', 'Writes to or reads from the console.'],
  [20, '__HYPERVISOR_grant_table_op', 'Grants, maps and copies pages between domains.'],
  [21, '__HYPERVISOR_vm_assist', 'Turns assistance on or off.'],
  [22, '__HYPERVISOR_update_va_mapping_otherdomain', 'Writes the page-table entry of one address for another domain\'s page.'],
  [23, '__HYPERVISOR_iret', 'Returns from an exception or a system call.'],
  [24, '__HYPERVISOR_vcpu_op', 'Starts, stops and describes vCPUs.'],
  [25, '__HYPERVISOR_set_segment_base', 'Sets the FS or GS base.'],
  [26, '__HYPERVISOR_mmuext_op', 'Pins page tables, changes the root, flushes the TLB.'],
  [27, '__HYPERVISOR_xsm_op', 'Security module.'],
  [28, '__HYPERVISOR_nmi_op', 'Registers the NMI handler.'],
  [29, '__HYPERVISOR_sched_op', 'Yields, blocks, shuts down, polls.'],
  [30, '__HYPERVISOR_callback_op', 'Registers callbacks.'],
  [31, '__HYPERVISOR_xenoprof_op', 'Profiling.'],
  [32, '__HYPERVISOR_event_channel_op', 'Binds, sends and closes event channels.'],
  [33, '__HYPERVISOR_physdev_op', 'Physical devices and interrupts.'],
  [34, '__HYPERVISOR_hvm_op', 'Parameters of hardware-virtualized guests.'],
  [35, '__HYPERVISOR_sysctl', 'Control of the system, for the control domain.'],
  [36, '__HYPERVISOR_domctl', 'Control of domains, for the control domain.'],
  [37, '__HYPERVISOR_kexec_op', 'Loads and runs another kernel.'],
  [39, '__HYPERVISOR_xc_reserved_op', 'Reserved for XenClient.'],
  [40, '__HYPERVISOR_xenpmu_op', 'Performance counters.'],
  [41, '__HYPERVISOR_dm_op', 'Operations of a device model.'],
];

// prettier-ignore
const hyperVRows: readonly (readonly [number: number, name: string, summary: string])[] = [
  [0x0001, 'HvCallSwitchVirtualAddressSpace', 'Switches to another address space.'],
  [0x0002, 'HvCallFlushVirtualAddressSpace', 'Flushes the TLB of an address space on several processors.'],
  [0x0003, 'HvCallFlushVirtualAddressList', 'Flushes a list of addresses on several processors.'],
  [0x0008, 'HvCallNotifyLongSpinWait', 'Tells of a spin lock that is waited for long.'],
  [0x000b, 'HvCallSendSyntheticClusterIpi', 'Sends an IPI to a set of virtual processors.'],
  [0x0011, 'HvCallVtlCall', 'Enters the next higher virtual trust level.'],
  [0x0012, 'HvCallVtlReturn', 'Returns to the lower virtual trust level.'],
  [0x0013, 'HvCallFlushVirtualAddressSpaceEx', 'As HvCallFlushVirtualAddressSpace, with a sparse processor set.'],
  [0x0014, 'HvCallFlushVirtualAddressListEx', 'As HvCallFlushVirtualAddressList, with a sparse processor set.'],
  [0x0015, 'HvCallSendSyntheticClusterIpiEx', 'As HvCallSendSyntheticClusterIpi, with a sparse processor set.'],
  [0x0050, 'HvCallGetVpRegisters', 'Reads registers of a virtual processor.'],
  [0x0051, 'HvCallSetVpRegisters', 'Writes registers of a virtual processor.'],
  [0x005c, 'HvCallPostMessage', 'Posts a message to a connection.'],
  [0x005d, 'HvCallSignalEvent', 'Signals an event of a connection.'],
  [0x007e, 'HvCallRetargetDeviceInterrupt', 'Changes the target of a device\'s interrupt.'],
  [0x0099, 'HvCallStartVirtualProcessor', 'Starts a virtual processor.'],
  [0x009a, 'HvCallGetVpIndexFromApicId', 'Virtual-processor index of an APIC ID.'],
  [0x00af, 'HvCallFlushGuestPhysicalAddressSpace', 'Flushes second-level translations.'],
  [0x00b0, 'HvCallFlushGuestPhysicalAddressList', 'Flushes second-level translations of a list.'],
];

/** Names of KVM's results below 0, by their absolute value (include/uapi/linux/kvm_para.h). */
export const KVM_ERRORS: Readonly<Record<number, string>> = {
  1: 'KVM_EPERM',
  7: 'KVM_E2BIG',
  14: 'KVM_EFAULT',
  22: 'KVM_EINVAL',
  95: 'KVM_EOPNOTSUPP',
  1000: 'KVM_ENOSYS',
};

const kvm: readonly Hypercall[] = kvmRows.map(([number, name, summary, parameters]) => ({
  hypervisor: 'KVM',
  number,
  name,
  summary,
  parameters: parameters?.map(([parameter, meaning], index) => ({
    register: KVM_PARAMETER_REGISTERS[index],
    name: parameter,
    meaning,
  })),
}));

const plain = (
  hypervisor: Hypercall['hypervisor'],
  rows: readonly (readonly [number, string, string])[],
): readonly Hypercall[] =>
  rows.map(([number, name, summary]) => ({ hypervisor, number, name, summary, parameters: undefined }));

export const hypercalls: readonly Hypercall[] = [
  ...kvm,
  ...plain('Xen', xenRows),
  ...plain('Hyper-V', hyperVRows),
];

const kvmByNumber = new Map(kvm.map((call) => [call.number, call]));
const byName = new Map(hypercalls.map((call) => [call.name, call]));

export const kvmHypercall = (number: number): Hypercall | undefined => kvmByNumber.get(number);
export const hypercallNamed = (name: string): Hypercall | undefined => byName.get(name);
