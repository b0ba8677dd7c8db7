// SPDX-License-Identifier: MIT
/* Exceptions for the guest: queued here, injected at the next VM entry. */
#include "kernel/kernel.h"
#include "kernel/processor.h"
#include "kvm.h"
#include "vmx/vmx.h"

#define DOUBLE_FAULT_ERROR_CODE 0

/* SDM 3A table 6-5. */
static bool is_contributory(u8 vector)
{
	return vector == DE_VECTOR || (vector >= 10 && vector <= GP_VECTOR);
}

static bool makes_double_fault(u8 first, u8 second)
{
	return (is_contributory(first) && is_contributory(second)) ||
	       (first == PF_VECTOR && (is_contributory(second) || second == PF_VECTOR));
}

/*
 * A second exception while the delivery of a first one was under way: the two become a double fault, or the second is
 * delivered and the first comes again. A fault on top of a double fault is the guest's shutdown, which the processor
 * finds out when it delivers the double fault.
 */
static void queue_exception(struct kvm_vcpu *vcpu, u8 vector, bool has_error_code, u32 error_code)
{
	struct kvm_queued_exception *exception = &vcpu->arch.exception;

	if (exception->injected && exception->type == INTR_TYPE_HARD_EXCEPTION &&
	    makes_double_fault(exception->vector, vector)) {
		vector = DF_VECTOR;
		has_error_code = true;
		error_code = DOUBLE_FAULT_ERROR_CODE;
	}
	*exception = (struct kvm_queued_exception){
		.pending = true,
		.vector = vector,
		.type = INTR_TYPE_HARD_EXCEPTION,
		.has_error_code = has_error_code,
		.error_code = error_code,
	};
}

void kvm_queue_exception(struct kvm_vcpu *vcpu, u8 vector)
{
	queue_exception(vcpu, vector, false, 0);
}

void kvm_queue_exception_e(struct kvm_vcpu *vcpu, u8 vector, u32 error_code)
{
	queue_exception(vcpu, vector, true, error_code);
}

/*
 * #DB with what it finds in DR6 (SDM 3B 18.2.3). Injected by a VM entry it changes no debug register (SDM 3C 27.6.1.2),
 * so that is done here. GD goes off: the handler may use the debug registers.
 */
void kvm_queue_debug_exception(struct kvm_vcpu *vcpu, unsigned long dr6_bits)
{
	vcpu->arch.dr6 = (vcpu->arch.dr6 & ~DR6_TRAP_BITS) | dr6_bits;
	vmx_set_dr7(vcpu, vcpu->arch.dr7 & ~DR7_GD);
	kvm_queue_exception(vcpu, DB_VECTOR);
}

void kvm_inject_gp(struct kvm_vcpu *vcpu, u32 error_code)
{
	kvm_queue_exception_e(vcpu, GP_VECTOR, error_code);
}

void kvm_inject_page_fault(struct kvm_vcpu *vcpu, gva_t addr, u32 error_code)
{
	vcpu->arch.cr2 = addr;
	kvm_queue_exception_e(vcpu, PF_VECTOR, error_code);
}
