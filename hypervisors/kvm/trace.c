// SPDX-License-Identifier: MIT
#include "trace.h"

struct trace_ring trace_ring;

static struct trace_entry *next_entry(struct kvm_vcpu *vcpu, enum trace_event event)
{
	struct trace_entry *entry = &trace_ring.entries[trace_ring.written++ % TRACE_RING_SIZE];

	*entry = (struct trace_entry){ .time_ns = sched_clock(), .event = event, .vcpu_id = vcpu->vcpu_id };
	return entry;
}

void trace_kvm_entry(struct kvm_vcpu *vcpu)
{
	next_entry(vcpu, TRACE_KVM_ENTRY)->args[0] = kvm_rip_read(vcpu);
}

void trace_kvm_exit(struct kvm_vcpu *vcpu, u32 exit_reason, unsigned long qualification)
{
	struct trace_entry *entry = next_entry(vcpu, TRACE_KVM_EXIT);

	entry->args[0] = exit_reason;
	entry->args[1] = kvm_rip_read(vcpu);
	entry->args[2] = qualification;
}

void trace_kvm_hypercall(struct kvm_vcpu *vcpu, unsigned long nr, unsigned long a0, unsigned long a1,
			 unsigned long a2, unsigned long a3)
{
	struct trace_entry *entry = next_entry(vcpu, TRACE_KVM_HYPERCALL);

	entry->args[0] = nr;
	entry->args[1] = a0;
	entry->args[2] = a1;
	entry->args[3] = a2;
	entry->args[4] = a3;
}

void trace_kvm_hv_hypercall(struct kvm_vcpu *vcpu, u16 code, bool fast, u16 rep_cnt, u64 ingpa, u64 outgpa)
{
	struct trace_entry *entry = next_entry(vcpu, TRACE_KVM_HV_HYPERCALL);

	entry->args[0] = code;
	entry->args[1] = fast;
	entry->args[2] = rep_cnt;
	entry->args[3] = ingpa;
	entry->args[4] = outgpa;
}
