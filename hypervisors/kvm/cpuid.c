// SPDX-License-Identifier: MIT
/* CPUID of the guest: what the processor has and this host passes on, and the hypervisor's own leaves. */
#include "kernel/kernel.h"
#include "kernel/processor.h"
#include "kvm.h"
#include "vmx/vmx.h"

#define F(bit) (1U << (bit))

/* Leaf 1 (SDM 2A CPUID). No FPU, no SSE: no such state is switched. No APIC: the guest has none. */
#define LEAF1_ECX_CX16 F(13)
#define LEAF1_ECX_MOVBE F(22)
#define LEAF1_ECX_POPCNT F(23)
#define LEAF1_ECX_HYPERVISOR F(31)
#define LEAF1_ECX (LEAF1_ECX_CX16 | LEAF1_ECX_MOVBE | LEAF1_ECX_POPCNT)
#define LEAF1_EDX_PSE F(3)
#define LEAF1_EDX_TSC F(4)
#define LEAF1_EDX_MSR F(5)
#define LEAF1_EDX_PAE F(6)
#define LEAF1_EDX_CX8 F(8)
#define LEAF1_EDX_SEP F(11)
#define LEAF1_EDX_PGE F(13)
#define LEAF1_EDX_CMOV F(15)
#define LEAF1_EDX_PAT F(16)
#define LEAF1_EDX_CLFSH F(19)
#define LEAF1_EDX                                                                                                      \
	(LEAF1_EDX_PSE | LEAF1_EDX_TSC | LEAF1_EDX_MSR | LEAF1_EDX_PAE | LEAF1_EDX_CX8 | LEAF1_EDX_SEP |               \
	 LEAF1_EDX_PGE | LEAF1_EDX_CMOV | LEAF1_EDX_PAT | LEAF1_EDX_CLFSH)
/* Leaf 7. */
#define LEAF7_EBX_FSGSBASE F(0)
#define LEAF7_EBX_BMI1 F(3)
#define LEAF7_EBX_SMEP F(7)
#define LEAF7_EBX_BMI2 F(8)
#define LEAF7_EBX_ERMS F(9)
#define LEAF7_EBX_SMAP F(20)
#define LEAF7_EBX (LEAF7_EBX_FSGSBASE | LEAF7_EBX_BMI1 | LEAF7_EBX_SMEP | LEAF7_EBX_BMI2 | LEAF7_EBX_ERMS | LEAF7_EBX_SMAP)
/* Leaf 0x80000001. */
#define EXT1_ECX_LAHF F(0)
#define EXT1_ECX_LZCNT F(5)
#define EXT1_EDX_SYSCALL F(11)
#define EXT1_EDX_NX F(20)
#define EXT1_EDX_PDPE1GB F(26)
#define EXT1_EDX_RDTSCP F(27)
#define EXT1_EDX_LM F(29)
#define EXT1_EDX (EXT1_EDX_SYSCALL | EXT1_EDX_NX | EXT1_EDX_PDPE1GB | EXT1_EDX_LM)

#define X86_CR4_FSGSBASE (1UL << 16)
#define X86_CR4_SMEP (1UL << 20)
#define X86_CR4_SMAP (1UL << 21)

#define CPUID_HYPERVISOR_FIRST 0x40000000U
#define CPUID_HYPERVISOR_LAST 0x4fffffffU
#define CPUID_HYPERVISOR_SIZE 0x100U /* of the block of one interface */

struct cpuid_regs {
	u32 eax, ebx, ecx, edx;
};

static struct cpuid_regs host_cpuid(u32 function, u32 index)
{
	struct cpuid_regs regs = { .eax = function, .ecx = index };

	native_cpuid(&regs.eax, &regs.ebx, &regs.ecx, &regs.edx);
	return regs;
}

static bool is_hypervisor_leaf(u32 function)
{
	return function >= CPUID_HYPERVISOR_FIRST && function <= CPUID_HYPERVISOR_LAST;
}

/* "KVMKVMKVM\0\0\0" in EBX, ECX, EDX, and the features. */
static struct cpuid_regs kvm_leaf(u32 base, u32 offset)
{
	switch (offset) {
	case 0:
		return (struct cpuid_regs){ base + 1, 0x4b4d564b, 0x564b4d56, 0x4d };
	case 1:
		return (struct cpuid_regs){ .eax = F(KVM_FEATURE_PV_UNHALT) };
	default:
		return (struct cpuid_regs){ 0 };
	}
}

/* With Hyper-V the first block of leaves is Hyper-V's, and KVM's own move up by one block. */
static struct cpuid_regs hypervisor_leaf(struct kvm_vcpu *vcpu, u32 function)
{
	struct cpuid_regs regs = { 0 };
	u32 base = CPUID_HYPERVISOR_FIRST;

