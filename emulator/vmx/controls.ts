/**
 * The bits of the VMX controls (SDM 3C 25.6 - 25.8): names, wording, what this processor implements. Capability MSRs,
 * the entry checks and the VMCS view are computed from these tables.
 */

export interface ControlBit<Name extends string = string> {
  readonly bit: number;
  /** The manual's name in camel case. */
  readonly name: Name;
  /** The name in Linux's arch/x86/include/asm/vmx.h. */
  readonly constant: string;
  /** The manual's wording. */
  readonly wording: string;
  /** One sentence: what the 1-setting does. */
  readonly effect: string;
  readonly implemented: boolean;
}

/** One 32-bit control field. */
export interface ControlField<Name extends string = string> {
  readonly field: string;
  readonly title: string;
  readonly section: string;
  readonly bits: readonly ControlBit<Name>[];
  /** Reserved bits that must be 1 (SDM 3D A.2: the default1 class), named ones included. */
  readonly default1: number;
  /** Members of the default1 class that may be 0 on this processor: the TRUE capability MSR says so. */
  readonly flexible: number;
}

type Row<Name extends string> = readonly [
  bit: number,
  name: Name,
  constant: string,
  wording: string,
  effect: string,
  absent?: 'absent',
];

const bitsOf = <const Name extends string>(rows: readonly Row<Name>[]): readonly ControlBit<Name>[] =>
  rows.map(([bit, name, constant, wording, effect, absent]) => ({
    bit,
    name,
    constant,
    wording,
    effect,
    implemented: absent === undefined,
  }));

/** Sets the listed bits; ranges are pairs. */
const bitSet = (...members: (number | readonly [first: number, last: number])[]): number => {
  let set = 0;
  for (const member of members) {
    const [first, last] = typeof member === 'number' ? [member, member] : member;
    for (let bit = first; bit <= last; bit++) set |= 1 << bit;
  }
  return set >>> 0;
};

// prettier-ignore
export const pinBased = {
  field: 'pinBasedControls', title: 'Pin-based VM-execution controls', section: '25.6.1',
  bits: bitsOf([
    [0, 'externalInterruptExiting', 'PIN_BASED_EXT_INTR_MASK', 'External-interrupt exiting', 'External interrupts cause VM exits.'],
    [3, 'nmiExiting', 'PIN_BASED_NMI_EXITING', 'NMI exiting', 'Non-maskable interrupts cause VM exits.'],
    [5, 'virtualNmis', 'PIN_BASED_VIRTUAL_NMIS', 'Virtual NMIs', 'Blocking by NMI in the guest is virtual-NMI blocking.'],
    [6, 'activatePreemptionTimer', 'PIN_BASED_VMX_PREEMPTION_TIMER', 'Activate VMX-preemption timer', 'The VMX-preemption timer counts down in VMX non-root operation and exits at zero.'],
    [7, 'processPostedInterrupts', 'PIN_BASED_POSTED_INTR', 'Process posted interrupts', 'Interrupts with the posted-interrupt notification vector are processed specially.'],
  ]),
  default1: bitSet(1, 2, 4), flexible: 0,
} satisfies ControlField;

