/** Basic exit reasons, SDM 3D appendix C: what the processor can report, for breakpoints, counts and messages. */

export interface ExitReasonRow {
  /** Bits 15:0 of the exit-reason field. */
  readonly number: number;
  /** The name in Linux's arch/x86/include/uapi/asm/vmx.h. */
  readonly constant: string;
  readonly title: string;
  /** Where the manual says when it happens (SDM 3C). */
  readonly section: string;
  /** One sentence for users. */
  readonly description: string;
}

const rows = [
  [0, 'EXCEPTION_NMI', 'Exception or NMI', '26.2', 'The guest raised an exception whose bit is set in the exception bitmap, or an NMI arrived with NMI exiting.'],
  [1, 'EXTERNAL_INTERRUPT', 'External interrupt', '26.2', 'An interrupt arrived with external-interrupt exiting.'],
  [2, 'TRIPLE_FAULT', 'Triple fault', '26.2', 'The guest met an exception while the processor called its double-fault handler.'],
  [3, 'INIT_SIGNAL', 'INIT signal', '26.2', 'An INIT signal arrived.'],
  [4, 'SIPI', 'start-up IPI', '26.2', 'A SIPI arrived while the logical processor waited for one.'],
  [7, 'INTERRUPT_WINDOW', 'Interrupt window', '26.2', 'The guest can take interrupts now, and interrupt-window exiting is set.'],
  [8, 'NMI_WINDOW', 'NMI window', '26.2', 'The guest can take NMIs now, and NMI-window exiting is set.'],
  [9, 'TASK_SWITCH', 'Task switch', '26.4.2', 'The guest attempted a hardware task switch.'],
  [10, 'CPUID', 'CPUID', '26.1.2', 'The guest executed CPUID.'],
  [12, 'HLT', 'HLT', '26.1.3', 'The guest executed HLT with HLT exiting.'],
  [13, 'INVD', 'INVD', '26.1.2', 'The guest executed INVD.'],
  [14, 'INVLPG', 'INVLPG', '26.1.3', 'The guest executed INVLPG with INVLPG exiting.'],
  [15, 'RDPMC', 'RDPMC', '26.1.3', 'The guest executed RDPMC with RDPMC exiting.'],
  [16, 'RDTSC', 'RDTSC', '26.1.3', 'The guest executed RDTSC with RDTSC exiting.'],
  [18, 'VMCALL', 'VMCALL', '26.1.2', 'The guest executed VMCALL: a hypercall.'],
  [19, 'VMCLEAR', 'VMCLEAR', '26.1.2', 'The guest executed VMCLEAR.'],
  [20, 'VMLAUNCH', 'VMLAUNCH', '26.1.2', 'The guest executed VMLAUNCH.'],
  [21, 'VMPTRLD', 'VMPTRLD', '26.1.2', 'The guest executed VMPTRLD.'],
  [22, 'VMPTRST', 'VMPTRST', '26.1.2', 'The guest executed VMPTRST.'],
  [23, 'VMREAD', 'VMREAD', '26.1.3', 'The guest executed VMREAD of a field that is not shadowed.'],
  [24, 'VMRESUME', 'VMRESUME', '26.1.2', 'The guest executed VMRESUME.'],
  [25, 'VMWRITE', 'VMWRITE', '26.1.3', 'The guest executed VMWRITE of a field that is not shadowed.'],
  [26, 'VMOFF', 'VMXOFF', '26.1.2', 'The guest executed VMXOFF.'],
  [27, 'VMON', 'VMXON', '26.1.2', 'The guest executed VMXON.'],
  [28, 'CR_ACCESS', 'Control-register access', '26.1.3', 'The guest moved to or from CR0, CR3, CR4 or CR8, or executed CLTS or LMSW, in a way that the controls intercept.'],
  [29, 'DR_ACCESS', 'MOV DR', '26.1.3', 'The guest moved to or from a debug register with MOV-DR exiting.'],
  [30, 'IO_INSTRUCTION', 'I/O instruction', '26.1.3', 'The guest executed IN, OUT, INS or OUTS on a port that the controls intercept.'],
  [31, 'MSR_READ', 'RDMSR', '26.1.3', 'The guest read an MSR that the MSR bitmaps intercept.'],
  [32, 'MSR_WRITE', 'WRMSR', '26.1.3', 'The guest wrote an MSR that the MSR bitmaps intercept.'],
  [33, 'INVALID_STATE', 'VM-entry failure due to invalid guest state', '27.8', 'A VM entry failed one of the checks on the guest-state area.'],
  [34, 'MSR_LOAD_FAIL', 'VM-entry failure due to MSR loading', '27.8', 'A VM entry could not load an MSR of the VM-entry MSR-load area.'],
  [36, 'MWAIT_INSTRUCTION', 'MWAIT', '26.1.3', 'The guest executed MWAIT with MWAIT exiting.'],
  [37, 'MONITOR_TRAP_FLAG', 'Monitor trap flag', '26.5.2', 'An instruction or an event was completed with the monitor trap flag, or VM entry injected this exit.'],
  [39, 'MONITOR_INSTRUCTION', 'MONITOR', '26.1.3', 'The guest executed MONITOR with MONITOR exiting.'],
  [40, 'PAUSE_INSTRUCTION', 'PAUSE', '26.1.3', 'The guest executed PAUSE with PAUSE exiting, or for too long in a loop with PAUSE-loop exiting.'],
  [43, 'TPR_BELOW_THRESHOLD', 'TPR below threshold', '30.1.2', 'The guest lowered its virtual task priority below the TPR threshold.'],
  [44, 'APIC_ACCESS', 'APIC access', '30.4', 'The guest accessed the APIC-access page in a way that is not virtualized.'],
  [45, 'EOI_INDUCED', 'Virtualized EOI', '30.1.4', 'The guest ended an interrupt whose bit is set in the EOI-exit bitmap.'],
  [46, 'GDTR_IDTR', 'Access to GDTR or IDTR', '26.1.3', 'The guest executed LGDT, LIDT, SGDT or SIDT with descriptor-table exiting.'],
  [47, 'LDTR_TR', 'Access to LDTR or TR', '26.1.3', 'The guest executed LLDT, LTR, SLDT or STR with descriptor-table exiting.'],
  [48, 'EPT_VIOLATION', 'EPT violation', '29.3.3.2', 'The guest accessed guest-physical memory in a way that the EPT paging structures do not allow.'],
  [49, 'EPT_MISCONFIG', 'EPT misconfiguration', '29.3.3.1', 'The guest accessed guest-physical memory through an EPT paging-structure entry with an unsupported value.'],
  [50, 'INVEPT', 'INVEPT', '26.1.2', 'The guest executed INVEPT.'],
  [51, 'RDTSCP', 'RDTSCP', '26.1.3', 'The guest executed RDTSCP with RDTSC exiting and RDTSCP enabled.'],
  [52, 'PREEMPTION_TIMER', 'VMX-preemption timer expired', '26.5.1', 'The VMX-preemption timer counted down to zero.'],
  [53, 'INVVPID', 'INVVPID', '26.1.2', 'The guest executed INVVPID.'],
  [54, 'WBINVD', 'WBINVD', '26.1.3', 'The guest executed WBINVD with WBINVD exiting.'],
  [55, 'XSETBV', 'XSETBV', '26.1.2', 'The guest executed XSETBV.'],
  [56, 'APIC_WRITE', 'APIC write', '30.4.3.3', 'The guest wrote a virtual APIC register, and the write needs the host.'],
  [59, 'VMFUNC', 'VMFUNC', '26.5.6', 'The guest executed VMFUNC for a function that is not enabled or that failed.'],
  [62, 'PML_FULL', 'Page-modification log full', '29.3.6', 'An access was about to set a dirty flag for EPT, and the page-modification log has no room.'],
] as const; // prettier-ignore