	if (vcpu->kvm->hyperv_enabled) {
		if (kvm_hv_cpuid(function, &regs.eax, &regs.ebx, &regs.ecx, &regs.edx))
			return regs;
		base += CPUID_HYPERVISOR_SIZE;
	}
	return function >= base ? kvm_leaf(base, function - base) : regs;
}

static struct cpuid_regs leaf_1(struct kvm_vcpu *vcpu)
{
	struct cpuid_regs regs = host_cpuid(1, 0);

	/* EBX: CLFLUSH size, number of logical processors, APIC id. */
	regs.ebx = (regs.ebx & 0xff00) | (vcpu->kvm->created_vcpus << 16) | ((u32)vcpu->vcpu_id << 24);
	regs.ecx = (regs.ecx & LEAF1_ECX) | LEAF1_ECX_HYPERVISOR;
	regs.edx &= LEAF1_EDX;
	return regs;
}

static struct cpuid_regs extended_leaf_1(void)
{
	struct cpuid_regs regs = host_cpuid(0x80000001, 0);
	u32 edx = EXT1_EDX;

	if (vmcs_config.cpu_based_2nd_exec_ctrl & SECONDARY_EXEC_ENABLE_RDTSCP)
		edx |= EXT1_EDX_RDTSCP;
	regs.ecx &= EXT1_ECX_LAHF | EXT1_ECX_LZCNT;
	regs.edx &= edx;
	regs.edx |= EXT1_EDX_SYSCALL; /* the processor shows it in 64-bit mode only: we are */
	return regs;
}

/* The highest leaf of the range that a leaf belongs to, 0 for a range that is not there. */
static u32 highest_leaf(struct kvm_vcpu *vcpu, u32 function)
{
	if (is_hypervisor_leaf(function))
		return hypervisor_leaf(vcpu, ALIGN_DOWN(function, CPUID_HYPERVISOR_SIZE)).eax;
	return host_cpuid(function & 0x80000000, 0).eax;
}

static struct cpuid_regs guest_cpuid(struct kvm_vcpu *vcpu, u32 function, u32 index)
{
	struct cpuid_regs regs = { 0 };

	/* SDM 2A CPUID: beyond the ranges the highest basic leaf answers. */
	if (function > highest_leaf(vcpu, function))
		function = host_cpuid(0, 0).eax;
	if (is_hypervisor_leaf(function))
		return hypervisor_leaf(vcpu, function);
	switch (function) {
	case 0:
	case 0x15:
	case 0x80000000:
	case 0x80000002 ... 0x80000004: /* brand string */
	case 0x80000008:
		return host_cpuid(function, index);
	case 1:
		return leaf_1(vcpu);
	case 7:
		if (index == 0)
			regs.ebx = host_cpuid(7, 0).ebx & LEAF7_EBX;
		return regs;
	case 0x80000001:
		return extended_leaf_1();
	default:
		return regs;
	}
}

int kvm_emulate_cpuid(struct kvm_vcpu *vcpu)
{
	struct cpuid_regs regs = guest_cpuid(vcpu, (u32)kvm_rax_read(vcpu), (u32)kvm_rcx_read(vcpu));

	kvm_rax_write(vcpu, regs.eax);
	kvm_rbx_write(vcpu, regs.ebx);
	kvm_rcx_write(vcpu, regs.ecx);
	kvm_rdx_write(vcpu, regs.edx);
	return kvm_skip_emulated_instruction(vcpu);
}

/* The bits of CR4 that the guest may set: those of features that its CPUID shows. */
unsigned long kvm_guest_cr4_bits(void)
{
	unsigned long bits = X86_CR4_TSD | X86_CR4_PSE | X86_CR4_PAE | X86_CR4_PGE;
	u32 leaf7 = host_cpuid(7, 0).ebx & LEAF7_EBX;

	if (leaf7 & LEAF7_EBX_FSGSBASE)
		bits |= X86_CR4_FSGSBASE;
	if (leaf7 & LEAF7_EBX_SMEP)
		bits |= X86_CR4_SMEP;
	if (leaf7 & LEAF7_EBX_SMAP)
		bits |= X86_CR4_SMAP;
	return bits;
}

u64 kvm_guest_efer_bits(void)
{
	u64 bits = EFER_SCE | EFER_LME;

	if (extended_leaf_1().edx & EXT1_EDX_NX)
		bits |= EFER_NX;
	return bits;
}

unsigned int kvm_maxphyaddr(void)
{
	return host_cpuid(0x80000008, 0).eax & 0xff;
}
