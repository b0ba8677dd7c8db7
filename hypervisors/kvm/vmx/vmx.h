/* SPDX-License-Identifier: MIT */
/* VMX as the SDM numbers it (volume 3C chapters 25-28, volume 3D appendices A-C). Usable from assembly. */
#ifndef VMX_H
#define VMX_H

/* Exit reasons (appendix C). */
#define EXIT_REASON_EXCEPTION_NMI 0
#define EXIT_REASON_EXTERNAL_INTERRUPT 1
#define EXIT_REASON_TRIPLE_FAULT 2
#define EXIT_REASON_INIT_SIGNAL 3
#define EXIT_REASON_SIPI_SIGNAL 4
#define EXIT_REASON_INTERRUPT_WINDOW 7
#define EXIT_REASON_NMI_WINDOW 8
#define EXIT_REASON_TASK_SWITCH 9
#define EXIT_REASON_CPUID 10
#define EXIT_REASON_GETSEC 11
#define EXIT_REASON_HLT 12
#define EXIT_REASON_INVD 13
#define EXIT_REASON_INVLPG 14
#define EXIT_REASON_RDPMC 15
#define EXIT_REASON_RDTSC 16
#define EXIT_REASON_VMCALL 18
#define EXIT_REASON_VMCLEAR 19
#define EXIT_REASON_VMLAUNCH 20
#define EXIT_REASON_VMPTRLD 21
#define EXIT_REASON_VMPTRST 22
#define EXIT_REASON_VMREAD 23
#define EXIT_REASON_VMRESUME 24
#define EXIT_REASON_VMWRITE 25
#define EXIT_REASON_VMOFF 26
#define EXIT_REASON_VMON 27
#define EXIT_REASON_CR_ACCESS 28
#define EXIT_REASON_DR_ACCESS 29
#define EXIT_REASON_IO_INSTRUCTION 30
#define EXIT_REASON_MSR_READ 31
#define EXIT_REASON_MSR_WRITE 32
#define EXIT_REASON_INVALID_STATE 33
#define EXIT_REASON_MSR_LOAD_FAIL 34
#define EXIT_REASON_MWAIT_INSTRUCTION 36
#define EXIT_REASON_MONITOR_INSTRUCTION 39
#define EXIT_REASON_PAUSE_INSTRUCTION 40
#define EXIT_REASON_MCE_DURING_VMENTRY 41
#define EXIT_REASON_EPT_VIOLATION 48
#define EXIT_REASON_EPT_MISCONFIG 49
#define EXIT_REASON_INVEPT 50
#define EXIT_REASON_RDTSCP 51
#define EXIT_REASON_INVVPID 53
#define EXIT_REASON_WBINVD 54
#define EXIT_REASON_XSETBV 55
#define EXIT_REASON_INVPCID 58
#define VMX_EXIT_REASONS_FAILED_VMENTRY 0x80000000

