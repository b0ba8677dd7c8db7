/** CPUID leaves: SDM 2A (CPUID), APM 3 appendix E, and the leaves of hypervisors. */

type Row = readonly [leaf: number, title: string, contents: string];

// prettier-ignore
const rows: readonly Row[] = [
  [0x0, 'Highest basic leaf and vendor', 'EAX: highest basic leaf; EBX, EDX, ECX: vendor, such as “GenuineIntel”.'],
  [0x1, 'Version and features', 'EAX: family, model, stepping; EBX: APIC ID, CLFLUSH size; ECX (bit 5: VMX, bit 31: hypervisor present) and EDX: features.'],
  [0x2, 'Cache and TLB descriptors', 'One descriptor a byte; 0xFF points to leaf 4.'],
  [0x3, 'Processor serial number', 'Pentium III only.'],
  [0x4, 'Cache parameters', 'Subleaf ECX: one cache each.'],
  [0x5, 'MONITOR/MWAIT', 'Line sizes and C-states.'],
  [0x6, 'Thermal and power management', 'EAX bit 2: the APIC timer always runs.'],
  [0x7, 'Structured extended features', 'Subleaf 0: EBX (SMEP, SMAP, AVX2, …), ECX (UMIP, LA57, …), EDX.'],
  [0x9, 'Direct cache access', 'EAX: IA32_PLATFORM_DCA_CAP.'],
  [0xa, 'Performance monitoring', 'Version, number and width of the counters.'],
  [0xb, 'Extended topology', 'Subleaf ECX: one level each; EDX: x2APIC ID.'],
  [0xd, 'Extended state', 'Subleaf ECX: sizes and offsets of the XSAVE components.'],
  [0xf, 'Resource monitoring', 'Intel RDT monitoring.'],
  [0x10, 'Resource allocation', 'Intel RDT allocation.'],
  [0x12, 'SGX', 'Enclave capabilities and EPC sections.'],
  [0x14, 'Processor trace', 'Intel PT capabilities.'],
  [0x15, 'TSC and core crystal clock', 'EBX/EAX: TSC ticks a crystal tick; ECX: crystal frequency in Hz.'],
  [0x16, 'Processor frequency', 'EAX base, EBX maximum, ECX bus, in MHz.'],
  [0x17, 'System-on-chip vendor', 'Vendor and project of the SoC.'],
  [0x18, 'Deterministic address translation', 'Subleaf ECX: one TLB each.'],
  [0x19, 'Key Locker', 'Capabilities of Key Locker.'],
  [0x1a, 'Native model', 'Core type in hybrid parts.'],
  [0x1f, 'V2 extended topology', 'As leaf 0xB, with modules, tiles and dies.'],
  [0x40000000, 'Hypervisor: highest leaf and signature', 'EAX: highest hypervisor leaf; EBX, ECX, EDX: “KVMKVMKVM”, “XenVMMXenVMM”, “Microsoft Hv”, …'],
  [0x40000001, 'Hypervisor: interface or features', 'KVM: EAX has the KVM_FEATURE_* bits. Hyper-V: EAX is “Hv#1”. Xen: EAX is the version.'],
  [0x40000002, 'Hypervisor: version', 'Hyper-V: build and version. Xen: EAX hypercall pages, EBX the MSR that fills them.'],
  [0x40000003, 'Hypervisor: privileges', 'Hyper-V: what the partition may use. Xen: time.'],
  [0x40000004, 'Hypervisor: recommendations', 'Hyper-V: what a guest should prefer. Xen: features of HVM guests.'],
  [0x40000005, 'Hypervisor: limits', 'Hyper-V: processors and interrupts.'],
  [0x40000006, 'Hypervisor: hardware features', 'Hyper-V: hardware features in use.'],
  [0x40000010, 'Hypervisor: timing', 'VMware and KVM: EAX TSC and EBX bus frequency, in kHz.'],
  [0x40000100, 'Hypervisor: second interface', 'Where KVM or Xen show their leaves beside Hyper-V\'s.'],
  [0x80000000, 'Highest extended leaf', 'EAX: highest extended leaf.'],
  [0x80000001, 'Extended features', 'ECX (bit 2: SVM on AMD) and EDX (bit 29: Intel 64, bit 20: NX).'],
  [0x80000002, 'Brand string, first part', '16 characters in EAX, EBX, ECX, EDX.'],
  [0x80000003, 'Brand string, second part', '16 characters in EAX, EBX, ECX, EDX.'],
  [0x80000004, 'Brand string, third part', '16 characters in EAX, EBX, ECX, EDX.'],
  [0x80000005, 'L1 caches and TLBs', 'AMD.'],
  [0x80000006, 'L2 cache', 'ECX: size, associativity, line size.'],
  [0x80000007, 'Advanced power management', 'EDX bit 8: invariant TSC.'],
  [0x80000008, 'Address sizes', 'EAX: physical and linear address bits.'],
  [0x8000000a, 'SVM', 'AMD. EAX: revision, EBX: ASIDs, EDX: features (bit 0: nested paging).'],
  [0x8000001f, 'Memory encryption', 'AMD. SME, SEV, SEV-ES, SEV-SNP.'],
];

export interface CpuidLeaf {
  readonly leaf: number;
  readonly title: string;
  readonly contents: string;
}

export const cpuidLeaves: readonly CpuidLeaf[] = rows.map(([leaf, title, contents]) => ({
  leaf,
  title,
  contents,
}));

const byNumber = new Map(cpuidLeaves.map((row) => [row.leaf, row]));
export const cpuidLeaf = (leaf: number): CpuidLeaf | undefined => byNumber.get(leaf);
