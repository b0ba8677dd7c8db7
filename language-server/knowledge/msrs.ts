/** Model-specific registers: SDM volume 4, APM 2 appendix A, and those of hypervisors. */

type Row = readonly [index: number, name: string, meaning: string];

// prettier-ignore
const rows: readonly Row[] = [
  [0x10, 'IA32_TIME_STAMP_COUNTER', 'The time-stamp counter.'],
  [0x17, 'IA32_PLATFORM_ID', 'Which microcode updates fit this processor.'],
  [0x1b, 'IA32_APIC_BASE', 'Base of the local APIC; bit 8: bootstrap processor, bit 10: x2APIC, bit 11: enabled.'],
  [0x3a, 'IA32_FEATURE_CONTROL', 'Bit 0: lock, bit 1: VMX inside SMX, bit 2: VMX outside SMX. VMXON needs the lock and its bit.'],
  [0x3b, 'IA32_TSC_ADJUST', 'What was added to the TSC.'],
  [0x48, 'IA32_SPEC_CTRL', 'Speculation: IBRS, STIBP, SSBD.'],
  [0x49, 'IA32_PRED_CMD', 'Bit 0: indirect branch prediction barrier.'],
  [0x79, 'IA32_BIOS_UPDT_TRIG', 'Loads a microcode update.'],
  [0x8b, 'IA32_BIOS_SIGN_ID', 'Revision of the microcode.'],
  [0xe7, 'IA32_MPERF', 'Counts at the maximum frequency.'],
  [0xe8, 'IA32_APERF', 'Counts at the actual frequency.'],
  [0xfe, 'IA32_MTRRCAP', 'What the MTRRs can do.'],
  [0x10a, 'IA32_ARCH_CAPABILITIES', 'Which speculation problems the processor does not have.'],
  [0x10b, 'IA32_FLUSH_CMD', 'Bit 0: flush the L1 data cache.'],
  [0x174, 'IA32_SYSENTER_CS', 'CS of SYSENTER.'],
  [0x175, 'IA32_SYSENTER_ESP', 'rSP of SYSENTER.'],
  [0x176, 'IA32_SYSENTER_EIP', 'rIP of SYSENTER.'],
  [0x179, 'IA32_MCG_CAP', 'Machine-check capabilities.'],
  [0x17a, 'IA32_MCG_STATUS', 'Machine-check status.'],
  [0x186, 'IA32_PERFEVTSEL0', 'Event of performance counter 0.'],
  [0x19a, 'IA32_CLOCK_MODULATION', 'Clock modulation.'],
  [0x19c, 'IA32_THERM_STATUS', 'Thermal status.'],
  [0x1a0, 'IA32_MISC_ENABLE', 'Bit 0: fast strings, bit 18: MONITOR, bit 22: limit CPUID, bit 34: no XD.'],
  [0x1b0, 'IA32_ENERGY_PERF_BIAS', 'Performance or energy.'],
  [0x1d9, 'IA32_DEBUGCTL', 'Last-branch records, single-step on branches and other debug functions.'],
  [0x200, 'IA32_MTRR_PHYSBASE0', 'Base and type of memory range 0.'],
  [0x201, 'IA32_MTRR_PHYSMASK0', 'Mask of memory range 0.'],
  [0x250, 'IA32_MTRR_FIX64K_00000', 'Memory types of the first 512 KBytes.'],
  [0x277, 'IA32_PAT', 'The page attribute table: eight memory types.'],
  [0x2ff, 'IA32_MTRR_DEF_TYPE', 'Default memory type; bit 11: MTRRs enabled.'],
  [0x345, 'IA32_PERF_CAPABILITIES', 'What performance monitoring can do.'],
  [0x38d, 'IA32_FIXED_CTR_CTRL', 'Control of the fixed performance counters.'],
  [0x38f, 'IA32_PERF_GLOBAL_CTRL', 'Enables performance counters.'],
  [0x480, 'IA32_VMX_BASIC', 'VMCS revision, size and memory type; bit 55: the TRUE capability MSRs exist.'],
  [0x481, 'IA32_VMX_PINBASED_CTLS', 'Which pin-based controls may be 0 (low half) and 1 (high half).'],
  [0x482, 'IA32_VMX_PROCBASED_CTLS', 'Which primary processor-based controls may be 0 and 1.'],
  [0x483, 'IA32_VMX_EXIT_CTLS', 'Which VM-exit controls may be 0 and 1.'],
  [0x484, 'IA32_VMX_ENTRY_CTLS', 'Which VM-entry controls may be 0 and 1.'],
  [0x485, 'IA32_VMX_MISC', 'Preemption-timer rate, activity states, CR3 targets and more.'],
  [0x486, 'IA32_VMX_CR0_FIXED0', 'CR0 bits that must be 1 in VMX operation.'],
  [0x487, 'IA32_VMX_CR0_FIXED1', 'CR0 bits that may be 1 in VMX operation.'],
  [0x488, 'IA32_VMX_CR4_FIXED0', 'CR4 bits that must be 1 in VMX operation.'],
  [0x489, 'IA32_VMX_CR4_FIXED1', 'CR4 bits that may be 1 in VMX operation.'],
  [0x48a, 'IA32_VMX_VMCS_ENUM', 'Highest index of a VMCS field.'],
  [0x48b, 'IA32_VMX_PROCBASED_CTLS2', 'Which secondary processor-based controls may be 1.'],
  [0x48c, 'IA32_VMX_EPT_VPID_CAP', 'What EPT, INVEPT and INVVPID can do.'],
  [0x48d, 'IA32_VMX_TRUE_PINBASED_CTLS', 'As IA32_VMX_PINBASED_CTLS, the default1 class told truly.'],
  [0x48e, 'IA32_VMX_TRUE_PROCBASED_CTLS', 'As IA32_VMX_PROCBASED_CTLS, the default1 class told truly.'],
  [0x48f, 'IA32_VMX_TRUE_EXIT_CTLS', 'As IA32_VMX_EXIT_CTLS, the default1 class told truly.'],
  [0x490, 'IA32_VMX_TRUE_ENTRY_CTLS', 'As IA32_VMX_ENTRY_CTLS, the default1 class told truly.'],
  [0x491, 'IA32_VMX_VMFUNC', 'Which VM functions exist.'],
  [0x492, 'IA32_VMX_PROCBASED_CTLS3', 'Which tertiary processor-based controls may be 1.'],
  [0x600, 'IA32_DS_AREA', 'Debug store area.'],
  [0x6a0, 'IA32_U_CET', 'Control-flow enforcement at CPL 3.'],
  [0x6a2, 'IA32_S_CET', 'Control-flow enforcement below CPL 3.'],
  [0x6e0, 'IA32_TSC_DEADLINE', 'TSC value at which the APIC timer fires.'],
  [0x770, 'IA32_PM_ENABLE', 'Bit 0: hardware P-states.'],
  [0x802, 'IA32_X2APIC_APICID', 'x2APIC: the APIC ID.'],
  [0x803, 'IA32_X2APIC_VERSION', 'x2APIC: version.'],
  [0x808, 'IA32_X2APIC_TPR', 'x2APIC: task priority.'],
  [0x80a, 'IA32_X2APIC_PPR', 'x2APIC: processor priority.'],
  [0x80b, 'IA32_X2APIC_EOI', 'x2APIC: end of interrupt.'],
  [0x80d, 'IA32_X2APIC_LDR', 'x2APIC: logical destination.'],
  [0x80f, 'IA32_X2APIC_SIVR', 'x2APIC: spurious-interrupt vector; bit 8: enabled.'],
  [0x828, 'IA32_X2APIC_ESR', 'x2APIC: error status.'],
  [0x830, 'IA32_X2APIC_ICR', 'x2APIC: interrupt command, 64 bits in one write.'],
  [0x832, 'IA32_X2APIC_LVT_TIMER', 'x2APIC: timer entry.'],
  [0x838, 'IA32_X2APIC_INIT_COUNT', 'x2APIC: initial count of the timer.'],
  [0x839, 'IA32_X2APIC_CUR_COUNT', 'x2APIC: current count of the timer.'],
  [0x83e, 'IA32_X2APIC_DIV_CONF', 'x2APIC: divider of the timer.'],
  [0x83f, 'IA32_X2APIC_SELF_IPI', 'x2APIC: sends an interrupt to itself.'],
  [0xda0, 'IA32_XSS', 'Supervisor state components that XSAVES manages.'],
  [0x40000000, 'HV_X64_MSR_GUEST_OS_ID', 'Hyper-V: what the guest is. Must be set before the hypercall page.'],
  [0x40000001, 'HV_X64_MSR_HYPERCALL', 'Hyper-V: guest-physical page of the hypercall code; bit 0: enabled.'],
  [0x40000002, 'HV_X64_MSR_VP_INDEX', 'Hyper-V: index of this virtual processor.'],
  [0x40000020, 'HV_X64_MSR_TIME_REF_COUNT', 'Hyper-V: time in units of 100 ns.'],
  [0x40000021, 'HV_X64_MSR_REFERENCE_TSC', 'Hyper-V: page with the scale of the TSC.'],
  [0x4b564d00, 'MSR_KVM_WALL_CLOCK_NEW', 'KVM: guest-physical address of struct pvclock_wall_clock.'],
  [0x4b564d01, 'MSR_KVM_SYSTEM_TIME_NEW', 'KVM: guest-physical address of struct pvclock_vcpu_time_info; bit 0: enabled.'],
  [0x4b564d02, 'MSR_KVM_ASYNC_PF_EN', 'KVM: asynchronous page faults.'],
  [0x4b564d03, 'MSR_KVM_STEAL_TIME', 'KVM: guest-physical address of struct kvm_steal_time; bit 0: enabled.'],
  [0x4b564d04, 'MSR_KVM_PV_EOI_EN', 'KVM: paravirtual end of interrupt.'],
  [0x4b564d05, 'MSR_KVM_POLL_CONTROL', 'KVM: whether the host polls after HLT.'],
  [0x4b564d06, 'MSR_KVM_ASYNC_PF_INT', 'KVM: vector of asynchronous page faults.'],
  [0x4b564d07, 'MSR_KVM_ASYNC_PF_ACK', 'KVM: acknowledges asynchronous page faults.'],
  [0x4b564d08, 'MSR_KVM_MIGRATION_CONTROL', 'KVM: whether the guest may be migrated.'],
  [0xc0000080, 'IA32_EFER', 'Bit 0: SYSCALL, bit 8: LME, bit 10: LMA, bit 11: NXE, bit 12: SVME (AMD).'],
  [0xc0000081, 'IA32_STAR', 'Segments of SYSCALL (bits 47:32) and SYSRET (bits 63:48).'],
  [0xc0000082, 'IA32_LSTAR', 'RIP of SYSCALL from 64-bit mode.'],
  [0xc0000083, 'IA32_CSTAR', 'RIP of SYSCALL from compatibility mode (AMD).'],
  [0xc0000084, 'IA32_FMASK', 'RFLAGS bits that SYSCALL clears.'],
  [0xc0000100, 'IA32_FS_BASE', 'Base of FS.'],
  [0xc0000101, 'IA32_GS_BASE', 'Base of GS.'],
  [0xc0000102, 'IA32_KERNEL_GS_BASE', 'What SWAPGS exchanges with the GS base.'],
  [0xc0000103, 'IA32_TSC_AUX', 'What RDTSCP and RDPID return: the processor\'s number.'],
  [0xc0010015, 'HWCR', 'AMD: hardware configuration.'],
  [0xc0010114, 'VM_CR', 'AMD: bit 4: SVM disabled, bit 3: lock.'],
  [0xc0010117, 'VM_HSAVE_PA', 'AMD: physical address where VMRUN saves the host\'s state.'],
  [0xc0010130, 'GHCB', 'AMD: guest-physical address of the guest-hypervisor communication block.'],
];

