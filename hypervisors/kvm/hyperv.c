// SPDX-License-Identifier: MIT
/*
 * The Hyper-V hypercall interface (Hypervisor Top-Level Functional Specification, chapter 3), register protocol. It is
 * there when the host's command line says hyperv=1, and answers once the guest has said who it is.
 */
#include "kernel/kernel.h"
#include "kernel/processor.h"
#include "kernel/sched.h"
#include "kvm.h"
#include "trace.h"
#include "vmx/vmx.h"

#define HV_X64_MSR_GUEST_OS_ID 0x40000000
#define HV_X64_MSR_HYPERCALL 0x40000001
#define HV_X64_MSR_VP_INDEX 0x40000002
#define HV_X64_MSR_HYPERCALL_ENABLE (1ULL << 0)
#define HV_X64_MSR_HYPERCALL_PAGE_MASK 0xfffffffffffff000ULL

#define HV_STATUS_SUCCESS 0
#define HV_STATUS_INVALID_HYPERCALL_CODE 2
#define HV_STATUS_INVALID_HYPERCALL_INPUT 3

#define HVCALL_NOTIFY_LONG_SPIN_WAIT 0x0008

/* The hypercall input value. */
#define HV_HYPERCALL_CODE(input) ((u16)(input))
#define HV_HYPERCALL_FAST (1ULL << 16)
#define HV_HYPERCALL_VARHEAD(input) (((input) >> 17) & 0x3ff)
#define HV_HYPERCALL_REP_COUNT(input) (((input) >> 32) & 0xfff)
#define HV_HYPERCALL_REP_START(input) (((input) >> 48) & 0xfff)

#define HYPERV_CPUID_VENDOR 0x40000000
#define HYPERV_CPUID_INTERFACE 0x40000001
#define HYPERV_CPUID_VERSION 0x40000002
#define HYPERV_CPUID_FEATURES 0x40000003
#define HYPERV_CPUID_ENLIGHTENMENT_INFO 0x40000004
#define HYPERV_CPUID_LIMITS 0x40000005
#define HV_MSR_HYPERCALL_AVAILABLE (1U << 5)
#define HV_MSR_VP_INDEX_AVAILABLE (1U << 6)

struct kvm_hv_hcall {
	u64 param; /* the input value */
	u64 ingpa;
	u64 outgpa;
	u16 code;
	bool fast;
	u16 var_cnt;
	u16 rep_cnt;
	u16 rep_idx;
};

bool kvm_hv_hypercall_enabled(struct kvm_vcpu *vcpu)
{
	return vcpu->kvm->hyperv_enabled && vcpu->kvm->hyperv.hv_guest_os_id != 0;
}

/* In 64-bit mode RCX, RDX and R8; else EDX:EAX, EBX:ECX and EDI:ESI. */
static struct kvm_hv_hcall read_hypercall(struct kvm_vcpu *vcpu)
{
	struct kvm_hv_hcall hc;

	if (is_64_bit_hypercall(vcpu)) {
		hc.param = kvm_rcx_read(vcpu);
		hc.ingpa = kvm_rdx_read(vcpu);
		hc.outgpa = kvm_r8_read(vcpu);
	} else {
		hc.param = ((u64)kvm_rdx_read(vcpu) << 32) | (u32)kvm_rax_read(vcpu);
		hc.ingpa = ((u64)kvm_rbx_read(vcpu) << 32) | (u32)kvm_rcx_read(vcpu);
		hc.outgpa = ((u64)kvm_rdi_read(vcpu) << 32) | (u32)kvm_rsi_read(vcpu);
	}
	hc.code = HV_HYPERCALL_CODE(hc.param);
	hc.fast = hc.param & HV_HYPERCALL_FAST;
	hc.var_cnt = HV_HYPERCALL_VARHEAD(hc.param);
	hc.rep_cnt = HV_HYPERCALL_REP_COUNT(hc.param);
	hc.rep_idx = HV_HYPERCALL_REP_START(hc.param);
	return hc;
}

static int kvm_hv_hypercall_complete(struct kvm_vcpu *vcpu, u64 result)
{
	if (is_64_bit_hypercall(vcpu)) {
		kvm_rax_write(vcpu, result);
	} else {
		kvm_rdx_write(vcpu, result >> 32);
		kvm_rax_write(vcpu, (u32)result);
	}
	++vcpu->stat.hypercalls;
	return kvm_skip_emulated_instruction(vcpu);
}

