// SPDX-License-Identifier: MIT
/* The vCPU's run loop, its HLT, and its hypercalls. */
#include "kernel/kernel.h"
#include "kernel/processor.h"
#include "kernel/sched.h"
#include "kvm.h"
#include "trace.h"
#include "vmx/vmx.h"

bool is_long_mode(struct kvm_vcpu *vcpu)
{
	return vcpu->arch.efer & EFER_LMA;
}

bool is_paging(struct kvm_vcpu *vcpu)
{
	return vcpu->arch.cr0 & X86_CR0_PG;
}

/* Compatibility mode has EFER.LMA but not CS.L: its operands are 32 bits wide. */
bool is_64_bit_hypercall(struct kvm_vcpu *vcpu)
{
	return vmx_in_64_bit_mode(vcpu);
}

/* The instruction is done: a guest that single-steps gets its trap behind it. */
int kvm_skip_emulated_instruction(struct kvm_vcpu *vcpu)
{
	unsigned long rflags = vmx_get_rflags(vcpu);
	int r = vmx_skip_emulated_instruction(vcpu);

	if (rflags & X86_EFLAGS_TF)
		kvm_queue_debug_exception(vcpu, DR6_BS);
	return r;
}

int kvm_internal_error(struct kvm_vcpu *vcpu, const char *what, u64 data)
{
	vcpu->run.exit_reason = KVM_EXIT_INTERNAL_ERROR;
	vcpu->run.internal_error = what;
	vcpu->run.internal_data = data;
	return 0;
}

/* Ends the vCPU's wait in kvm_vcpu_halt(). */
void kvm_vcpu_kick(struct kvm_vcpu *vcpu)
{
	wake_up_process(vcpu->task);
}

#define APIC_BROADCAST 0xff

/*
 * KVM_HC_KICK_CPU: a1 is the APIC id of the vCPU that shall go on, 32 bits wide; a0 has flags, of which none is defined. A
 * kick before its HLT is not lost: that HLT ends at once. An id that nobody has is no error.
 */
static unsigned long kvm_pv_kick_cpu_op(struct kvm_vcpu *vcpu, const unsigned long args[4])
{
	struct kvm *kvm = vcpu->kvm;
	u32 apicid = (u32)args[1];

	for (u32 id = 0; id < kvm->created_vcpus; id++) {
		if (id == apicid || apicid == APIC_BROADCAST) {
			kvm->vcpus[id]->arch.pv.pv_unhalted = true;
			kvm_vcpu_kick(kvm->vcpus[id]);
		}
	}
	return 0;
}

/* The interrupt would be taken at the VM entry that follows in any case. */
static unsigned long kvm_vapic_poll_irq(struct kvm_vcpu *vcpu, const unsigned long args[4])
{
	return 0;
}

static unsigned long kvm_hyperstep_hello(struct kvm_vcpu *vcpu, const unsigned long args[4])
{
	return KVM_HYPERSTEP_HELLO_ANSWER;
}

/*
 * The numbers that are the host's. Those without a function are known, but not answered: CPUID does not offer them. (KVM
 * does so with KVM_CAP_ENFORCE_PV_FEATURE_CPUID.)
 */
static const struct kvm_hypercall {
	unsigned long nr;
	const char *name;
	unsigned long (*handler)(struct kvm_vcpu *vcpu, const unsigned long args[4]);
} kvm_hypercalls[] = {
	{ KVM_HC_VAPIC_POLL_IRQ, "KVM_HC_VAPIC_POLL_IRQ", kvm_vapic_poll_irq },
	{ KVM_HC_MMU_OP, "KVM_HC_MMU_OP", NULL },
	{ KVM_HC_FEATURES, "KVM_HC_FEATURES", NULL },
	{ KVM_HC_PPC_MAP_MAGIC_PAGE, "KVM_HC_PPC_MAP_MAGIC_PAGE", NULL },
	{ KVM_HC_KICK_CPU, "KVM_HC_KICK_CPU", kvm_pv_kick_cpu_op },
	{ KVM_HC_MIPS_GET_CLOCK_FREQ, "KVM_HC_MIPS_GET_CLOCK_FREQ", NULL },
	{ KVM_HC_MIPS_EXIT_VM, "KVM_HC_MIPS_EXIT_VM", NULL },
	{ KVM_HC_MIPS_CONSOLE_OUTPUT, "KVM_HC_MIPS_CONSOLE_OUTPUT", NULL },
	{ KVM_HC_CLOCK_PAIRING, "KVM_HC_CLOCK_PAIRING", NULL },
	{ KVM_HC_SEND_IPI, "KVM_HC_SEND_IPI", NULL },
	{ KVM_HC_SCHED_YIELD, "KVM_HC_SCHED_YIELD", NULL },
	{ KVM_HC_MAP_GPA_RANGE, "KVM_HC_MAP_GPA_RANGE", NULL },
	{ KVM_HC_HYPERSTEP_HELLO, "KVM_HC_HYPERSTEP_HELLO", kvm_hyperstep_hello },
};