// prettier-ignore
export const primary = {
  field: 'primaryProcBasedControls', title: 'Primary processor-based VM-execution controls', section: '25.6.2',
  bits: bitsOf([
    [2, 'interruptWindowExiting', 'CPU_BASED_INTR_WINDOW_EXITING', 'Interrupt-window exiting', 'A VM exit occurs as soon as the guest can take interrupts.'],
    [3, 'useTscOffsetting', 'CPU_BASED_USE_TSC_OFFSETTING', 'Use TSC offsetting', 'RDTSC and RDTSCP add the TSC offset.'],
    [7, 'hltExiting', 'CPU_BASED_HLT_EXITING', 'HLT exiting', 'HLT causes VM exits.'],
    [9, 'invlpgExiting', 'CPU_BASED_INVLPG_EXITING', 'INVLPG exiting', 'INVLPG causes VM exits.'],
    [10, 'mwaitExiting', 'CPU_BASED_MWAIT_EXITING', 'MWAIT exiting', 'MWAIT causes VM exits.'],
    [11, 'rdpmcExiting', 'CPU_BASED_RDPMC_EXITING', 'RDPMC exiting', 'RDPMC causes VM exits.'],
    [12, 'rdtscExiting', 'CPU_BASED_RDTSC_EXITING', 'RDTSC exiting', 'RDTSC and RDTSCP cause VM exits.'],
    [15, 'cr3LoadExiting', 'CPU_BASED_CR3_LOAD_EXITING', 'CR3-load exiting', 'MOV to CR3 causes VM exits, unless the value is a CR3-target value.'],
    [16, 'cr3StoreExiting', 'CPU_BASED_CR3_STORE_EXITING', 'CR3-store exiting', 'MOV from CR3 causes VM exits.'],
    [17, 'activateTertiaryControls', 'CPU_BASED_ACTIVATE_TERTIARY_CONTROLS', 'Activate tertiary controls', 'The tertiary processor-based controls are used.', 'absent'],
    [19, 'cr8LoadExiting', 'CPU_BASED_CR8_LOAD_EXITING', 'CR8-load exiting', 'MOV to CR8 causes VM exits.'],
    [20, 'cr8StoreExiting', 'CPU_BASED_CR8_STORE_EXITING', 'CR8-store exiting', 'MOV from CR8 causes VM exits.'],
    [21, 'useTprShadow', 'CPU_BASED_TPR_SHADOW', 'Use TPR shadow', 'TPR virtualization is enabled.'],
    [22, 'nmiWindowExiting', 'CPU_BASED_NMI_WINDOW_EXITING', 'NMI-window exiting', 'A VM exit occurs as soon as there is no virtual-NMI blocking.'],
    [23, 'movDrExiting', 'CPU_BASED_MOV_DR_EXITING', 'MOV-DR exiting', 'MOV DR causes VM exits.'],
    [24, 'unconditionalIoExiting', 'CPU_BASED_UNCOND_IO_EXITING', 'Unconditional I/O exiting', 'Every I/O instruction causes a VM exit, unless I/O bitmaps are used.'],
    [25, 'useIoBitmaps', 'CPU_BASED_USE_IO_BITMAPS', 'Use I/O bitmaps', 'I/O instructions cause VM exits as the I/O bitmaps say.'],
    [27, 'monitorTrapFlag', 'CPU_BASED_MONITOR_TRAP_FLAG', 'Monitor trap flag', 'A VM exit occurs after every guest instruction.'],
    [28, 'useMsrBitmaps', 'CPU_BASED_USE_MSR_BITMAPS', 'Use MSR bitmaps', 'RDMSR and WRMSR cause VM exits as the MSR bitmaps say; without it, always.'],
    [29, 'monitorExiting', 'CPU_BASED_MONITOR_EXITING', 'MONITOR exiting', 'MONITOR causes VM exits.'],
    [30, 'pauseExiting', 'CPU_BASED_PAUSE_EXITING', 'PAUSE exiting', 'PAUSE causes VM exits.'],
    [31, 'activateSecondaryControls', 'CPU_BASED_ACTIVATE_SECONDARY_CONTROLS', 'Activate secondary controls', 'The secondary processor-based controls are used; without it, as if they were 0.'],
  ]),
  default1: bitSet(1, [4, 6], 8, [13, 16], 26), flexible: bitSet(15, 16),
} satisfies ControlField;