/* VMCS field encodings (appendix B). */
#define VIRTUAL_PROCESSOR_ID 0x0000
#define GUEST_ES_SELECTOR 0x0800
#define GUEST_CS_SELECTOR 0x0802
#define GUEST_SS_SELECTOR 0x0804
#define GUEST_DS_SELECTOR 0x0806
#define GUEST_FS_SELECTOR 0x0808
#define GUEST_GS_SELECTOR 0x080a
#define GUEST_LDTR_SELECTOR 0x080c
#define GUEST_TR_SELECTOR 0x080e
#define HOST_ES_SELECTOR 0x0c00
#define HOST_CS_SELECTOR 0x0c02
#define HOST_SS_SELECTOR 0x0c04
#define HOST_DS_SELECTOR 0x0c06
#define HOST_FS_SELECTOR 0x0c08
#define HOST_GS_SELECTOR 0x0c0a
#define HOST_TR_SELECTOR 0x0c0c
#define MSR_BITMAP 0x2004
#define EPT_POINTER 0x201a
#define GUEST_PHYSICAL_ADDRESS 0x2400
#define VMCS_LINK_POINTER 0x2800
#define GUEST_IA32_DEBUGCTL 0x2802
#define GUEST_IA32_PAT 0x2804
#define GUEST_IA32_EFER 0x2806
#define GUEST_PDPTR0 0x280a
#define GUEST_PDPTR1 0x280c
#define GUEST_PDPTR2 0x280e
#define GUEST_PDPTR3 0x2810
#define HOST_IA32_PAT 0x2c00
#define HOST_IA32_EFER 0x2c02
#define PIN_BASED_VM_EXEC_CONTROL 0x4000
#define CPU_BASED_VM_EXEC_CONTROL 0x4002
#define EXCEPTION_BITMAP 0x4004
#define PAGE_FAULT_ERROR_CODE_MASK 0x4006
#define PAGE_FAULT_ERROR_CODE_MATCH 0x4008
#define CR3_TARGET_COUNT 0x400a
#define VM_EXIT_CONTROLS 0x400c
#define VM_EXIT_MSR_STORE_COUNT 0x400e
#define VM_EXIT_MSR_LOAD_COUNT 0x4010
#define VM_ENTRY_CONTROLS 0x4012
#define VM_ENTRY_MSR_LOAD_COUNT 0x4014
#define VM_ENTRY_INTR_INFO_FIELD 0x4016
#define VM_ENTRY_EXCEPTION_ERROR_CODE 0x4018
#define VM_ENTRY_INSTRUCTION_LEN 0x401a
#define SECONDARY_VM_EXEC_CONTROL 0x401e
#define VM_INSTRUCTION_ERROR 0x4400
#define VM_EXIT_REASON 0x4402
#define VM_EXIT_INTR_INFO 0x4404
#define VM_EXIT_INTR_ERROR_CODE 0x4406
#define IDT_VECTORING_INFO_FIELD 0x4408
#define IDT_VECTORING_ERROR_CODE 0x440a
#define VM_EXIT_INSTRUCTION_LEN 0x440c
#define VMX_INSTRUCTION_INFO 0x440e
#define GUEST_ES_LIMIT 0x4800
#define GUEST_CS_LIMIT 0x4802
#define GUEST_SS_LIMIT 0x4804
#define GUEST_DS_LIMIT 0x4806
#define GUEST_FS_LIMIT 0x4808
#define GUEST_GS_LIMIT 0x480a
#define GUEST_LDTR_LIMIT 0x480c
#define GUEST_TR_LIMIT 0x480e
#define GUEST_GDTR_LIMIT 0x4810
#define GUEST_IDTR_LIMIT 0x4812
#define GUEST_ES_AR_BYTES 0x4814
#define GUEST_CS_AR_BYTES 0x4816
#define GUEST_SS_AR_BYTES 0x4818
#define GUEST_DS_AR_BYTES 0x481a
#define GUEST_FS_AR_BYTES 0x481c
#define GUEST_GS_AR_BYTES 0x481e
#define GUEST_LDTR_AR_BYTES 0x4820
#define GUEST_TR_AR_BYTES 0x4822
#define GUEST_INTERRUPTIBILITY_INFO 0x4824
#define GUEST_ACTIVITY_STATE 0x4826
#define GUEST_SYSENTER_CS 0x482a
#define HOST_IA32_SYSENTER_CS 0x4c00
#define CR0_GUEST_HOST_MASK 0x6000
#define CR4_GUEST_HOST_MASK 0x6002
#define CR0_READ_SHADOW 0x6004
#define CR4_READ_SHADOW 0x6006
#define EXIT_QUALIFICATION 0x6400
#define GUEST_LINEAR_ADDRESS 0x640a
#define GUEST_CR0 0x6800
#define GUEST_CR3 0x6802
#define GUEST_CR4 0x6804
#define GUEST_ES_BASE 0x6806
#define GUEST_CS_BASE 0x6808
#define GUEST_SS_BASE 0x680a
#define GUEST_DS_BASE 0x680c
#define GUEST_FS_BASE 0x680e
#define GUEST_GS_BASE 0x6810
#define GUEST_LDTR_BASE 0x6812
#define GUEST_TR_BASE 0x6814
#define GUEST_GDTR_BASE 0x6816
#define GUEST_IDTR_BASE 0x6818
#define GUEST_DR7 0x681a
#define GUEST_RSP 0x681c
#define GUEST_RIP 0x681e
#define GUEST_RFLAGS 0x6820
#define GUEST_PENDING_DBG_EXCEPTIONS 0x6822
#define GUEST_SYSENTER_ESP 0x6824
#define GUEST_SYSENTER_EIP 0x6826
#define HOST_CR0 0x6c00
#define HOST_CR3 0x6c02
#define HOST_CR4 0x6c04
#define HOST_FS_BASE 0x6c06
#define HOST_GS_BASE 0x6c08
#define HOST_TR_BASE 0x6c0a
#define HOST_GDTR_BASE 0x6c0c
#define HOST_IDTR_BASE 0x6c0e
#define HOST_IA32_SYSENTER_ESP 0x6c10
#define HOST_IA32_SYSENTER_EIP 0x6c12
#define HOST_RSP 0x6c14
#define HOST_RIP 0x6c16

