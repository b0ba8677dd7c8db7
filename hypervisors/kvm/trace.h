/* SPDX-License-Identifier: MIT */
/* Trace points: the last events, in a ring that a debugger can read (`trace_ring`). */
#ifndef TRACE_H
#define TRACE_H

#include <hyperstep/kvm_host.h>

#define TRACE_RING_SIZE 256

enum trace_event {
	TRACE_KVM_ENTRY = 1, /* args: rip */
	TRACE_KVM_EXIT,      /* args: reason, rip, qualification */
	TRACE_KVM_HYPERCALL, /* args: nr, a0, a1, a2, a3 */
	TRACE_KVM_HV_HYPERCALL, /* args: code, fast, rep_cnt, ingpa, outgpa */
};

struct trace_entry {
	u64 time_ns;
	enum trace_event event;
	int vcpu_id;
	unsigned long args[5];
};

struct trace_ring {
	u64 written; /* entries so far; the newest is at (written - 1) % TRACE_RING_SIZE */
	struct trace_entry entries[TRACE_RING_SIZE];
};
extern struct trace_ring trace_ring;

void trace_kvm_entry(struct kvm_vcpu *vcpu);
void trace_kvm_exit(struct kvm_vcpu *vcpu, u32 exit_reason, unsigned long qualification);
void trace_kvm_hypercall(struct kvm_vcpu *vcpu, unsigned long nr, unsigned long a0, unsigned long a1,
			 unsigned long a2, unsigned long a3);
void trace_kvm_hv_hypercall(struct kvm_vcpu *vcpu, u16 code, bool fast, u16 rep_cnt, u64 ingpa, u64 outgpa);

#endif