// prettier-ignore
export const secondary = {
  field: 'secondaryProcBasedControls', title: 'Secondary processor-based VM-execution controls', section: '25.6.2',
  bits: bitsOf([
    [0, 'virtualizeApicAccesses', 'SECONDARY_EXEC_VIRTUALIZE_APIC_ACCESSES', 'Virtualize APIC accesses', 'Accesses to the APIC-access page are treated specially.'],
    [1, 'enableEpt', 'SECONDARY_EXEC_ENABLE_EPT', 'Enable EPT', 'Extended page tables translate guest-physical addresses.'],
    [2, 'descriptorTableExiting', 'SECONDARY_EXEC_DESC', 'Descriptor-table exiting', 'LGDT, LIDT, LLDT, LTR, SGDT, SIDT, SLDT and STR cause VM exits.'],
    [3, 'enableRdtscp', 'SECONDARY_EXEC_ENABLE_RDTSCP', 'Enable RDTSCP', 'RDTSCP does not cause an invalid-opcode exception.'],
    [4, 'virtualizeX2apicMode', 'SECONDARY_EXEC_VIRTUALIZE_X2APIC_MODE', 'Virtualize x2APIC mode', 'RDMSR and WRMSR of the x2APIC MSRs are treated specially.'],
    [5, 'enableVpid', 'SECONDARY_EXEC_ENABLE_VPID', 'Enable VPID', 'Cached translations are tagged with a virtual-processor identifier.'],
    [6, 'wbinvdExiting', 'SECONDARY_EXEC_WBINVD_EXITING', 'WBINVD exiting', 'WBINVD causes VM exits.'],
    [7, 'unrestrictedGuest', 'SECONDARY_EXEC_UNRESTRICTED_GUEST', 'Unrestricted guest', 'The guest may run in unpaged protected mode or in real-address mode.'],
    [8, 'apicRegisterVirtualization', 'SECONDARY_EXEC_APIC_REGISTER_VIRT', 'APIC-register virtualization', 'APIC registers are virtualized.'],
    [9, 'virtualInterruptDelivery', 'SECONDARY_EXEC_VIRTUAL_INTR_DELIVERY', 'Virtual-interrupt delivery', 'Pending virtual interrupts are evaluated and delivered.'],
    [10, 'pauseLoopExiting', 'SECONDARY_EXEC_PAUSE_LOOP_EXITING', 'PAUSE-loop exiting', 'A series of executions of PAUSE can cause a VM exit.'],
    [11, 'rdrandExiting', 'SECONDARY_EXEC_RDRAND_EXITING', 'RDRAND exiting', 'RDRAND causes VM exits.', 'absent'],
    [12, 'enableInvpcid', 'SECONDARY_EXEC_ENABLE_INVPCID', 'Enable INVPCID', 'INVPCID does not cause an invalid-opcode exception.', 'absent'],
    [13, 'enableVmFunctions', 'SECONDARY_EXEC_ENABLE_VMFUNC', 'Enable VM functions', 'VMFUNC may be used in the guest.'],
    [14, 'vmcsShadowing', 'SECONDARY_EXEC_SHADOW_VMCS', 'VMCS shadowing', 'VMREAD and VMWRITE in the guest may access a shadow VMCS.'],
    [15, 'enableEnclsExiting', 'SECONDARY_EXEC_ENCLS_EXITING', 'Enable ENCLS exiting', 'ENCLS causes VM exits as the ENCLS-exiting bitmap says.', 'absent'],
    [16, 'rdseedExiting', 'SECONDARY_EXEC_RDSEED_EXITING', 'RDSEED exiting', 'RDSEED causes VM exits.', 'absent'],
    [17, 'enablePml', 'SECONDARY_EXEC_ENABLE_PML', 'Enable PML', 'An access that sets a dirty flag for EPT adds the address to the page-modification log.'],
    [18, 'eptViolationVe', 'SECONDARY_EXEC_EPT_VIOLATION_VE', 'EPT-violation #VE', 'EPT violations may cause virtualization exceptions instead of VM exits.'],
    [19, 'concealVmxFromPt', 'SECONDARY_EXEC_PT_CONCEAL_VMX', 'Conceal VMX from PT', 'Intel Processor Trace suppresses packets that tell of VMX operation.', 'absent'],
    [20, 'enableXsaves', 'SECONDARY_EXEC_ENABLE_XSAVES', 'Enable XSAVES/XRSTORS', 'XSAVES and XRSTORS do not cause an invalid-opcode exception.', 'absent'],
    [21, 'pasidTranslation', 'SECONDARY_EXEC_PASID_TRANSLATION', 'PASID translation', 'ENQCMD and ENQCMDS translate PASIDs.', 'absent'],
    [22, 'modeBasedExecuteControl', 'SECONDARY_EXEC_MODE_BASED_EPT_EXEC', 'Mode-based execute control for EPT', 'EPT execute permissions depend on whether the linear address is a supervisor-mode or a user-mode address.'],
    [23, 'subPageWritePermissions', 'SECONDARY_EXEC_SPP', 'Sub-page write permissions for EPT', 'EPT write permissions may be given for 128 bytes.', 'absent'],
    [24, 'ptUsesGuestPhysicalAddresses', 'SECONDARY_EXEC_PT_USE_GPA', 'Intel PT uses guest physical addresses', 'Output addresses of Intel Processor Trace are translated by EPT.', 'absent'],
    [25, 'useTscScaling', 'SECONDARY_EXEC_TSC_SCALING', 'Use TSC scaling', 'RDTSC, RDTSCP and RDMSR of the TSC multiply by the TSC multiplier.'],
    [26, 'enableUserWaitAndPause', 'SECONDARY_EXEC_ENABLE_USR_WAIT_PAUSE', 'Enable user wait and pause', 'TPAUSE, UMONITOR and UMWAIT do not cause an invalid-opcode exception.', 'absent'],
    [27, 'enablePconfig', 'SECONDARY_EXEC_ENABLE_PCONFIG', 'Enable PCONFIG', 'PCONFIG does not cause an invalid-opcode exception.', 'absent'],
    [28, 'enableEnclvExiting', 'SECONDARY_EXEC_ENCLV_EXITING', 'Enable ENCLV exiting', 'ENCLV causes VM exits as the ENCLV-exiting bitmap says.', 'absent'],
    [30, 'busLockDetection', 'SECONDARY_EXEC_BUS_LOCK_DETECTION', 'VMM bus-lock detection', 'A VM exit occurs after a bus lock.', 'absent'],
    [31, 'instructionTimeout', 'SECONDARY_EXEC_NOTIFY_VM_EXITING', 'Instruction timeout', 'A VM exit occurs when no instruction boundary is reached for a while.', 'absent'],
  ]),
  default1: 0, flexible: 0,
} satisfies ControlField;

