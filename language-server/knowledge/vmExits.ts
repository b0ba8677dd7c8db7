/**
 * When an instruction of a guest leaves it: SDM 3C 26.1.2 and 26.1.3 with the basic exit reasons of appendix C, and
 * APM 2 chapter 15 with the exit codes of its appendix C.
 */

export interface VmxExit {
  /** Basic exit reason: number, and the name in Linux's uapi/asm/vmx.h without its prefix. */
  readonly reason: number;
  readonly name: string;
  /** The control that decides, in the manual's wording; undefined: it always exits. */
  readonly control: string | undefined;
  readonly section: '26.1.2' | '26.1.3' | '26.2' | '26.4.2';
}

export interface SvmExit {
  /** VMEXIT code, and its name in the APM without its prefix. */
  readonly code: number;
  readonly name: string;
  readonly intercept: string;
}

export interface ExitConditions {
  readonly vmx: VmxExit | undefined;
  readonly svm: SvmExit | undefined;
}

type Vmx = readonly [reason: number, name: string, control?: string];
type Svm = readonly [code: number, name: string, intercept: string];

const EXCEPTION_BITMAP = 'the exception bitmap has its exception';
const CR0_MASK = 'the CR0 guest/host mask owns a bit that would change against the CR0 read shadow';
const DESCRIPTOR_TABLES = '“descriptor-table exiting” is 1';
const IO =
  '“use I/O bitmaps” is 1 and the bitmap has the port, or it is 0 and “unconditional I/O exiting” is 1';
const IOIO: Svm = [0x7b, 'IOIO', 'the I/O permissions map has the port'];

