/**
 * The fields of the VMCS (SDM 3D appendix B): one table for VMREAD and VMWRITE, the VMCS view and the documentation.
 * A field that is not in the table does not exist on this processor.
 */

export type FieldWidth = 16 | 32 | 64 | 'natural';
export type FieldGroup =
  | 'guest state'
  | 'host state'
  | 'VM-execution control'
  | 'VM-exit control'
  | 'VM-entry control'
  | 'VM-exit information';

/** A field of the VMCS. */
export interface VmcsField {
  /** Encoding of the full access (bit 0 clear), SDM 3C table 25-21. */
  readonly encoding: number;
  /** The manual's name in camel case. */
  readonly name: VmcsFieldName;
  /** The name in Linux's arch/x86/include/asm/vmx.h (where it has one; else formed alike). */
  readonly constant: string;
  readonly width: FieldWidth;
  readonly group: FieldGroup;
  /** Of the read-only data type; VMWRITE may write it all the same: IA32_VMX_MISC[29] is 1 on this processor. */
  readonly readOnly: boolean;
  /** The control whose 1-setting must be supported for the field to exist (appendix B); undefined: always there. */
  readonly existsWith: string | undefined;
  readonly section: string;
  /** Byte offset in the VMCS region; every field has eight bytes. */
  readonly offset: number;
}

type Row = readonly [encoding: number, name: string, constant: string, existsWith?: string];
interface Block<R extends readonly Row[]> {
  readonly group: FieldGroup;
  readonly section: string;
  readonly rows: R;
}
const block = <const R extends readonly Row[]>(group: FieldGroup, section: string, rows: R): Block<R> => ({
  group,
  section,
  rows,
});

