// SPDX-License-Identifier: MIT
/* Control registers and EFER: what the guest may write, and what follows from it (SDM 3A 2.5, 4.1). */
#include "kernel/kernel.h"
#include "kernel/processor.h"
#include "kvm.h"
#include "vmx/vmx.h"

#define X86_CR0_DEFINED                                                                                                \
	(X86_CR0_PE | X86_CR0_MP | X86_CR0_EM | X86_CR0_TS | X86_CR0_ET | X86_CR0_NE | X86_CR0_WP | X86_CR0_AM |       \
	 X86_CR0_NW | X86_CR0_CD | X86_CR0_PG)
#define X86_CR3_PAE_ROOT 0xffffffe0UL
#define PDPTE_PRESENT 1ULL
#define PDPTE_RESERVED_LOW 0x1e6ULL /* bits 2:1 and 8:5 (SDM 3A table 4-8) */

/* With PAE paging outside long mode the processor takes the four PDPTEs at a write to CR0, CR3 or CR4 (SDM 3A 4.4.1). */
static int load_pdptrs(struct kvm_vcpu *vcpu, unsigned long cr3)
{
	u64 pdptrs[4];

	if (kvm_read_guest(vcpu->kvm, cr3 & X86_CR3_PAE_ROOT, pdptrs, sizeof(pdptrs)))
		return 1;
	for (unsigned int i = 0; i < ARRAY_SIZE(pdptrs); i++)
		if ((pdptrs[i] & PDPTE_PRESENT) &&
		    ((pdptrs[i] & PDPTE_RESERVED_LOW) || pdptrs[i] >> kvm_maxphyaddr()))
			return 1;
	vmx_set_pdptrs(vcpu, pdptrs);
	return 0;
}

static bool uses_pdptrs(unsigned long cr0, unsigned long cr4, u64 efer)
{
	return (cr0 & X86_CR0_PG) && (cr4 & X86_CR4_PAE) && !(efer & EFER_LMA);
}

static bool cr0_is_valid(struct kvm_vcpu *vcpu, unsigned long cr0)
{
	bool enters_long_mode = (cr0 & X86_CR0_PG) && !is_paging(vcpu) && (vcpu->arch.efer & EFER_LME);

	if (cr0 >> 32)
		return false;
	if ((cr0 & X86_CR0_PG) && !(cr0 & X86_CR0_PE))
		return false;
	if ((cr0 & X86_CR0_NW) && !(cr0 & X86_CR0_CD))
		return false;
	if (enters_long_mode && (!(vcpu->arch.cr4 & X86_CR4_PAE) || vmx_get_cs_l_bit(vcpu)))
		return false;
	/* Paging goes off from compatibility mode, not from 64-bit mode. */
	return !(is_paging(vcpu) && !(cr0 & X86_CR0_PG) && vmx_in_64_bit_mode(vcpu));
}

int kvm_set_cr0(struct kvm_vcpu *vcpu, unsigned long cr0)
{
	u64 efer = vcpu->arch.efer;

	if (!cr0_is_valid(vcpu, cr0))
		return 1;
	cr0 = (cr0 & X86_CR0_DEFINED) | X86_CR0_ET;
	if ((cr0 & X86_CR0_PG) && (efer & EFER_LME))
		efer |= EFER_LMA;
	else
		efer &= ~EFER_LMA;
	if (uses_pdptrs(cr0, vcpu->arch.cr4, efer) && load_pdptrs(vcpu, vmx_get_cr3(vcpu)))
		return 1;
	vmx_set_efer(vcpu, efer);
	vmx_set_cr0(vcpu, cr0);
	vmx_flush_tlb_guest(vcpu);
	return 0;
}

/* Only where the processor insists on an exit: with EPT the guest owns CR3. */
int kvm_set_cr3(struct kvm_vcpu *vcpu, unsigned long cr3)
{
	if (uses_pdptrs(vcpu->arch.cr0, vcpu->arch.cr4, vcpu->arch.efer) && load_pdptrs(vcpu, cr3))
		return 1;
	vmx_set_cr3(vcpu, cr3);
	vmx_flush_tlb_guest(vcpu);
	return 0;
}

int kvm_set_cr4(struct kvm_vcpu *vcpu, unsigned long cr4)
{
	if (cr4 & ~kvm_guest_cr4_bits())
		return 1;
	if (is_long_mode(vcpu) && !(cr4 & X86_CR4_PAE))
		return 1;
	if (uses_pdptrs(vcpu->arch.cr0, cr4, vcpu->arch.efer) && load_pdptrs(vcpu, vmx_get_cr3(vcpu)))
		return 1;
	vmx_set_cr4(vcpu, cr4);
	vmx_flush_tlb_guest(vcpu);
	return 0;
}

int kvm_set_efer(struct kvm_vcpu *vcpu, u64 efer)
{
	u64 changed = efer ^ vcpu->arch.efer;

	if (efer & ~(kvm_guest_efer_bits() | EFER_LMA))
		return 1;
	if ((changed & EFER_LME) && is_paging(vcpu))
		return 1;
	/* LMA is the processor's. */
	vmx_set_efer(vcpu, (efer & ~EFER_LMA) | (vcpu->arch.efer & EFER_LMA));
	if (changed & EFER_NX)
		vmx_flush_tlb_guest(vcpu);
	return 0;
}
