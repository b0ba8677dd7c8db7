// SPDX-License-Identifier: MIT
/* The virtual machine and its memory. */
#include "kernel/kernel.h"
#include "kvm.h"
#include "vmx/vmx.h"

#define MEMSLOT_ALIGN (2UL << 20) /* so that EPT can map it by large pages */

/* One slot: guest-physical memory begins at 0 and is in one piece. */
static void kvm_set_memory_region(struct kvm *kvm, unsigned long size)
{
	hpa_t base = memblock_alloc(size, MEMSLOT_ALIGN);

	if (!base)
		panic("kvm: %lu bytes of guest memory do not fit: the machine needs 32 MiB more than the guest", size);
	kvm->memslot = (struct kvm_memory_slot){
		.base_gfn = 0,
		.npages = size >> PAGE_SHIFT,
		.userspace_addr = (hva_t)__va(base),
	};
}

struct kvm *kvm_create_vm(unsigned long memory, unsigned int nr_vcpus, bool hyperv)
{
	struct kvm *kvm = alloc_pages_exact(sizeof(*kvm));

	kvm->hyperv_enabled = hyperv;
	kvm_set_memory_region(kvm, memory);
	kvm_mmu_create(kvm);
	for (unsigned int id = 0; id < nr_vcpus; id++)
		kvm->vcpus[id] = vmx_vcpu_create(kvm, (int)id);
	kvm->created_vcpus = nr_vcpus;
	return kvm;
}

hva_t gfn_to_hva(struct kvm *kvm, gfn_t gfn)
{
	const struct kvm_memory_slot *slot = &kvm->memslot;

	if (gfn < slot->base_gfn || gfn - slot->base_gfn >= slot->npages)
		return KVM_HVA_ERR_BAD;
	return slot->userspace_addr + ((gfn - slot->base_gfn) << PAGE_SHIFT);
}

/* All of it is there, or nothing is copied. */
static void *guest_range(struct kvm *kvm, gpa_t gpa, unsigned long len)
{
	gpa_t end = (gpa_t)kvm->memslot.npages << PAGE_SHIFT;

	if (gpa > end || len > end - gpa)
		return NULL;
	return (void *)(kvm->memslot.userspace_addr + gpa);
}

int kvm_read_guest(struct kvm *kvm, gpa_t gpa, void *data, unsigned long len)
{
	const void *from = guest_range(kvm, gpa, len);

	if (!from)
		return -EFAULT;
	memcpy(data, from, len);
	return 0;
}

int kvm_write_guest(struct kvm *kvm, gpa_t gpa, const void *data, unsigned long len)
{
	void *to = guest_range(kvm, gpa, len);

	if (!to)
		return -EFAULT;
	memcpy(to, data, len);
	return 0;
}
