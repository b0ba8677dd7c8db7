// SPDX-License-Identifier: MIT
/* The vCPU's state as the VMCS holds it. */
#include "kernel/kernel.h"
#include "kernel/processor.h"
#include "kernel/sched.h"
#include "vmx.h"
#include "vmx_ops.h"

static const struct {
	u16 selector;
	u16 base;
	u16 limit;
	u16 access_rights;
} segment_fields[] = {
#define VMX_SEGMENT_FIELD(seg)                                                                                         \
	[VCPU_SREG_##seg] = { GUEST_##seg##_SELECTOR, GUEST_##seg##_BASE, GUEST_##seg##_LIMIT, GUEST_##seg##_AR_BYTES }
	VMX_SEGMENT_FIELD(ES), VMX_SEGMENT_FIELD(CS), VMX_SEGMENT_FIELD(SS),   VMX_SEGMENT_FIELD(DS),
	VMX_SEGMENT_FIELD(FS), VMX_SEGMENT_FIELD(GS), VMX_SEGMENT_FIELD(LDTR), VMX_SEGMENT_FIELD(TR),
};

struct kvm_vcpu *vmx_vcpu_create(struct kvm *kvm, int id)
{
	struct vcpu_vmx *vmx = alloc_pages_exact(sizeof(*vmx));

	vmx->vcpu.kvm = kvm;
	vmx->vcpu.vcpu_id = id;
	vmx->vcpu.arch.dr6 = DR6_FIXED_1;
	/* VPID 0 is the host's. */
	vmx->vpid = (u16)(id + 1);
	vmx->flush_guest_tlb = true;
	vmx->vmcs = alloc_vmcs();
	vmcs_clear(vmx->vmcs);
	vmcs_load(vmx->vmcs);
	vmx_vcpu_setup(vmx);
	return &vmx->vcpu;
}

/* The thread gets the processor: its VMCS, and the guest's values of MSRs that no VM entry loads. */
void vmx_vcpu_load(struct kvm_vcpu *vcpu)
{
	vmcs_load(to_vmx(vcpu)->vmcs);
	wrmsr(MSR_STAR, vcpu->arch.star);
	wrmsr(MSR_LSTAR, vcpu->arch.lstar);
	wrmsr(MSR_CSTAR, vcpu->arch.cstar);
	wrmsr(MSR_SYSCALL_MASK, vcpu->arch.syscall_mask);
	wrmsr(MSR_KERNEL_GS_BASE, vcpu->arch.kernel_gs_base);
	if (vmcs_config.cpu_based_2nd_exec_ctrl & SECONDARY_EXEC_ENABLE_RDTSCP)
		wrmsr(MSR_TSC_AUX, vcpu->arch.tsc_aux);
}

void vmx_vcpu_put(struct kvm_vcpu *vcpu)
{
	/* SWAPGS changes it without a VM exit. */
	vcpu->arch.kernel_gs_base = rdmsr(MSR_KERNEL_GS_BASE);
}

int vmx_get_cpl(struct kvm_vcpu *vcpu)
{
	/* SDM 3C 25.4.1: the CPL is always the DPL of SS. */
	return VMX_AR_DPL(vmcs_read32(GUEST_SS_AR_BYTES));
}

bool vmx_get_cs_l_bit(struct kvm_vcpu *vcpu)
{
	return vmcs_read32(GUEST_CS_AR_BYTES) & VMX_AR_L_MASK;
}

bool vmx_in_64_bit_mode(struct kvm_vcpu *vcpu)
{
	return is_long_mode(vcpu) && vmx_get_cs_l_bit(vcpu);
}

unsigned long vmx_get_rflags(struct kvm_vcpu *vcpu)
{
	return vmcs_readl(GUEST_RFLAGS);
}

unsigned long vmx_get_segment_base(struct kvm_vcpu *vcpu, enum kvm_segment_register seg)
{
	return vmcs_readl(segment_fields[seg].base);
}

void vmx_set_segment(struct kvm_vcpu *vcpu, enum kvm_segment_register seg, const struct kvm_segment *var)
{
	vmcs_write16(segment_fields[seg].selector, var->selector);
	vmcs_writel(segment_fields[seg].base, var->base);
	vmcs_write32(segment_fields[seg].limit, var->limit);
	vmcs_write32(segment_fields[seg].access_rights, var->access_rights);
}

void vmx_set_descriptor_table(struct kvm_vcpu *vcpu, u32 base_field, u32 limit_field, unsigned long base, u16 limit)
{
	vmcs_writel(base_field, base);
	vmcs_write32(limit_field, limit);
}

/* SDM 3C 27.3.1.1: LMA, the entry control and EFER in the VMCS say the same. */
void vmx_set_efer(struct kvm_vcpu *vcpu, u64 efer)
{
	u32 entry_controls = vmcs_read32(VM_ENTRY_CONTROLS);

	vcpu->arch.efer = efer;
	if (efer & EFER_LMA)
		entry_controls |= VM_ENTRY_IA32E_MODE;
	else
		entry_controls &= ~VM_ENTRY_IA32E_MODE;
	vmcs_write32(VM_ENTRY_CONTROLS, entry_controls);
	vmcs_write64(GUEST_IA32_EFER, efer);
}

/*
 * The guest's own value is in the read shadow. In the real register NE is 1, as VMX wants it, and EM is 1: no FPU state
 * is switched between vCPUs, so the guest has no FPU.
 */
void vmx_set_cr0(struct kvm_vcpu *vcpu, unsigned long cr0)
{
	vcpu->arch.cr0 = cr0;
	vmcs_writel(CR0_GUEST_HOST_MASK, ~0UL);
	vmcs_writel(CR0_READ_SHADOW, cr0);
	vmcs_writel(GUEST_CR0, cr0 | X86_CR0_NE | X86_CR0_EM);
}

void vmx_set_cr3(struct kvm_vcpu *vcpu, unsigned long cr3)
{
	vmcs_writel(GUEST_CR3, cr3);
}

unsigned long vmx_get_cr3(struct kvm_vcpu *vcpu)
{
	return vmcs_readl(GUEST_CR3);
}

void vmx_set_cr4(struct kvm_vcpu *vcpu, unsigned long cr4)
{
	vcpu->arch.cr4 = cr4;
	vmcs_writel(CR4_GUEST_HOST_MASK, ~0UL);
	vmcs_writel(CR4_READ_SHADOW, cr4);
	vmcs_writel(GUEST_CR4, cr4 | X86_CR4_VMXE);
}

void vmx_set_dr7(struct kvm_vcpu *vcpu, unsigned long dr7)
{
	vcpu->arch.dr7 = dr7;
	vmcs_writel(GUEST_DR7, dr7);
}

void vmx_set_pdptrs(struct kvm_vcpu *vcpu, const u64 pdptrs[4])
{
	vmcs_write64(GUEST_PDPTR0, pdptrs[0]);
	vmcs_write64(GUEST_PDPTR1, pdptrs[1]);
	vmcs_write64(GUEST_PDPTR2, pdptrs[2]);
	vmcs_write64(GUEST_PDPTR3, pdptrs[3]);
}

/* Before the next VM entry. Without a VPID every VM entry does it. */
void vmx_flush_tlb_guest(struct kvm_vcpu *vcpu)
{
	to_vmx(vcpu)->flush_guest_tlb = true;
}

/* MSRs that live in the VMCS: the field, or 0. */
u32 vmx_get_vmcs_msr_field(u32 msr)
{
	switch (msr) {
	case MSR_FS_BASE:
		return GUEST_FS_BASE;
	case MSR_GS_BASE:
		return GUEST_GS_BASE;
	case MSR_IA32_SYSENTER_CS:
		return GUEST_SYSENTER_CS;
	case MSR_IA32_SYSENTER_ESP:
		return GUEST_SYSENTER_ESP;
	case MSR_IA32_SYSENTER_EIP:
		return GUEST_SYSENTER_EIP;
	case MSR_IA32_CR_PAT:
		return vmcs_config.vmentry_ctrl & VM_ENTRY_LOAD_IA32_PAT ? GUEST_IA32_PAT : 0;
	default:
		return 0;
	}
}

/* RIP past the instruction that caused the exit; it ends the shadow of STI and MOV SS as any instruction does. */
int vmx_skip_emulated_instruction(struct kvm_vcpu *vcpu)
{
	unsigned long rip = kvm_rip_read(vcpu) + vmcs_read32(VM_EXIT_INSTRUCTION_LEN);
	u32 interruptibility = vmcs_read32(GUEST_INTERRUPTIBILITY_INFO);

	if (!vmx_in_64_bit_mode(vcpu))
		rip = (u32)rip;
	kvm_rip_write(vcpu, rip);
	interruptibility &= ~(GUEST_INTR_STATE_STI | GUEST_INTR_STATE_MOV_SS);
	vmcs_write32(GUEST_INTERRUPTIBILITY_INFO, interruptibility);
	return 1;
}