/* Controls (25.6 - 25.8). */
#define PIN_BASED_EXT_INTR_MASK 0x00000001
#define PIN_BASED_NMI_EXITING 0x00000008
#define CPU_BASED_USE_TSC_OFFSETTING 0x00000008
#define CPU_BASED_HLT_EXITING 0x00000080
#define CPU_BASED_INVLPG_EXITING 0x00000200
#define CPU_BASED_MWAIT_EXITING 0x00000400
#define CPU_BASED_RDPMC_EXITING 0x00000800
#define CPU_BASED_RDTSC_EXITING 0x00001000
#define CPU_BASED_CR3_LOAD_EXITING 0x00008000
#define CPU_BASED_CR3_STORE_EXITING 0x00010000
#define CPU_BASED_CR8_LOAD_EXITING 0x00080000
#define CPU_BASED_CR8_STORE_EXITING 0x00100000
#define CPU_BASED_MOV_DR_EXITING 0x00800000
#define CPU_BASED_UNCOND_IO_EXITING 0x01000000
#define CPU_BASED_USE_MSR_BITMAPS 0x10000000
#define CPU_BASED_MONITOR_EXITING 0x20000000
#define CPU_BASED_ACTIVATE_SECONDARY_CONTROLS 0x80000000
#define SECONDARY_EXEC_ENABLE_EPT 0x00000002
#define SECONDARY_EXEC_ENABLE_RDTSCP 0x00000008
#define SECONDARY_EXEC_ENABLE_VPID 0x00000020
#define SECONDARY_EXEC_WBINVD_EXITING 0x00000040
#define SECONDARY_EXEC_UNRESTRICTED_GUEST 0x00000080
#define VM_EXIT_SAVE_DEBUG_CONTROLS 0x00000004
#define VM_EXIT_HOST_ADDR_SPACE_SIZE 0x00000200
#define VM_EXIT_ACK_INTR_ON_EXIT 0x00008000
#define VM_EXIT_SAVE_IA32_PAT 0x00040000
#define VM_EXIT_LOAD_IA32_PAT 0x00080000
#define VM_EXIT_SAVE_IA32_EFER 0x00100000
#define VM_EXIT_LOAD_IA32_EFER 0x00200000
#define VM_ENTRY_LOAD_DEBUG_CONTROLS 0x00000004
#define VM_ENTRY_IA32E_MODE 0x00000200
#define VM_ENTRY_LOAD_IA32_PAT 0x00004000
#define VM_ENTRY_LOAD_IA32_EFER 0x00008000

