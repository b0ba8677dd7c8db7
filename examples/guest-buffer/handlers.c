/* Reads a buffer of the guest: a0 is its guest frame number, a1 how many bytes of that frame count. */
#include <hyperstep/hypercall.h>

static unsigned long sum_bytes(struct kvm_vcpu *vcpu, unsigned long a0, unsigned long a1, unsigned long a2,
			       unsigned long a3)
{
	hva_t frame = gfn_to_hva(vcpu->kvm, a0);
	const u8 *bytes = (const u8 *)frame;
	unsigned long sum = 0;

	if (kvm_is_error_hva(frame))
		return -KVM_EFAULT;
	if (a1 > PAGE_SIZE)
		return -KVM_EINVAL;
	for (unsigned long i = 0; i < a1; i++)
		sum += bytes[i];
	return sum;
}
HYPERCALL(40, "sum_bytes", sum_bytes);
