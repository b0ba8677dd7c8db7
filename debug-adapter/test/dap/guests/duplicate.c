#include <hyperstep/hypercall.h>

static unsigned long first(struct kvm_vcpu *vcpu, unsigned long a0, unsigned long a1, unsigned long a2, unsigned long a3)
{
	return 1;
}
HYPERCALL(20, "first", first);
HYPERCALL(20, "second", first);