/* Capability MSRs (appendix A). */
#define MSR_IA32_VMX_BASIC 0x480
#define VMX_BASIC_TRUE_CTLS (1ULL << 55)
#define VMX_BASIC_INOUT (1ULL << 54)
#define MSR_IA32_VMX_PINBASED_CTLS 0x481
#define MSR_IA32_VMX_PROCBASED_CTLS 0x482
#define MSR_IA32_VMX_EXIT_CTLS 0x483
#define MSR_IA32_VMX_ENTRY_CTLS 0x484
#define MSR_IA32_VMX_CR0_FIXED0 0x486
#define MSR_IA32_VMX_CR0_FIXED1 0x487
#define MSR_IA32_VMX_CR4_FIXED0 0x488
#define MSR_IA32_VMX_CR4_FIXED1 0x489
#define MSR_IA32_VMX_PROCBASED_CTLS2 0x48b
#define MSR_IA32_VMX_EPT_VPID_CAP 0x48c
#define MSR_IA32_VMX_TRUE_PINBASED_CTLS 0x48d
#define MSR_IA32_VMX_TRUE_PROCBASED_CTLS 0x48e
#define MSR_IA32_VMX_TRUE_EXIT_CTLS 0x48f
#define MSR_IA32_VMX_TRUE_ENTRY_CTLS 0x490
#define VMX_EPT_PAGE_WALK_4_BIT (1ULL << 6)
#define VMX_EPTP_WB_BIT (1ULL << 14)
#define VMX_EPT_2MB_PAGE_BIT (1ULL << 16)
#define VMX_EPT_INVEPT_BIT (1ULL << 20)
#define VMX_EPT_EXTENT_CONTEXT_BIT (1ULL << 25)
#define VMX_EPT_EXTENT_GLOBAL_BIT (1ULL << 26)
#define VMX_VPID_INVVPID_BIT (1ULL << 32)
#define VMX_VPID_EXTENT_SINGLE_CONTEXT_BIT (1ULL << 41)
#define VMX_VPID_EXTENT_SINGLE_CONTEXT 1
#define VMX_EPT_EXTENT_GLOBAL 2

/* Interruption information (25.8.3, 25.9.2). */
#define INTR_INFO_VECTOR_MASK 0xff
#define INTR_INFO_INTR_TYPE_MASK 0x700
#define INTR_INFO_DELIVER_CODE_MASK 0x800
#define INTR_INFO_VALID_MASK 0x80000000
#define INTR_TYPE_EXT_INTR (0 << 8)
#define INTR_TYPE_NMI_INTR (2 << 8)
#define INTR_TYPE_HARD_EXCEPTION (3 << 8)
#define INTR_TYPE_SOFT_INTR (4 << 8)
#define INTR_TYPE_PRIV_SW_EXCEPTION (5 << 8)
#define INTR_TYPE_SOFT_EXCEPTION (6 << 8)

#define GUEST_INTR_STATE_STI 1
#define GUEST_INTR_STATE_MOV_SS 2
#define GUEST_ACTIVITY_ACTIVE 0

/* Segment access rights (25.4.1). */
#define VMX_AR_L_MASK (1 << 13)
#define VMX_AR_DPL(ar) (((ar) >> 5) & 3)
#define VMX_AR_UNUSABLE (1 << 16)

#ifndef __ASSEMBLER__

#include "kvm.h"

/* What setup_vmcs_config() negotiated with the processor. */
struct vmcs_config {
	u32 revision_id;
	u32 pin_based_exec_ctrl;
	u32 cpu_based_exec_ctrl;
	u32 cpu_based_2nd_exec_ctrl;
	u32 vmexit_ctrl;
	u32 vmentry_ctrl;
	u64 ept_vpid;
	bool reports_string_io;
};
extern struct vmcs_config vmcs_config;

