// SPDX-License-Identifier: MIT
/* RDMSR and WRMSR of the guest. An MSR that is not here is a #GP, as on a processor that has not got it. */
#include "kernel/kernel.h"
#include "kernel/processor.h"
#include "kvm.h"
#include "vmx/vmx.h"
#include "vmx/vmx_ops.h"

/* MSRs that are switched with the thread: their place in the vCPU. */
static u64 *switched_msr(struct kvm_vcpu *vcpu, u32 index)
{
	switch (index) {
	case MSR_STAR:
		return &vcpu->arch.star;
	case MSR_LSTAR:
		return &vcpu->arch.lstar;
	case MSR_CSTAR:
		return &vcpu->arch.cstar;
	case MSR_SYSCALL_MASK:
		return &vcpu->arch.syscall_mask;
	case MSR_KERNEL_GS_BASE:
		return &vcpu->arch.kernel_gs_base;
	case MSR_TSC_AUX:
		return vmcs_config.cpu_based_2nd_exec_ctrl & SECONDARY_EXEC_ENABLE_RDTSCP ? &vcpu->arch.tsc_aux : NULL;
	default:
		return NULL;
	}
}

static bool holds_address(u32 index)
{
	return index == MSR_LSTAR || index == MSR_CSTAR || index == MSR_KERNEL_GS_BASE || index == MSR_FS_BASE ||
	       index == MSR_GS_BASE || index == MSR_IA32_SYSENTER_ESP || index == MSR_IA32_SYSENTER_EIP;
}

static bool is_canonical(u64 address)
{
	return (u64)((s64)(address << 16) >> 16) == address;
}

/* SDM 3A 12.12.4: eight memory types of a byte each; 2 and 3 are reserved. */
static bool pat_is_valid(u64 pat)
{
	for (int i = 0; i < 8; i++, pat >>= 8)
		if ((pat & 0xff) > 7 || (pat & 0xff) == 2 || (pat & 0xff) == 3)
			return false;
	return true;
}

int kvm_get_msr(struct kvm_vcpu *vcpu, u32 index, u64 *data)
{
	u64 *switched = switched_msr(vcpu, index);
	u32 field = vmx_get_vmcs_msr_field(index);

	if (kvm_hv_msr_is(index))
		return kvm_hv_get_msr(vcpu, index, data);
	if (switched)
		*data = index == MSR_KERNEL_GS_BASE ? rdmsr(index) : *switched;
	else if (field)
		*data = vmcs_readl(field);
	else if (index == MSR_EFER)
		*data = vcpu->arch.efer;
	else if (index == MSR_IA32_TSC)
		*data = rdtsc();
	else
		return 1;
	return 0;
}

int kvm_set_msr(struct kvm_vcpu *vcpu, u32 index, u64 data)
{
	u64 *switched = switched_msr(vcpu, index);
	u32 field = vmx_get_vmcs_msr_field(index);

	if (kvm_hv_msr_is(index))
		return kvm_hv_set_msr(vcpu, index, data);
	if (index == MSR_EFER)
		return kvm_set_efer(vcpu, data);
	if (holds_address(index) && !is_canonical(data))
		return 1;
	if ((index == MSR_SYSCALL_MASK || index == MSR_TSC_AUX) && data >> 32)
		return 1;
	if (index == MSR_IA32_CR_PAT && !pat_is_valid(data))
		return 1;
	if (switched) {
		*switched = data;
		wrmsr(index, data);
	} else if (field) {
		vmcs_writel(field, data);
	} else {
		return 1;
	}
	return 0;
}

static int refuse_msr(struct kvm_vcpu *vcpu, const char *instruction, u32 index)
{
	printk("kvm: vcpu %d: %s of MSR %#x at rip %#lx: #GP\n", vcpu->vcpu_id, instruction, index,
	       kvm_rip_read(vcpu));
	kvm_inject_gp(vcpu, 0);
	return 1;
}

int kvm_emulate_rdmsr(struct kvm_vcpu *vcpu)
{
	u32 index = (u32)kvm_rcx_read(vcpu);
	u64 data;

	if (kvm_get_msr(vcpu, index, &data))
		return refuse_msr(vcpu, "RDMSR", index);
	kvm_rax_write(vcpu, (u32)data);
	kvm_rdx_write(vcpu, data >> 32);
	return kvm_skip_emulated_instruction(vcpu);
}

int kvm_emulate_wrmsr(struct kvm_vcpu *vcpu)
{
	u32 index = (u32)kvm_rcx_read(vcpu);
	u64 data = ((u64)kvm_rdx_read(vcpu) << 32) | (u32)kvm_rax_read(vcpu);

	if (kvm_set_msr(vcpu, index, data))
		return refuse_msr(vcpu, "WRMSR", index);
	return kvm_skip_emulated_instruction(vcpu);
}