// prettier-ignore
const rows: readonly (readonly [mnemonics: string, vmx: Vmx | undefined, svm: Svm | undefined])[] = [
  ['cpuid', [10, 'CPUID'], [0x72, 'CPUID', 'CPUID intercept']],
  ['getsec getsecq', [11, 'GETSEC'], undefined],
  ['invd', [13, 'INVD'], [0x76, 'INVD', 'INVD intercept']],
  ['xsetbv', [55, 'XSETBV'], [0x8d, 'XSETBV', 'XSETBV intercept']],
  ['vmcall', [18, 'VMCALL'], undefined],
  ['vmclear', [19, 'VMCLEAR'], undefined],
  ['vmlaunch', [20, 'VMLAUNCH'], undefined],
  ['vmptrld', [21, 'VMPTRLD'], undefined],
  ['vmptrst', [22, 'VMPTRST'], undefined],
  ['vmread', [23, 'VMREAD', '“VMCS shadowing” is 0, or the VMREAD bitmap has the field'], undefined],
  ['vmresume', [24, 'VMRESUME'], undefined],
  ['vmwrite', [25, 'VMWRITE', '“VMCS shadowing” is 0, or the VMWRITE bitmap has the field'], undefined],
  ['vmxoff', [26, 'VMOFF'], undefined],
  ['vmxon', [27, 'VMON'], undefined],
  ['invept', [50, 'INVEPT'], undefined],
  ['invvpid', [53, 'INVVPID'], undefined],
  ['vmfunc', [59, 'VMFUNC', '“enable VM functions” is 1 and the VM-function controls or the function refuse it'], undefined],
  ['seamcall', [76, 'SEAMCALL'], undefined],
  ['tdcall', [77, 'TDCALL'], undefined],
  ['hlt', [12, 'HLT', '“HLT exiting” is 1'], [0x78, 'HLT', 'HLT intercept']],
  ['invlpg', [14, 'INVLPG', '“INVLPG exiting” is 1'], [0x79, 'INVLPG', 'INVLPG intercept']],
  ['invpcid', [58, 'INVPCID', '“INVLPG exiting” and “enable INVPCID” are 1'], [0xa2, 'INVPCID', 'INVPCID intercept']],
  ['rdpmc', [15, 'RDPMC', '“RDPMC exiting” is 1'], [0x6f, 'RDPMC', 'RDPMC intercept']],
  ['rdtsc', [16, 'RDTSC', '“RDTSC exiting” is 1'], [0x6e, 'RDTSC', 'RDTSC intercept']],
  ['rdtscp', [51, 'RDTSCP', '“RDTSC exiting” and “enable RDTSCP” are 1'], [0x87, 'RDTSCP', 'RDTSCP intercept']],
  ['rdpru', undefined, [0x8e, 'RDPRU', 'RDPRU intercept']],
  ['rsm', [17, 'RSM', 'the processor is in SMM; elsewhere #UD'], [0x73, 'RSM', 'RSM intercept']],
  ['mov', [28, 'CR_ACCESS', 'only to or from control registers: the CR0 or CR4 guest/host mask, “CR3-load exiting”, “CR3-store exiting”, “CR8-load exiting” or “CR8-store exiting”; debug registers (reason 29, DR_ACCESS): “MOV-DR exiting” is 1'], [0x00, 'CR0_READ', 'only control and debug registers: the intercept of that register and direction (codes 00h-3Fh)']],
  ['clts', [28, 'CR_ACCESS', 'the TS bits of the CR0 guest/host mask and of the CR0 read shadow are 1'], [0x10, 'CR0_WRITE', 'CR0 write intercept']],
  ['lmsw', [28, 'CR_ACCESS', CR0_MASK], [0x10, 'CR0_WRITE', 'CR0 write intercept']],
  ['smsw', undefined, [0x00, 'CR0_READ', 'CR0 read intercept']],
  ['in out insb insw insd outsb outsw outsd', [30, 'IO_INSTRUCTION', IO], IOIO],
  ['rdmsr', [31, 'MSR_READ', '“use MSR bitmaps” is 0, or the bitmap has the MSR'], [0x7c, 'MSR', 'the MSR permissions map has the MSR']],
  ['wrmsr', [32, 'MSR_WRITE', '“use MSR bitmaps” is 0, or the bitmap has the MSR'], [0x7c, 'MSR', 'the MSR permissions map has the MSR']],
  ['wrmsrns', [32, 'MSR_WRITE', '“use MSR bitmaps” is 0, or the bitmap has the MSR'], undefined],
  ['rdmsrlist', [78, 'MSRLIST_READ', '“use MSR bitmaps” is 0, or the bitmap has an MSR of the list'], undefined],
  ['wrmsrlist', [79, 'MSRLIST_WRITE', '“use MSR bitmaps” is 0, or the bitmap has an MSR of the list'], undefined],
  ['mwait', [36, 'MWAIT_INSTRUCTION', '“MWAIT exiting” is 1'], [0x8b, 'MWAIT', 'MWAIT intercept']],
  ['monitor', [39, 'MONITOR_INSTRUCTION', '“MONITOR exiting” is 1'], [0x8a, 'MONITOR', 'MONITOR intercept']],
  ['mwaitx', undefined, [0x8b, 'MWAIT', 'MWAIT intercept']],
  ['monitorx', undefined, [0x8a, 'MONITOR', 'MONITOR intercept']],
  ['pause', [40, 'PAUSE_INSTRUCTION', '“PAUSE exiting” is 1, or “PAUSE-loop exiting” is 1 at CPL 0 and the loop lasts longer than PLE_Window'], [0x77, 'PAUSE', 'PAUSE intercept, and the PAUSE filter count is used up']],
  ['sgdt', [46, 'GDTR_IDTR', DESCRIPTOR_TABLES], [0x67, 'GDTR_READ', 'GDTR read intercept']],
  ['sidt', [46, 'GDTR_IDTR', DESCRIPTOR_TABLES], [0x66, 'IDTR_READ', 'IDTR read intercept']],
  ['lgdt', [46, 'GDTR_IDTR', DESCRIPTOR_TABLES], [0x6b, 'GDTR_WRITE', 'GDTR write intercept']],
  ['lidt', [46, 'GDTR_IDTR', DESCRIPTOR_TABLES], [0x6a, 'IDTR_WRITE', 'IDTR write intercept']],
  ['sldt', [47, 'LDTR_TR', DESCRIPTOR_TABLES], [0x68, 'LDTR_READ', 'LDTR read intercept']],
  ['str', [47, 'LDTR_TR', DESCRIPTOR_TABLES], [0x69, 'TR_READ', 'TR read intercept']],
  ['lldt', [47, 'LDTR_TR', DESCRIPTOR_TABLES], [0x6c, 'LDTR_WRITE', 'LDTR write intercept']],
  ['ltr', [47, 'LDTR_TR', DESCRIPTOR_TABLES], [0x6d, 'TR_WRITE', 'TR write intercept']],
  ['wbinvd wbnoinvd', [54, 'WBINVD', '“WBINVD exiting” is 1'], [0x89, 'WBINVD', 'WBINVD intercept']],
  ['rdrand', [57, 'RDRAND', '“RDRAND exiting” is 1'], undefined],
  ['rdseed', [61, 'RDSEED', '“RDSEED exiting” is 1'], undefined],
  ['encls', [60, 'ENCLS', 'the ENCLS-exiting bitmap has the leaf'], undefined],
  ['enclv', [70, 'ENCLV', 'the ENCLV-exiting bitmap has the leaf'], undefined],
  ['xsaves xsaves64', [63, 'XSAVES', 'the XSS-exiting bitmap has a component that is to be saved'], undefined],
  ['xrstors xrstors64', [64, 'XRSTORS', 'the XSS-exiting bitmap has a component that is to be restored'], undefined],
  ['pconfig', [65, 'PCONFIG', 'the PCONFIG-exiting bitmap has the leaf'], undefined],
  ['umwait', [67, 'UMWAIT', '“RDTSC exiting” and “enable user wait and pause” are 1'], undefined],
  ['tpause', [68, 'TPAUSE', '“RDTSC exiting” and “enable user wait and pause” are 1'], undefined],
  ['loadiwkey', [69, 'LOADIWKEY', '“LOADIWKEY exiting” is 1'], undefined],
  ['int3', [0, 'EXCEPTION_NMI', EXCEPTION_BITMAP], [0x43, 'EXCP3', '#BP intercept']],
  ['into', [0, 'EXCEPTION_NMI', EXCEPTION_BITMAP], [0x44, 'EXCP4', '#OF intercept']],
  ['bound', [0, 'EXCEPTION_NMI', EXCEPTION_BITMAP], [0x45, 'EXCP5', '#BR intercept']],
  ['ud0 ud1 ud2', [0, 'EXCEPTION_NMI', EXCEPTION_BITMAP], [0x46, 'EXCP6', '#UD intercept']],
  ['int1', [0, 'EXCEPTION_NMI', EXCEPTION_BITMAP], [0x88, 'ICEBP', 'ICEBP intercept']],
  ['call jmp', [9, 'TASK_SWITCH', 'only a far one through a task gate or to a TSS, outside of 64-bit mode: then always'], [0x7d, 'TASK_SWITCH', 'task-switch intercept, outside of 64-bit mode']],
  ['enqcmd', [72, 'ENQCMD_PASID', '“PASID translation” is 1 and the PASID cannot be translated'], undefined],
  ['enqcmds', [73, 'ENQCMDS_PASID', '“PASID translation” is 1 and the PASID cannot be translated'], undefined],
  ['int', [9, 'TASK_SWITCH', 'only through a task gate, outside of 64-bit mode: then always'], [0x75, 'SWINT', 'INTn intercept']],
  ['iret iretd iretq', [9, 'TASK_SWITCH', 'only with EFLAGS.NT = 1, outside of 64-bit mode: then always'], [0x74, 'IRET', 'IRET intercept']],
  ['pushf pushfd pushfq', undefined, [0x70, 'PUSHF', 'PUSHF intercept']],
  ['popf popfd popfq', undefined, [0x71, 'POPF', 'POPF intercept']],
  ['invlpga', undefined, [0x7a, 'INVLPGA', 'INVLPGA intercept']],
  ['invlpgb', undefined, [0xa0, 'INVLPGB', 'INVLPGB intercept']],
  ['tlbsync', undefined, [0xa4, 'TLBSYNC', 'TLBSYNC intercept']],
  ['mcommit', undefined, [0xa3, 'MCOMMIT', 'MCOMMIT intercept']],
  ['vmrun', undefined, [0x80, 'VMRUN', 'VMRUN intercept, which every VMCB must set']],
  ['vmmcall', undefined, [0x81, 'VMMCALL', 'VMMCALL intercept; without it #UD']],
  ['vmload', undefined, [0x82, 'VMLOAD', 'VMLOAD intercept']],
  ['vmsave', undefined, [0x83, 'VMSAVE', 'VMSAVE intercept']],
  ['stgi', undefined, [0x84, 'STGI', 'STGI intercept']],
  ['clgi', undefined, [0x85, 'CLGI', 'CLGI intercept']],
  ['skinit', undefined, [0x86, 'SKINIT', 'SKINIT intercept']],
  ['vmgexit', undefined, [0x403, 'VMGEXIT', 'always, in an SEV-ES guest']],
];

const sectionOf = ([reason, , control]: Vmx): VmxExit['section'] => {
  if (reason === 0) return '26.2';
  if (reason === 9) return '26.4.2';
  return control === undefined ? '26.1.2' : '26.1.3';
};

const byMnemonic = new Map<string, ExitConditions>(
  rows.flatMap(([mnemonics, vmx, svm]) => {
    const conditions: ExitConditions = {
      vmx: vmx && { reason: vmx[0], name: vmx[1], control: vmx[2], section: sectionOf(vmx) },
      svm: svm && { code: svm[0], name: svm[1], intercept: svm[2] },
    };
    return mnemonics.split(' ').map((mnemonic) => [mnemonic, conditions] as const);
  }),
);

/** When an instruction exits, by its Intel mnemonic; undefined when it never does by itself. */
export const exitsOf = (mnemonic: string): ExitConditions | undefined => byMnemonic.get(mnemonic);

/** Every mnemonic that can exit. */
export const exitingMnemonics = (): Iterable<string> => byMnemonic.keys();
