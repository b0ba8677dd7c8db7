/* SPDX-License-Identifier: MIT */
/*
 * For files of own hypercall handlers ("handlers" in launch.json, --handlers on the command line).
 *
 *	#include <hyperstep/hypercall.h>
 *
 *	static unsigned long add(struct kvm_vcpu *vcpu, unsigned long a0, unsigned long a1, unsigned long a2,
 *				 unsigned long a3)
 *	{
 *		return a0 + a1;
 *	}
 *	HYPERCALL(20, "add", add);
 *
 * The handler runs in the host, in VMX root operation, in the thread of the vCPU that made the call: the call is
 * synchronous, and msleep() in it blocks that vCPU and no other. What it returns lands in the guest's RAX.
 */
#ifndef HYPERSTEP_HYPERCALL_H
#define HYPERSTEP_HYPERCALL_H

#include <hyperstep/host.h>
#include <hyperstep/kvm_host.h>

#define HYPERSTEP_PASTE_(a, b) a##b
#define HYPERSTEP_PASTE(a, b) HYPERSTEP_PASTE_(a, b)

/* One line a handler: number, name, function. The same number twice is an error at the second line. */
#define HYPERCALL(number, call_name, function)                                                                         \
	static const struct hyperstep_hypercall __attribute__((used, section(".hypercalls"), aligned(8)))              \
	HYPERSTEP_PASTE(hypercall_, __COUNTER__) = {                                                                        \
		.nr = (number), .name = (call_name), .handler = (void *)(function), .file = __FILE__, .line = __LINE__ \
	}

#endif
