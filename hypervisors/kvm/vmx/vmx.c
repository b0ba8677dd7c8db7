// SPDX-License-Identifier: MIT
/* What is done at each VM exit, by exit reason (SDM 3D appendix C). */
#include "kernel/kernel.h"
#include "kernel/processor.h"
#include "trace.h"
#include "vmx.h"
#include "vmx_ops.h"

/* The guest gets its #DB, with the exit qualification in DR6 (SDM 3C table 28-1). */
static int handle_debug_exception(struct kvm_vcpu *vcpu, u32 info)
{
	u32 shadow = GUEST_INTR_STATE_STI | GUEST_INTR_STATE_MOV_SS;

	if ((info & INTR_INFO_INTR_TYPE_MASK) == INTR_TYPE_PRIV_SW_EXCEPTION)
		vmx_skip_emulated_instruction(vcpu); /* INT1 is a trap */
	else if ((vmx_get_rflags(vcpu) & X86_EFLAGS_TF) && (vmcs_read32(GUEST_INTERRUPTIBILITY_INFO) & shadow))
		/* VM entry wants the single step that the shadow holds back to be pending (SDM 3C 27.3.1.5). */
		vmcs_writel(GUEST_PENDING_DBG_EXCEPTIONS, vmcs_readl(GUEST_PENDING_DBG_EXCEPTIONS) | DR6_BS);
	kvm_queue_debug_exception(vcpu, vmcs_readl(EXIT_QUALIFICATION));
	return 1;
}

static int handle_exception_nmi(struct kvm_vcpu *vcpu)
{
	u32 info = to_vmx(vcpu)->exit_intr_info;

	if ((info & INTR_INFO_INTR_TYPE_MASK) == INTR_TYPE_NMI_INTR) {
		printk("kvm: NMI in the guest's time, ignored\n");
		return 1;
	}
	if ((info & INTR_INFO_VECTOR_MASK) == UD_VECTOR)
		return handle_ud(vcpu);
	if ((info & INTR_INFO_VECTOR_MASK) == DB_VECTOR)
		return handle_debug_exception(vcpu, info);
	return kvm_internal_error(vcpu, "intercepted exception that no one asked for, vector", info & INTR_INFO_VECTOR_MASK);
}

/* Its work was done by vmx_handle_exit_irqoff(). */
static int handle_external_interrupt(struct kvm_vcpu *vcpu)
{
	++vcpu->stat.irq_exits;
	return 1;
}

static int handle_triple_fault(struct kvm_vcpu *vcpu)
{
	vcpu->run.exit_reason = KVM_EXIT_SHUTDOWN;
	return 0;
}

static int handle_task_switch(struct kvm_vcpu *vcpu)
{
	return kvm_internal_error(vcpu, "hardware task switches are not implemented, selector",
				  vmcs_readl(EXIT_QUALIFICATION) & 0xffff);
}

static int handle_cpuid(struct kvm_vcpu *vcpu)
{
	return kvm_emulate_cpuid(vcpu);
}

static int handle_halt(struct kvm_vcpu *vcpu)
{
	return kvm_emulate_halt(vcpu);
}

static int handle_vmcall(struct kvm_vcpu *vcpu)
{
	return kvm_emulate_hypercall(vcpu);
}

/* The guest has no VMX: for it these are invalid opcodes. */
static int handle_vmx_instruction(struct kvm_vcpu *vcpu)
{
	kvm_queue_exception(vcpu, UD_VECTOR);
	return 1;
}

/* CPUID offers neither. (KVM does the same unless KVM_X86_QUIRK_MWAIT_NEVER_UD_FAULTS makes them NOPs.) */
static int handle_monitor_mwait(struct kvm_vcpu *vcpu)
{
	kvm_queue_exception(vcpu, UD_VECTOR);
	return 1;
}

/* There is no performance counter and no extended state that the operand could name. */
static int handle_rdpmc_xsetbv(struct kvm_vcpu *vcpu)
{
	kvm_inject_gp(vcpu, 0);
	return 1;
}

/* All guest memory is coherent: nothing to write back. */
static int handle_wbinvd(struct kvm_vcpu *vcpu)
{
	return kvm_skip_emulated_instruction(vcpu);
}

static int handle_rdmsr(struct kvm_vcpu *vcpu)
{
	return kvm_emulate_rdmsr(vcpu);
}