const blocks = [
  block('guest state', '25.4.1', [
    [0x6800, 'guestCr0', 'GUEST_CR0'],
    [0x6802, 'guestCr3', 'GUEST_CR3'],
    [0x6804, 'guestCr4', 'GUEST_CR4'],
    [0x681a, 'guestDr7', 'GUEST_DR7'],
    [0x681c, 'guestRsp', 'GUEST_RSP'],
    [0x681e, 'guestRip', 'GUEST_RIP'],
    [0x6820, 'guestRflags', 'GUEST_RFLAGS'],
    [0x0800, 'guestEsSelector', 'GUEST_ES_SELECTOR'],
    [0x0802, 'guestCsSelector', 'GUEST_CS_SELECTOR'],
    [0x0804, 'guestSsSelector', 'GUEST_SS_SELECTOR'],
    [0x0806, 'guestDsSelector', 'GUEST_DS_SELECTOR'],
    [0x0808, 'guestFsSelector', 'GUEST_FS_SELECTOR'],
    [0x080a, 'guestGsSelector', 'GUEST_GS_SELECTOR'],
    [0x080c, 'guestLdtrSelector', 'GUEST_LDTR_SELECTOR'],
    [0x080e, 'guestTrSelector', 'GUEST_TR_SELECTOR'],
    [0x6806, 'guestEsBase', 'GUEST_ES_BASE'],
    [0x6808, 'guestCsBase', 'GUEST_CS_BASE'],
    [0x680a, 'guestSsBase', 'GUEST_SS_BASE'],
    [0x680c, 'guestDsBase', 'GUEST_DS_BASE'],
    [0x680e, 'guestFsBase', 'GUEST_FS_BASE'],
    [0x6810, 'guestGsBase', 'GUEST_GS_BASE'],
    [0x6812, 'guestLdtrBase', 'GUEST_LDTR_BASE'],
    [0x6814, 'guestTrBase', 'GUEST_TR_BASE'],
    [0x4800, 'guestEsLimit', 'GUEST_ES_LIMIT'],
    [0x4802, 'guestCsLimit', 'GUEST_CS_LIMIT'],
    [0x4804, 'guestSsLimit', 'GUEST_SS_LIMIT'],
    [0x4806, 'guestDsLimit', 'GUEST_DS_LIMIT'],
    [0x4808, 'guestFsLimit', 'GUEST_FS_LIMIT'],
    [0x480a, 'guestGsLimit', 'GUEST_GS_LIMIT'],
    [0x480c, 'guestLdtrLimit', 'GUEST_LDTR_LIMIT'],
    [0x480e, 'guestTrLimit', 'GUEST_TR_LIMIT'],
    [0x4814, 'guestEsAccessRights', 'GUEST_ES_AR_BYTES'],
    [0x4816, 'guestCsAccessRights', 'GUEST_CS_AR_BYTES'],
    [0x4818, 'guestSsAccessRights', 'GUEST_SS_AR_BYTES'],
    [0x481a, 'guestDsAccessRights', 'GUEST_DS_AR_BYTES'],
    [0x481c, 'guestFsAccessRights', 'GUEST_FS_AR_BYTES'],
    [0x481e, 'guestGsAccessRights', 'GUEST_GS_AR_BYTES'],
    [0x4820, 'guestLdtrAccessRights', 'GUEST_LDTR_AR_BYTES'],
    [0x4822, 'guestTrAccessRights', 'GUEST_TR_AR_BYTES'],
    [0x6816, 'guestGdtrBase', 'GUEST_GDTR_BASE'],
    [0x6818, 'guestIdtrBase', 'GUEST_IDTR_BASE'],
    [0x4810, 'guestGdtrLimit', 'GUEST_GDTR_LIMIT'],
    [0x4812, 'guestIdtrLimit', 'GUEST_IDTR_LIMIT'],
    [0x2802, 'guestDebugctl', 'GUEST_IA32_DEBUGCTL'],
    [0x482a, 'guestSysenterCs', 'GUEST_SYSENTER_CS'],
    [0x6824, 'guestSysenterEsp', 'GUEST_SYSENTER_ESP'],
    [0x6826, 'guestSysenterEip', 'GUEST_SYSENTER_EIP'],
    [0x2804, 'guestPat', 'GUEST_IA32_PAT', 'loadPat'],
    [0x2806, 'guestEfer', 'GUEST_IA32_EFER', 'loadEfer'],
    [0x4828, 'guestSmbase', 'GUEST_SMBASE'],
  ]),
  block('guest state', '25.4.2', [
    [0x4826, 'guestActivityState', 'GUEST_ACTIVITY_STATE'],
    [0x4824, 'guestInterruptibilityState', 'GUEST_INTERRUPTIBILITY_INFO'],
    [0x6822, 'guestPendingDebugExceptions', 'GUEST_PENDING_DBG_EXCEPTIONS'],
    [0x2800, 'vmcsLinkPointer', 'VMCS_LINK_POINTER'],
    [0x482e, 'preemptionTimerValue', 'VMX_PREEMPTION_TIMER_VALUE', 'activatePreemptionTimer'],
    [0x280a, 'guestPdpte0', 'GUEST_PDPTR0', 'enableEpt'],
    [0x280c, 'guestPdpte1', 'GUEST_PDPTR1', 'enableEpt'],
    [0x280e, 'guestPdpte2', 'GUEST_PDPTR2', 'enableEpt'],
    [0x2810, 'guestPdpte3', 'GUEST_PDPTR3', 'enableEpt'],
    [0x0810, 'guestInterruptStatus', 'GUEST_INTR_STATUS', 'virtualInterruptDelivery'],
    [0x0812, 'guestPmlIndex', 'GUEST_PML_INDEX', 'enablePml'],
  ]),
  block('host state', '25.5', [
    [0x6c00, 'hostCr0', 'HOST_CR0'],
    [0x6c02, 'hostCr3', 'HOST_CR3'],
    [0x6c04, 'hostCr4', 'HOST_CR4'],
    [0x6c14, 'hostRsp', 'HOST_RSP'],
    [0x6c16, 'hostRip', 'HOST_RIP'],
    [0x0c00, 'hostEsSelector', 'HOST_ES_SELECTOR'],
    [0x0c02, 'hostCsSelector', 'HOST_CS_SELECTOR'],
    [0x0c04, 'hostSsSelector', 'HOST_SS_SELECTOR'],
    [0x0c06, 'hostDsSelector', 'HOST_DS_SELECTOR'],
    [0x0c08, 'hostFsSelector', 'HOST_FS_SELECTOR'],
    [0x0c0a, 'hostGsSelector', 'HOST_GS_SELECTOR'],
    [0x0c0c, 'hostTrSelector', 'HOST_TR_SELECTOR'],
    [0x6c06, 'hostFsBase', 'HOST_FS_BASE'],
    [0x6c08, 'hostGsBase', 'HOST_GS_BASE'],
    [0x6c0a, 'hostTrBase', 'HOST_TR_BASE'],
    [0x6c0c, 'hostGdtrBase', 'HOST_GDTR_BASE'],
    [0x6c0e, 'hostIdtrBase', 'HOST_IDTR_BASE'],
    [0x4c00, 'hostSysenterCs', 'HOST_IA32_SYSENTER_CS'],
    [0x6c10, 'hostSysenterEsp', 'HOST_IA32_SYSENTER_ESP'],
    [0x6c12, 'hostSysenterEip', 'HOST_IA32_SYSENTER_EIP'],
    [0x2c00, 'hostPat', 'HOST_IA32_PAT', 'loadPat'],
    [0x2c02, 'hostEfer', 'HOST_IA32_EFER', 'loadEfer'],
  ]),
  block('VM-execution control', '25.6', [
    [0x4000, 'pinBasedControls', 'PIN_BASED_VM_EXEC_CONTROL'],
    [0x4002, 'primaryProcBasedControls', 'CPU_BASED_VM_EXEC_CONTROL'],
    [0x401e, 'secondaryProcBasedControls', 'SECONDARY_VM_EXEC_CONTROL', 'activateSecondaryControls'],
    [0x4004, 'exceptionBitmap', 'EXCEPTION_BITMAP'],
    [0x4006, 'pageFaultErrorCodeMask', 'PAGE_FAULT_ERROR_CODE_MASK'],
    [0x4008, 'pageFaultErrorCodeMatch', 'PAGE_FAULT_ERROR_CODE_MATCH'],
    [0x2000, 'ioBitmapA', 'IO_BITMAP_A'],
    [0x2002, 'ioBitmapB', 'IO_BITMAP_B'],
    [0x2010, 'tscOffset', 'TSC_OFFSET'],
    [0x2032, 'tscMultiplier', 'TSC_MULTIPLIER', 'useTscScaling'],
    [0x6000, 'cr0GuestHostMask', 'CR0_GUEST_HOST_MASK'],
    [0x6002, 'cr4GuestHostMask', 'CR4_GUEST_HOST_MASK'],
    [0x6004, 'cr0ReadShadow', 'CR0_READ_SHADOW'],
    [0x6006, 'cr4ReadShadow', 'CR4_READ_SHADOW'],
    [0x400a, 'cr3TargetCount', 'CR3_TARGET_COUNT'],
    [0x6008, 'cr3TargetValue0', 'CR3_TARGET_VALUE0'],
    [0x600a, 'cr3TargetValue1', 'CR3_TARGET_VALUE1'],
    [0x600c, 'cr3TargetValue2', 'CR3_TARGET_VALUE2'],
    [0x600e, 'cr3TargetValue3', 'CR3_TARGET_VALUE3'],
    [0x2004, 'msrBitmap', 'MSR_BITMAP', 'useMsrBitmaps'],
    [0x2012, 'virtualApicAddress', 'VIRTUAL_APIC_PAGE_ADDR', 'useTprShadow'],
    [0x2014, 'apicAccessAddress', 'APIC_ACCESS_ADDR', 'virtualizeApicAccesses'],
    [0x401c, 'tprThreshold', 'TPR_THRESHOLD', 'useTprShadow'],
    [0x201c, 'eoiExitBitmap0', 'EOI_EXIT_BITMAP0', 'virtualInterruptDelivery'],
    [0x201e, 'eoiExitBitmap1', 'EOI_EXIT_BITMAP1', 'virtualInterruptDelivery'],
    [0x2020, 'eoiExitBitmap2', 'EOI_EXIT_BITMAP2', 'virtualInterruptDelivery'],
    [0x2022, 'eoiExitBitmap3', 'EOI_EXIT_BITMAP3', 'virtualInterruptDelivery'],
    [0x0002, 'postedInterruptNotificationVector', 'POSTED_INTR_NV', 'processPostedInterrupts'],
    [0x2016, 'postedInterruptDescriptorAddress', 'POSTED_INTR_DESC_ADDR', 'processPostedInterrupts'],
    [0x200c, 'executiveVmcsPointer', 'EXECUTIVE_VMCS_POINTER'],
    [0x201a, 'eptPointer', 'EPT_POINTER', 'enableEpt'],
    [0x0000, 'virtualProcessorIdentifier', 'VIRTUAL_PROCESSOR_ID', 'enableVpid'],
    [0x2018, 'vmFunctionControls', 'VM_FUNCTION_CONTROL', 'enableVmFunctions'],
    [0x2024, 'eptpListAddress', 'EPTP_LIST_ADDRESS', 'enableVmFunctions'],
    [0x2026, 'vmreadBitmap', 'VMREAD_BITMAP', 'vmcsShadowing'],
    [0x2028, 'vmwriteBitmap', 'VMWRITE_BITMAP', 'vmcsShadowing'],
    [0x0004, 'eptpIndex', 'EPTP_INDEX', 'eptViolationVe'],
    [0x202a, 'virtualizationExceptionInformationAddress', 'VE_INFORMATION_ADDRESS', 'eptViolationVe'],
    [0x4020, 'pleGap', 'PLE_GAP', 'pauseLoopExiting'],
    [0x4022, 'pleWindow', 'PLE_WINDOW', 'pauseLoopExiting'],
    [0x200e, 'pmlAddress', 'PML_ADDRESS', 'enablePml'],
  ]),
  block('VM-exit control', '25.7', [
    [0x400c, 'vmExitControls', 'VM_EXIT_CONTROLS'],
    [0x400e, 'vmExitMsrStoreCount', 'VM_EXIT_MSR_STORE_COUNT'],
    [0x2006, 'vmExitMsrStoreAddress', 'VM_EXIT_MSR_STORE_ADDR'],
    [0x4010, 'vmExitMsrLoadCount', 'VM_EXIT_MSR_LOAD_COUNT'],
    [0x2008, 'vmExitMsrLoadAddress', 'VM_EXIT_MSR_LOAD_ADDR'],
  ]),
  block('VM-entry control', '25.8', [
    [0x4012, 'vmEntryControls', 'VM_ENTRY_CONTROLS'],
    [0x4014, 'vmEntryMsrLoadCount', 'VM_ENTRY_MSR_LOAD_COUNT'],
    [0x200a, 'vmEntryMsrLoadAddress', 'VM_ENTRY_MSR_LOAD_ADDR'],
    [0x4016, 'vmEntryInterruptionInformation', 'VM_ENTRY_INTR_INFO_FIELD'],
    [0x4018, 'vmEntryExceptionErrorCode', 'VM_ENTRY_EXCEPTION_ERROR_CODE'],
    [0x401a, 'vmEntryInstructionLength', 'VM_ENTRY_INSTRUCTION_LEN'],
  ]),
  block('VM-exit information', '25.9', [
    [0x4402, 'exitReason', 'VM_EXIT_REASON'],
    [0x6400, 'exitQualification', 'EXIT_QUALIFICATION'],
    [0x640a, 'guestLinearAddress', 'GUEST_LINEAR_ADDRESS'],
    [0x2400, 'guestPhysicalAddress', 'GUEST_PHYSICAL_ADDRESS', 'enableEpt'],
    [0x4404, 'vmExitInterruptionInformation', 'VM_EXIT_INTR_INFO'],
    [0x4406, 'vmExitInterruptionErrorCode', 'VM_EXIT_INTR_ERROR_CODE'],
    [0x4408, 'idtVectoringInformation', 'IDT_VECTORING_INFO_FIELD'],
    [0x440a, 'idtVectoringErrorCode', 'IDT_VECTORING_ERROR_CODE'],
    [0x440c, 'vmExitInstructionLength', 'VM_EXIT_INSTRUCTION_LEN'],
    [0x440e, 'vmExitInstructionInformation', 'VMX_INSTRUCTION_INFO'],
    [0x6402, 'ioRcx', 'IO_RCX'],
    [0x6404, 'ioRsi', 'IO_RSI'],
    [0x6406, 'ioRdi', 'IO_RDI'],
    [0x6408, 'ioRip', 'IO_RIP'],
    [0x4400, 'vmInstructionError', 'VM_INSTRUCTION_ERROR'],
  ]),
] as const;