/* The caller spins for something that another vCPU holds: let that one run. */
static u64 notify_long_spin_wait(const struct kvm_hv_hcall *hc)
{
	if (hc->rep_cnt || hc->rep_idx || hc->var_cnt)
		return HV_STATUS_INVALID_HYPERCALL_INPUT;
	schedule();
	return HV_STATUS_SUCCESS;
}

int kvm_hv_hypercall(struct kvm_vcpu *vcpu)
{
	struct kvm_hv_hcall hc;
	u64 result;

	/* The specification wants #UD from anywhere but CPL 0 of protected mode. */
	if (vmx_get_cpl(vcpu) != 0 || !(vcpu->arch.cr0 & X86_CR0_PE)) {
		kvm_queue_exception(vcpu, UD_VECTOR);
		return 1;
	}
	hc = read_hypercall(vcpu);
	trace_kvm_hv_hypercall(vcpu, hc.code, hc.fast, hc.rep_cnt, hc.ingpa, hc.outgpa);
	++vcpu->arch.hyperv.hv_hypercall_calls;

	switch (hc.code) {
	case HVCALL_NOTIFY_LONG_SPIN_WAIT:
		result = notify_long_spin_wait(&hc);
		break;
	default:
		result = HV_STATUS_INVALID_HYPERCALL_CODE;
		break;
	}
	return kvm_hv_hypercall_complete(vcpu, result);
}

bool kvm_hv_msr_is(u32 index)
{
	return index >= HV_X64_MSR_GUEST_OS_ID && index <= HV_X64_MSR_VP_INDEX;
}

/* The page that the guest calls: VMCALL and RET. */
static int write_hypercall_page(struct kvm *kvm, u64 data)
{
	static const u8 instructions[] = { 0x0f, 0x01, 0xc1, 0xc3 };

	return kvm_write_guest(kvm, data & HV_X64_MSR_HYPERCALL_PAGE_MASK, instructions, sizeof(instructions));
}

int kvm_hv_get_msr(struct kvm_vcpu *vcpu, u32 index, u64 *data)
{
	struct kvm *kvm = vcpu->kvm;

	if (!kvm->hyperv_enabled)
		return 1;
	if (index == HV_X64_MSR_GUEST_OS_ID)
		*data = kvm->hyperv.hv_guest_os_id;
	else if (index == HV_X64_MSR_HYPERCALL)
		*data = kvm->hyperv.hv_hypercall;
	else
		*data = (u64)vcpu->vcpu_id;
	return 0;
}

int kvm_hv_set_msr(struct kvm_vcpu *vcpu, u32 index, u64 data)
{
	struct kvm *kvm = vcpu->kvm;

	if (!kvm->hyperv_enabled)
		return 1;
	switch (index) {
	case HV_X64_MSR_GUEST_OS_ID:
		kvm->hyperv.hv_guest_os_id = data;
		/* Without an identity there is no hypercall page. */
		if (!data)
			kvm->hyperv.hv_hypercall &= ~HV_X64_MSR_HYPERCALL_ENABLE;
		return 0;
	case HV_X64_MSR_HYPERCALL:
		if (!kvm->hyperv.hv_guest_os_id)
			return 0;
		if ((data & HV_X64_MSR_HYPERCALL_ENABLE) && write_hypercall_page(kvm, data))
			return 1;
		kvm->hyperv.hv_hypercall = data;
		return 0;
	default: /* HV_X64_MSR_VP_INDEX is read-only */
		return 1;
	}
}

bool kvm_hv_cpuid(u32 function, u32 *eax, u32 *ebx, u32 *ecx, u32 *edx)
{
	*eax = *ebx = *ecx = *edx = 0;
	switch (function) {
	case HYPERV_CPUID_VENDOR: /* "Microsoft Hv" */
		*eax = HYPERV_CPUID_LIMITS;
		*ebx = 0x7263694d;
		*ecx = 0x666f736f;
		*edx = 0x76482074;
		return true;
	case HYPERV_CPUID_INTERFACE: /* "Hv#1" */
		*eax = 0x31237648;
		return true;
	case HYPERV_CPUID_FEATURES:
		*eax = HV_MSR_HYPERCALL_AVAILABLE | HV_MSR_VP_INDEX_AVAILABLE;
		return true;
	case HYPERV_CPUID_ENLIGHTENMENT_INFO: /* never: how often to spin before HVCALL_NOTIFY_LONG_SPIN_WAIT */
		*ebx = 0xffffffff;
		return true;
	case HYPERV_CPUID_LIMITS:
		*eax = KVM_MAX_VCPUS;
		return true;
	case HYPERV_CPUID_VERSION:
		return true;
	default:
		return false;
	}
}