static int handle_wrmsr(struct kvm_vcpu *vcpu)
{
	return kvm_emulate_wrmsr(vcpu);
}

/* SDM 3C table 28-5. */
static int handle_io(struct kvm_vcpu *vcpu)
{
	unsigned long qualification = vmcs_readl(EXIT_QUALIFICATION);
	int size = (int)(qualification & 7) + 1;
	bool in = qualification & BIT(3);
	bool string = qualification & BIT(4);
	u16 port = (u16)(qualification >> 16);

	++vcpu->stat.io_exits;
	if (string)
		return kvm_emulate_string_pio(vcpu, port, size, in);
	return kvm_emulate_pio(vcpu, port, size, in);
}

static int handle_ept_violation(struct kvm_vcpu *vcpu)
{
	gpa_t gpa = vmcs_read64(GUEST_PHYSICAL_ADDRESS);

	++vcpu->stat.ept_violations;
	return kvm_mmu_page_fault(vcpu, gpa);
}

static int handle_ept_misconfig(struct kvm_vcpu *vcpu)
{
	return kvm_internal_error(vcpu, "EPT misconfiguration, guest-physical address",
				  vmcs_read64(GUEST_PHYSICAL_ADDRESS));
}

static int complete_cr_access(struct kvm_vcpu *vcpu, int fault)
{
	if (fault) {
		kvm_inject_gp(vcpu, 0);
		return 1;
	}
	return kvm_skip_emulated_instruction(vcpu);
}

static int handle_set_cr(struct kvm_vcpu *vcpu, int cr, unsigned long value)
{
	if (!vmx_in_64_bit_mode(vcpu))
		value = (u32)value;
	switch (cr) {
	case 0:
		return complete_cr_access(vcpu, kvm_set_cr0(vcpu, value));
	case 3:
		return complete_cr_access(vcpu, kvm_set_cr3(vcpu, value));
	case 4:
		return complete_cr_access(vcpu, kvm_set_cr4(vcpu, value));
	case 8:
		/* There is no interrupt controller that it could hold back. */
		if (value & ~0xfUL)
			return complete_cr_access(vcpu, 1);
		vcpu->arch.cr8 = value;
		return complete_cr_access(vcpu, 0);
	}
	return kvm_internal_error(vcpu, "exit for MOV to an unexpected control register, CR", (u64)cr);
}

static int handle_get_cr(struct kvm_vcpu *vcpu, int cr, int reg)
{
	if (cr == 3)
		vcpu->arch.regs[reg] = vmx_get_cr3(vcpu);
	else if (cr == 8)
		vcpu->arch.regs[reg] = vcpu->arch.cr8;
	else
		return kvm_internal_error(vcpu, "exit for MOV from an unexpected control register, CR", (u64)cr);
	return kvm_skip_emulated_instruction(vcpu);
}

#define LMSW_SOURCE_DATA_SHIFT 16
#define LMSW_BITS 0xfUL

/* SDM 3C table 28-3. */
static int handle_cr(struct kvm_vcpu *vcpu)
{
	unsigned long qualification = vmcs_readl(EXIT_QUALIFICATION);
	int cr = qualification & 15;
	int reg = (qualification >> 8) & 15;
	unsigned long msw;

	switch ((qualification >> 4) & 3) {
	case 0: /* MOV to CR */
		return handle_set_cr(vcpu, cr, vcpu->arch.regs[reg]);
	case 1: /* MOV from CR */
		return handle_get_cr(vcpu, cr, reg);
	case 2: /* CLTS */
		return complete_cr_access(vcpu, kvm_set_cr0(vcpu, vcpu->arch.cr0 & ~X86_CR0_TS));
	default: /* LMSW can set PE but not clear it */
		msw = (qualification >> LMSW_SOURCE_DATA_SHIFT) & LMSW_BITS;
		msw |= vcpu->arch.cr0 & X86_CR0_PE;
		return complete_cr_access(vcpu, kvm_set_cr0(vcpu, (vcpu->arch.cr0 & ~LMSW_BITS) | msw));
	}
}

