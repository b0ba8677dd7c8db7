// SPDX-License-Identifier: MIT
/* One VM entry and the VM exit that ends it; events that are injected, and those whose delivery was interrupted. */
#include "kernel/kernel.h"
#include "kernel/processor.h"
#include "trace.h"
#include "vmx.h"
#include "vmx_ops.h"

void vmx_inject_exception(struct kvm_vcpu *vcpu)
{
	const struct kvm_queued_exception *exception = &vcpu->arch.exception;
	u32 info = exception->vector | exception->type | INTR_INFO_VALID_MASK;

	if (exception->has_error_code) {
		info |= INTR_INFO_DELIVER_CODE_MASK;
		vmcs_write32(VM_ENTRY_EXCEPTION_ERROR_CODE, exception->error_code);
	}
	/* Software events push the address after their instruction. */
	vmcs_write32(VM_ENTRY_INSTRUCTION_LEN, exception->instruction_length);
	vmcs_write32(VM_ENTRY_INTR_INFO_FIELD, info);
}

/*
 * SDM 3C 28.2.4: the exit came while an event was delivered through the guest's IDT, so the guest has not got the event.
 * It is injected again.
 */
static void vmx_complete_interrupts(struct vcpu_vmx *vmx)
{
	struct kvm_queued_exception *exception = &vmx->vcpu.arch.exception;
	u32 info = vmx->idt_vectoring_info;

	*exception = (struct kvm_queued_exception){ .pending = false };
	if (!(info & INTR_INFO_VALID_MASK))
		return;
	exception->injected = true;
	exception->vector = info & INTR_INFO_VECTOR_MASK;
	exception->type = info & INTR_INFO_INTR_TYPE_MASK;
	exception->has_error_code = info & INTR_INFO_DELIVER_CODE_MASK;
	if (exception->has_error_code)
		exception->error_code = vmcs_read32(IDT_VECTORING_ERROR_CODE);
	exception->instruction_length = vmcs_read32(VM_EXIT_INSTRUCTION_LEN);
}

/*
 * The debug registers of the host are free: DR0-DR3 are the guest's while it has a breakpoint enabled. DR6 is not
 * switched, since every #DB of the guest exits, and leaves it alone.
 */
static bool guest_debugs(struct kvm_vcpu *vcpu)
{
	return vcpu->arch.dr7 & 0xff;
}

static void load_debug_registers(struct kvm_vcpu *vcpu)
{
	write_db0(vcpu->arch.db[0]);
	write_db1(vcpu->arch.db[1]);
	write_db2(vcpu->arch.db[2]);
	write_db3(vcpu->arch.db[3]);
}

static void fail_entry(struct kvm_vcpu *vcpu, u32 reason, const char *text)
{
	vcpu->run.exit_reason = KVM_EXIT_FAIL_ENTRY;
	vcpu->run.hardware_entry_failure_reason = reason;
	vcpu->run.entry_failure = text;
}

void vmx_vcpu_run(struct kvm_vcpu *vcpu)
{
	struct vcpu_vmx *vmx = to_vmx(vcpu);
	bool vmfail;

	vmcs_writel(GUEST_RSP, kvm_rsp_read(vcpu));
	vmcs_writel(GUEST_RIP, kvm_rip_read(vcpu));
	if (vmx->flush_guest_tlb && (vmcs_config.cpu_based_2nd_exec_ctrl & SECONDARY_EXEC_ENABLE_VPID))
		__invvpid(VMX_VPID_EXTENT_SINGLE_CONTEXT, vmx->vpid, 0);
	vmx->flush_guest_tlb = false;
	if (guest_debugs(vcpu))
		load_debug_registers(vcpu);
	/* Neither the VMCS nor the processor keeps the guest's CR2 apart from the host's. */
	write_cr2(vcpu->arch.cr2);

	vmfail = __vmx_vcpu_run(vmx, vcpu->arch.regs, vmx->launched);

	vcpu->arch.cr2 = read_cr2();
	if (vmfail) {
		u32 error = vmcs_read32(VM_INSTRUCTION_ERROR);

		vmx->exit_reason = VMX_EXIT_REASONS_FAILED_VMENTRY;
		fail_entry(vcpu, error, vmx_instruction_error_name(error));
		return;
	}
	vmx->exit_reason = vmcs_read32(VM_EXIT_REASON);
	kvm_rip_write(vcpu, vmcs_readl(GUEST_RIP));
	kvm_rsp_write(vcpu, vmcs_readl(GUEST_RSP));
	if (vmx->exit_reason & VMX_EXIT_REASONS_FAILED_VMENTRY) {
		u16 basic = (u16)vmx->exit_reason;

		fail_entry(vcpu, vmx->exit_reason,
			   basic == EXIT_REASON_INVALID_STATE  ? "invalid guest state" :
			   basic == EXIT_REASON_MSR_LOAD_FAIL  ? "MSR loading" :
							       "machine-check event");
		return;
	}
	vmx->launched = true;
	vmx->exit_intr_info = vmcs_read32(VM_EXIT_INTR_INFO);
	vmx->idt_vectoring_info = vmcs_read32(IDT_VECTORING_INFO_FIELD);
	vmx_complete_interrupts(vmx);
	trace_kvm_exit(vcpu, vmx->exit_reason, vmcs_readl(EXIT_QUALIFICATION));
}

/* With interrupts still off: the interrupt that ended the guest's time was acknowledged by the VM exit. */
void vmx_handle_exit_irqoff(struct kvm_vcpu *vcpu)
{
	struct vcpu_vmx *vmx = to_vmx(vcpu);

	if (vmx->exit_reason == EXIT_REASON_EXTERNAL_INTERRUPT)
		handle_irq_vector((u8)(vmx->exit_intr_info & INTR_INFO_VECTOR_MASK));
}