export interface Msr {
  readonly index: number;
  readonly name: string;
  readonly meaning: string;
}

export const msrs: readonly Msr[] = rows.map(([index, name, meaning]) => ({ index, name, meaning }));

const byIndex = new Map(msrs.map((row) => [row.index, row]));

/** The kernel's names leave the prefix out: `MSR_LSTAR`, `MSR_EFER`. */
const bareName = (name: string): string =>
  name
    .toUpperCase()
    .replace(/^(MSR|IA32|MSR_IA32)_/, '')
    .replace(/^IA32_/, '');
const byName = new Map(msrs.map((row) => [bareName(row.name), row]));
byName.set('SYSCALL_MASK', byIndex.get(0xc000_0084)!);
byName.set('APICBASE', byIndex.get(0x1b)!);
byName.set('TSC', byIndex.get(0x10)!);
byName.set('FEAT_CTL', byIndex.get(0x3a)!);

export const msrAt = (index: number): Msr | undefined => byIndex.get(index);

/** An MSR by its name in the manual (`IA32_LSTAR`) or the kernel (`MSR_LSTAR`); undefined for other names. */
export const msrNamed = (name: string): Msr | undefined =>
  /^(MSR|IA32|HV_X64_MSR)_/i.test(name)
    ? (byName.get(bareName(name)) ?? byName.get(name.toUpperCase()))
    : undefined;