export type VmcsFieldName = (typeof blocks)[number]['rows'][number][1];

/** First byte of the fields in the VMCS region: revision identifier, abort indicator and launch state come before. */
export const VMCS_FIELDS_OFFSET = 16;

const WIDTHS = [16, 64, 32, 'natural'] as const;
/** Bits 14:13 of an encoding, SDM 3C table 25-21. */
export const widthOfEncoding = (encoding: number): FieldWidth => WIDTHS[(encoding >> 13) & 3];

const ACCESS_TYPE_READ_ONLY = 1;

/** All fields, in the order of the manual's chapter 25. */
export const vmcsFields: readonly VmcsField[] = blocks
  .flatMap(({ group, section, rows }) => rows.map((row: Row) => ({ group, section, row })))
  .map(({ group, section, row: [encoding, name, constant, existsWith] }, index) => ({
    encoding,
    name: name as VmcsFieldName,
    constant,
    width: widthOfEncoding(encoding),
    group,
    readOnly: ((encoding >> 10) & 3) === ACCESS_TYPE_READ_ONLY,
    existsWith,
    section,
    offset: VMCS_FIELDS_OFFSET + index * 8,
  }));

/** The fields by name: `Field.guestRip`. */
export const Field = Object.fromEntries(vmcsFields.map((field) => [field.name, field])) as Readonly<
  Record<VmcsFieldName, VmcsField>
>;

const byEncoding = new Map(vmcsFields.map((field) => [field.encoding, field]));

/** A field access as VMREAD and VMWRITE encode it. */
export interface FieldAccess {
  readonly field: VmcsField;
  /** The access is to bits 63:32 of a 64-bit field. */
  readonly high: boolean;
}

/** What an encoding names, or undefined for a field that this processor does not have (VM-instruction error 12). */
export function fieldAccess(encoding: number): FieldAccess | undefined {
  const high = (encoding & 1) !== 0;
  const field = byEncoding.get(high ? encoding - 1 : encoding);
  // SDM 3C 25.11.2: the high access type exists only for 64-bit fields.
  if (!field || (high && field.width !== 64)) return undefined;
  return { field, high };
}

/** Highest index of any field, IA32_VMX_VMCS_ENUM bits 9:1 (SDM 3D A.9). */
export const highestFieldIndex = Math.max(...vmcsFields.map(({ encoding }) => (encoding >> 1) & 0x1ff));