type Name = (typeof rows)[number][1];

/** All exit reasons that this processor can report, by number. */
export const exitReasons: readonly ExitReasonRow[] = rows.map(
  ([number, name, title, section, description]) => ({
    number,
    constant: `EXIT_REASON_${name}`,
    title,
    section,
    description,
  }),
);

/** Numbers by the kernel's name without its prefix: `ExitReason.VMCALL`. */
export const ExitReason = Object.fromEntries(rows.map(([number, name]) => [name, number])) as {
  readonly [N in Name]: Extract<(typeof rows)[number], readonly [number, N, ...unknown[]]>[0];
};

/** VM entry beside the exit reasons, for breakpoints and counts; no exit has this number. */
export const vmEntryRow: ExitReasonRow = {
  number: -1,
  constant: 'VM_ENTRY',
  title: 'VM entry',
  section: '27',
  description: 'The host entered the guest; its first instruction is next.',
};

const byNumber = new Map(exitReasons.map((row) => [row.number, row]));

/** The row of a basic exit reason, or undefined for one that this processor never reports. */
export const exitReason = (number: number): ExitReasonRow | undefined => byNumber.get(number);

/** Bit 31 of the exit-reason field: the VM exit is a VM-entry failure (SDM 3C table 25-18). */
export const EXIT_REASON_ENTRY_FAILURE = 0x8000_0000;