static const struct kvm_hypercall *find_hypercall(unsigned long nr)
{
	for (unsigned int i = 0; i < ARRAY_SIZE(kvm_hypercalls); i++)
		if (kvm_hypercalls[i].nr == nr)
			return &kvm_hypercalls[i];
	return NULL;
}

const char *kvm_hypercall_name(unsigned long nr)
{
	const struct kvm_hypercall *call = find_hypercall(nr);

	return call ? call->name : NULL;
}

static unsigned long dispatch_hypercall(struct kvm_vcpu *vcpu, unsigned long nr, const unsigned long args[4])
{
	const struct kvm_hypercall *call = find_hypercall(nr);
	unsigned long ret;

	if (call && call->handler)
		return call->handler(vcpu, args);
	if (!call && hyperstep_handlers_call(vcpu, nr, args, &ret))
		return ret;
	return -KVM_ENOSYS;
}

static int complete_hypercall_exit(struct kvm_vcpu *vcpu, unsigned long ret)
{
	if (!is_64_bit_hypercall(vcpu))
		ret = (u32)ret;
	kvm_rax_write(vcpu, ret);
	++vcpu->stat.hypercalls;
	return kvm_skip_emulated_instruction(vcpu);
}

int kvm_emulate_hypercall(struct kvm_vcpu *vcpu)
{
	unsigned long nr, a0, a1, a2, a3, ret;

	if (kvm_hv_hypercall_enabled(vcpu))
		return kvm_hv_hypercall(vcpu);

	nr = kvm_rax_read(vcpu);
	a0 = kvm_rbx_read(vcpu);
	a1 = kvm_rcx_read(vcpu);
	a2 = kvm_rdx_read(vcpu);
	a3 = kvm_rsi_read(vcpu);
	trace_kvm_hypercall(vcpu, nr, a0, a1, a2, a3);

	if (!is_64_bit_hypercall(vcpu)) {
		nr = (u32)nr;
		a0 = (u32)a0;
		a1 = (u32)a1;
		a2 = (u32)a2;
		a3 = (u32)a3;
	}

	if (vmx_get_cpl(vcpu) != 0)
		ret = -KVM_EPERM;
	else
		ret = dispatch_hypercall(vcpu, nr, (unsigned long[]){ a0, a1, a2, a3 });
	return complete_hypercall_exit(vcpu, ret);
}

/* There is no interrupt controller: what ends a HLT is a kick, or the trap of a single step over it. */
static bool kvm_vcpu_has_events(struct kvm_vcpu *vcpu)
{
	return vcpu->arch.pv.pv_unhalted || vcpu->arch.exception.pending;
}

int kvm_emulate_halt(struct kvm_vcpu *vcpu)
{
	++vcpu->stat.halt_exits;
	kvm_skip_emulated_instruction(vcpu);
	if (kvm_vcpu_has_events(vcpu))
		vcpu->arch.pv.pv_unhalted = false;
	else
		vcpu->arch.mp_state = KVM_MP_STATE_HALTED;
	return 1;
}

static void kvm_vcpu_halt(struct kvm_vcpu *vcpu)
{
	while (!vcpu->arch.pv.pv_unhalted)
		block_current(HYPERSTEP_THREAD_HALTED);
	vcpu->arch.pv.pv_unhalted = false;
	vcpu->arch.mp_state = KVM_MP_STATE_RUNNABLE;
	++vcpu->stat.halt_wakeup;
}

static int vcpu_enter_guest(struct kvm_vcpu *vcpu)
{
	local_irq_disable();
	if (need_resched()) {
		local_irq_enable();
		return 1;
	}
	if (vcpu->arch.exception.pending || vcpu->arch.exception.injected)
		vmx_inject_exception(vcpu);
	trace_kvm_entry(vcpu);
	vmx_vcpu_run(vcpu);
	vmx_handle_exit_irqoff(vcpu);
	local_irq_enable();

	++vcpu->stat.exits;
	hyperstep_handlers_update();
	return vmx_handle_exit(vcpu);
}

static int vcpu_run(struct kvm_vcpu *vcpu)
{
	int r = 1;

	while (r > 0) {
		if (vcpu->arch.mp_state == KVM_MP_STATE_HALTED)
			kvm_vcpu_halt(vcpu);
		if (need_resched())
			schedule();
		r = vcpu_enter_guest(vcpu);
	}
	return r;
}

/* The ioctl KVM_RUN: runs the vCPU until something needs the user-space VMM; vcpu->run says what. */
int kvm_arch_vcpu_ioctl_run(struct kvm_vcpu *vcpu)
{
	vcpu->run = (struct kvm_run){ .exit_reason = KVM_EXIT_UNKNOWN };
	return vcpu_run(vcpu);
}

void kvm_sched_in(struct kvm_vcpu *vcpu)
{
	vmx_vcpu_load(vcpu);
}

void kvm_sched_out(struct kvm_vcpu *vcpu)
{
	vmx_vcpu_put(vcpu);
}
