/* Handlers that sleep. msleep() blocks the thread of the calling vCPU; see it in the Hypercalls view. */
#include <hyperstep/hypercall.h>

static unsigned long slow(struct kvm_vcpu *vcpu, unsigned long a0, unsigned long a1, unsigned long a2,
			  unsigned long a3)
{
	printk("vcpu %d waits for %lu ms\n", vcpu->vcpu_id, a0);
	msleep(a0);
	return 0x510;
}
HYPERCALL(30, "slow", slow);

static unsigned long take_break(struct kvm_vcpu *vcpu, unsigned long a0, unsigned long a1, unsigned long a2,
				unsigned long a3)
{
	msleep(a0);
	return 0;
}
HYPERCALL(31, "break", take_break);