struct vcpu_vmx {
	struct kvm_vcpu vcpu;
	u32 *vmcs;
	bool launched;
	u16 vpid;
	bool flush_guest_tlb;
	/* Read from the VMCS after each exit. */
	u32 exit_reason;
	u32 exit_intr_info;
	u32 idt_vectoring_info;
};

static inline struct vcpu_vmx *to_vmx(struct kvm_vcpu *vcpu)
{
	return (struct vcpu_vmx *)((char *)vcpu - offsetof(struct vcpu_vmx, vcpu));
}

struct kvm_segment {
	unsigned long base;
	u32 limit;
	u16 selector;
	u32 access_rights;
};

enum kvm_segment_register {
	VCPU_SREG_ES,
	VCPU_SREG_CS,
	VCPU_SREG_SS,
	VCPU_SREG_DS,
	VCPU_SREG_FS,
	VCPU_SREG_GS,
	VCPU_SREG_LDTR,
	VCPU_SREG_TR,
};

/* capabilities.c */
void setup_vmcs_config(void);

/* hardware.c */
void hardware_enable(void);
u32 *alloc_vmcs(void);
void vmcs_load(u32 *vmcs);
void vmcs_clear(u32 *vmcs);

/* vmcs.c */
void vmx_vcpu_setup(struct vcpu_vmx *vmx);
void vmx_dump_entry_failure(struct kvm_vcpu *vcpu);
const char *vmx_instruction_error_name(u32 error);

/* vcpu.c */
struct kvm_vcpu *vmx_vcpu_create(struct kvm *kvm, int id);
void vmx_vcpu_load(struct kvm_vcpu *vcpu);
void vmx_vcpu_put(struct kvm_vcpu *vcpu);
int vmx_get_cpl(struct kvm_vcpu *vcpu);
bool vmx_get_cs_l_bit(struct kvm_vcpu *vcpu);
bool vmx_in_64_bit_mode(struct kvm_vcpu *vcpu);
unsigned long vmx_get_rflags(struct kvm_vcpu *vcpu);
unsigned long vmx_get_segment_base(struct kvm_vcpu *vcpu, enum kvm_segment_register seg);
void vmx_set_segment(struct kvm_vcpu *vcpu, enum kvm_segment_register seg, const struct kvm_segment *var);
void vmx_set_descriptor_table(struct kvm_vcpu *vcpu, u32 base_field, u32 limit_field, unsigned long base, u16 limit);
void vmx_set_cr0(struct kvm_vcpu *vcpu, unsigned long cr0);
void vmx_set_cr3(struct kvm_vcpu *vcpu, unsigned long cr3);
unsigned long vmx_get_cr3(struct kvm_vcpu *vcpu);
void vmx_set_cr4(struct kvm_vcpu *vcpu, unsigned long cr4);
void vmx_set_efer(struct kvm_vcpu *vcpu, u64 efer);
void vmx_set_dr7(struct kvm_vcpu *vcpu, unsigned long dr7);
void vmx_set_pdptrs(struct kvm_vcpu *vcpu, const u64 pdptrs[4]);
void vmx_flush_tlb_guest(struct kvm_vcpu *vcpu);
u32 vmx_get_vmcs_msr_field(u32 msr);
int vmx_skip_emulated_instruction(struct kvm_vcpu *vcpu);

/* run.c */
void vmx_inject_exception(struct kvm_vcpu *vcpu);
void vmx_vcpu_run(struct kvm_vcpu *vcpu);
void vmx_handle_exit_irqoff(struct kvm_vcpu *vcpu);

/* vmx.c */
int vmx_handle_exit(struct kvm_vcpu *vcpu);

/* vmenter.S: 0 after a VM exit, 1 when VMLAUNCH or VMRESUME failed. */
int __vmx_vcpu_run(struct vcpu_vmx *vmx, unsigned long *regs, bool launched);
extern const u8 vmx_vmexit[];

#endif
#endif
