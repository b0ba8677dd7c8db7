// SPDX-License-Identifier: MIT
/*
 * Invalid opcodes. VMMCALL, the hypercall of AMD processors, is one here: it is answered as VMCALL, and rewritten in
 * guest memory so that the next time it is one.
 */
#include "kernel/kernel.h"
#include "kernel/processor.h"
#include "kvm.h"
#include "vmx/vmx.h"

#define HYPERCALL_LENGTH 3

static const u8 vmcall_instruction[HYPERCALL_LENGTH] = { 0x0f, 0x01, 0xc1 };
static const u8 vmmcall_instruction[HYPERCALL_LENGTH] = { 0x0f, 0x01, 0xd9 };

static gva_t linear_rip(struct kvm_vcpu *vcpu)
{
	if (vmx_in_64_bit_mode(vcpu))
		return kvm_rip_read(vcpu);
	return (u32)(vmx_get_segment_base(vcpu, VCPU_SREG_CS) + kvm_rip_read(vcpu));
}

/* The bytes at RIP. They were fetched a moment ago: where that is no longer so, the guest gets its #UD. */
static int fetch_instruction(struct kvm_vcpu *vcpu, u8 *bytes)
{
	return kvm_read_guest_virt(vcpu, linear_rip(vcpu), bytes, HYPERCALL_LENGTH);
}

/* 0, or 1 with the page fault of a write by the guest: nothing is written then. The instruction may lie on two pages. */
static int kvm_patch_hypercall(struct kvm_vcpu *vcpu, gva_t rip, struct x86_exception *fault)
{
	u32 access = PFERR_WRITE_MASK | (vmx_get_cpl(vcpu) == 3 ? PFERR_USER_MASK : 0);
	gpa_t gpa[HYPERCALL_LENGTH];

	for (unsigned long i = 0; i < HYPERCALL_LENGTH; i++)
		if (kvm_mmu_gva_to_gpa(vcpu, rip + i, access, &gpa[i], fault))
			return 1;
	for (unsigned long i = 0; i < HYPERCALL_LENGTH; i++)
		kvm_write_guest(vcpu->kvm, gpa[i], &vmcall_instruction[i], 1);
	return 0;
}

/*
 * Rewrites the instruction and goes back to it: executed again, it is a VMCALL and exits as one. (The #UD exit has no
 * instruction length that one could skip by.) A guest whose text is read-only gets the #PF of the write, as under KVM.
 */
static int emulator_fix_hypercall(struct kvm_vcpu *vcpu)
{
	gva_t rip = linear_rip(vcpu);
	struct x86_exception fault;

	++vcpu->stat.insn_emulation;
	if (kvm_patch_hypercall(vcpu, rip, &fault)) {
		kvm_inject_page_fault(vcpu, fault.address, fault.error_code);
		return 1;
	}
	printk("kvm: vcpu %d: VMMCALL at %#lx rewritten to VMCALL\n", vcpu->vcpu_id, rip);
	return 1;
}

int handle_ud(struct kvm_vcpu *vcpu)
{
	u8 bytes[HYPERCALL_LENGTH];

	if (fetch_instruction(vcpu, bytes) == 0 && memcmp(bytes, vmmcall_instruction, HYPERCALL_LENGTH) == 0)
		return emulator_fix_hypercall(vcpu);
	kvm_queue_exception(vcpu, UD_VECTOR);
	return 1;
}