/* SDM 3C table 28-4. */
static int handle_dr(struct kvm_vcpu *vcpu)
{
	unsigned long qualification = vmcs_readl(EXIT_QUALIFICATION);
	int dr = qualification & 7;
	int reg = (qualification >> 8) & 15;
	unsigned long value = vcpu->arch.regs[reg];

	if (vmx_get_cpl(vcpu) != 0)
		return complete_cr_access(vcpu, 1);
	if (vcpu->arch.dr7 & DR7_GD) {
		kvm_queue_debug_exception(vcpu, DR6_BD);
		return 1;
	}
	/* DR4 and DR5 are other names of DR6 and DR7 (CR4.DE is not offered). */
	if (dr == 4 || dr == 5)
		dr += 2;
	if (qualification & BIT(4)) {
		vcpu->arch.regs[reg] = dr < 4 ? vcpu->arch.db[dr] : dr == 6 ? vcpu->arch.dr6 : vcpu->arch.dr7;
		return kvm_skip_emulated_instruction(vcpu);
	}
	if (dr >= 6 && value >> 32)
		return complete_cr_access(vcpu, 1);
	if (dr < 4)
		vcpu->arch.db[dr] = value;
	else if (dr == 6)
		vcpu->arch.dr6 = (value & DR6_VOLATILE) | DR6_FIXED_1;
	else
		vmx_set_dr7(vcpu, (u32)value | DR7_FIXED_1);
	return kvm_skip_emulated_instruction(vcpu);
}

static int (*const kvm_vmx_exit_handlers[])(struct kvm_vcpu *vcpu) = {
	[EXIT_REASON_EXCEPTION_NMI] = handle_exception_nmi,
	[EXIT_REASON_EXTERNAL_INTERRUPT] = handle_external_interrupt,
	[EXIT_REASON_TRIPLE_FAULT] = handle_triple_fault,
	[EXIT_REASON_TASK_SWITCH] = handle_task_switch,
	[EXIT_REASON_CPUID] = handle_cpuid,
	[EXIT_REASON_GETSEC] = handle_vmx_instruction,
	[EXIT_REASON_HLT] = handle_halt,
	[EXIT_REASON_INVD] = handle_wbinvd,
	[EXIT_REASON_RDPMC] = handle_rdpmc_xsetbv,
	[EXIT_REASON_VMCALL] = handle_vmcall,
	[EXIT_REASON_VMCLEAR] = handle_vmx_instruction,
	[EXIT_REASON_VMLAUNCH] = handle_vmx_instruction,
	[EXIT_REASON_VMPTRLD] = handle_vmx_instruction,
	[EXIT_REASON_VMPTRST] = handle_vmx_instruction,
	[EXIT_REASON_VMREAD] = handle_vmx_instruction,
	[EXIT_REASON_VMRESUME] = handle_vmx_instruction,
	[EXIT_REASON_VMWRITE] = handle_vmx_instruction,
	[EXIT_REASON_VMOFF] = handle_vmx_instruction,
	[EXIT_REASON_VMON] = handle_vmx_instruction,
	[EXIT_REASON_CR_ACCESS] = handle_cr,
	[EXIT_REASON_DR_ACCESS] = handle_dr,
	[EXIT_REASON_IO_INSTRUCTION] = handle_io,
	[EXIT_REASON_MSR_READ] = handle_rdmsr,
	[EXIT_REASON_MSR_WRITE] = handle_wrmsr,
	[EXIT_REASON_MWAIT_INSTRUCTION] = handle_monitor_mwait,
	[EXIT_REASON_MONITOR_INSTRUCTION] = handle_monitor_mwait,
	[EXIT_REASON_EPT_VIOLATION] = handle_ept_violation,
	[EXIT_REASON_EPT_MISCONFIG] = handle_ept_misconfig,
	[EXIT_REASON_INVEPT] = handle_vmx_instruction,
	[EXIT_REASON_INVVPID] = handle_vmx_instruction,
	[EXIT_REASON_WBINVD] = handle_wbinvd,
	[EXIT_REASON_XSETBV] = handle_rdpmc_xsetbv,
};

/* 1: enter the guest again; 0: leave KVM_RUN with vcpu->run filled in. */
int vmx_handle_exit(struct kvm_vcpu *vcpu)
{
	u32 exit_reason = to_vmx(vcpu)->exit_reason;

	if (exit_reason & VMX_EXIT_REASONS_FAILED_VMENTRY)
		return 0;
	if (exit_reason >= ARRAY_SIZE(kvm_vmx_exit_handlers) || !kvm_vmx_exit_handlers[exit_reason])
		return kvm_internal_error(vcpu, "VM exit that no handler is for, reason", exit_reason);
	return kvm_vmx_exit_handlers[exit_reason](vcpu);
}