// prettier-ignore
export const exitControls = {
  field: 'vmExitControls', title: 'VM-exit controls', section: '25.7.1',
  bits: bitsOf([
    [2, 'saveDebugControls', 'VM_EXIT_SAVE_DEBUG_CONTROLS', 'Save debug controls', 'DR7 and IA32_DEBUGCTL are saved on VM exit.'],
    [9, 'hostAddressSpaceSize', 'VM_EXIT_HOST_ADDR_SPACE_SIZE', 'Host address-space size', 'The processor is in 64-bit mode after the VM exit.'],
    [12, 'loadPerfGlobalCtrl', 'VM_EXIT_LOAD_IA32_PERF_GLOBAL_CTRL', 'Load IA32_PERF_GLOBAL_CTRL', 'IA32_PERF_GLOBAL_CTRL is loaded on VM exit.', 'absent'],
    [15, 'acknowledgeInterruptOnExit', 'VM_EXIT_ACK_INTR_ON_EXIT', 'Acknowledge interrupt on exit', 'A VM exit for an external interrupt acknowledges it and stores its vector.'],
    [18, 'savePat', 'VM_EXIT_SAVE_IA32_PAT', 'Save IA32_PAT', 'IA32_PAT is saved on VM exit.'],
    [19, 'loadPat', 'VM_EXIT_LOAD_IA32_PAT', 'Load IA32_PAT', 'IA32_PAT is loaded on VM exit.'],
    [20, 'saveEfer', 'VM_EXIT_SAVE_IA32_EFER', 'Save IA32_EFER', 'IA32_EFER is saved on VM exit.'],
    [21, 'loadEfer', 'VM_EXIT_LOAD_IA32_EFER', 'Load IA32_EFER', 'IA32_EFER is loaded on VM exit.'],
    [22, 'savePreemptionTimer', 'VM_EXIT_SAVE_VMX_PREEMPTION_TIMER', 'Save VMX-preemption timer value', 'The value of the VMX-preemption timer is saved on VM exit.'],
    [23, 'clearBndcfgs', 'VM_EXIT_CLEAR_BNDCFGS', 'Clear IA32_BNDCFGS', 'IA32_BNDCFGS is cleared on VM exit.', 'absent'],
  ]),
  default1: bitSet([0, 8], 10, 11, 13, 14, 16, 17), flexible: bitSet(2),
} satisfies ControlField;

