/* Our own hypercall. Change it while the guest runs, and use "Reload Hypercall Handlers". */
#include <hyperstep/hypercall.h>

static unsigned long add(struct kvm_vcpu *vcpu, unsigned long a0, unsigned long a1, unsigned long a2,
			 unsigned long a3)
{
	printk("vcpu %d adds %lu and %lu\n", vcpu->vcpu_id, a0, a1);
	return a0 + a1;
}
HYPERCALL(20, "add", add);