// prettier-ignore
export const entryControls = {
  field: 'vmEntryControls', title: 'VM-entry controls', section: '25.8.1',
  bits: bitsOf([
    [2, 'loadDebugControls', 'VM_ENTRY_LOAD_DEBUG_CONTROLS', 'Load debug controls', 'DR7 and IA32_DEBUGCTL are loaded on VM entry.'],
    [9, 'ia32eModeGuest', 'VM_ENTRY_IA32E_MODE', 'IA-32e mode guest', 'The processor is in IA-32e mode after VM entry.'],
    [10, 'entryToSmm', 'VM_ENTRY_SMM', 'Entry to SMM', 'The processor is in system-management mode after VM entry.', 'absent'],
    [11, 'deactivateDualMonitorTreatment', 'VM_ENTRY_DEACT_DUAL_MONITOR', 'Deactivate dual-monitor treatment', 'The default treatment of SMIs and SMM is in effect after VM entry.', 'absent'],
    [13, 'loadPerfGlobalCtrl', 'VM_ENTRY_LOAD_IA32_PERF_GLOBAL_CTRL', 'Load IA32_PERF_GLOBAL_CTRL', 'IA32_PERF_GLOBAL_CTRL is loaded on VM entry.', 'absent'],
    [14, 'loadPat', 'VM_ENTRY_LOAD_IA32_PAT', 'Load IA32_PAT', 'IA32_PAT is loaded on VM entry.'],
    [15, 'loadEfer', 'VM_ENTRY_LOAD_IA32_EFER', 'Load IA32_EFER', 'IA32_EFER is loaded on VM entry.'],
    [16, 'loadBndcfgs', 'VM_ENTRY_LOAD_BNDCFGS', 'Load IA32_BNDCFGS', 'IA32_BNDCFGS is loaded on VM entry.', 'absent'],
  ]),
  default1: bitSet([0, 8], 12), flexible: bitSet(2),
} satisfies ControlField;

export const controlFields: readonly ControlField[] = [
  pinBased,
  primary,
  secondary,
  exitControls,
  entryControls,
];

type NameOf<F> = F extends { readonly bits: readonly ControlBit<infer Name>[] } ? Name : never;
const masks = <F extends ControlField>(field: F): Readonly<Record<NameOf<F>, number>> =>
  Object.fromEntries(field.bits.map(({ name, bit }) => [name, (1 << bit) >>> 0])) as Record<
    NameOf<F>,
    number
  >;

/** Masks by name: `Pin.nmiExiting`. */
export const Pin = masks(pinBased);
export const Primary = masks(primary);
export const Secondary = masks(secondary);
export const Exit = masks(exitControls);
export const Entry = masks(entryControls);

/** Exception names by vector, the bits of the exception bitmap (SDM 3C 25.6.3). */
export const exceptionBitmapNames: readonly string[] = [
  '#DE', '#DB', 'NMI', '#BP', '#OF', '#BR', '#UD', '#NM', '#DF', 'vector 9', '#TS', '#NP', '#SS', '#GP', '#PF', 'vector 15',
  '#MF', '#AC', '#MC', '#XM', '#VE', '#CP', 'vector 22', 'vector 23', 'vector 24', 'vector 25', 'vector 26', 'vector 27',
  'vector 28', 'vector 29', 'vector 30', 'vector 31',
]; // prettier-ignore
