// SPDX-License-Identifier: MIT
/* Extended page tables (SDM 3C 29.3): guest-physical memory is mapped when the guest touches it. */
#include "kernel/kernel.h"
#include "kvm.h"
#include "vmx/vmx.h"

#define VMX_EPT_READABLE_MASK 0x1ULL
#define VMX_EPT_WRITABLE_MASK 0x2ULL
#define VMX_EPT_EXECUTABLE_MASK 0x4ULL
#define VMX_EPT_RWX (VMX_EPT_READABLE_MASK | VMX_EPT_WRITABLE_MASK | VMX_EPT_EXECUTABLE_MASK)
#define VMX_EPT_WRITE_BACK (6ULL << 3)
#define VMX_EPT_LARGE_PAGE (1ULL << 7)
#define VMX_EPT_ADDRESS 0x000ffffffffff000ULL
#define VMX_EPTP_WRITE_BACK 6ULL
#define VMX_EPTP_PAGE_WALK_4 (3ULL << 3)

#define PT_LEVEL_4K 1
#define PT_LEVEL_2M 2
#define PT_ROOT_LEVEL 4
#define LEVEL_SHIFT(level) (PAGE_SHIFT + 9 * ((level) - 1))
#define LARGE_PAGE_SIZE (1UL << LEVEL_SHIFT(PT_LEVEL_2M))

int kvm_mmu_create(struct kvm *kvm)
{
	kvm->ept_root = __pa(get_zeroed_page());
	return 0;
}

u64 kvm_mmu_eptp(struct kvm *kvm)
{
	return kvm->ept_root | VMX_EPTP_WRITE_BACK | VMX_EPTP_PAGE_WALK_4;
}

/* The entry for gpa at a level; tables on the way to it are made. */
static u64 *ept_entry(struct kvm *kvm, gpa_t gpa, int level)
{
	u64 *table = __va(kvm->ept_root);

	for (int at = PT_ROOT_LEVEL;; at--) {
		u64 *entry = &table[(gpa >> LEVEL_SHIFT(at)) & 511];

		if (at == level)
			return entry;
		if (!(*entry & VMX_EPT_RWX))
			*entry = __pa(get_zeroed_page()) | VMX_EPT_RWX;
		table = __va(*entry & VMX_EPT_ADDRESS);
	}
}

/* A large page lies wholly in the slot, and at the same place within 2 MBytes on both sides. */
static bool can_be_large(const struct kvm_memory_slot *slot, gfn_t gfn)
{
	gfn_t first = ALIGN_DOWN(gfn, 512);

	return (vmcs_config.ept_vpid & VMX_EPT_2MB_PAGE_BIT) && first >= slot->base_gfn &&
	       first + 512 <= slot->base_gfn + slot->npages &&
	       (slot->userspace_addr - (slot->base_gfn << PAGE_SHIFT)) % LARGE_PAGE_SIZE == 0;
}

/* At an EPT violation: maps the page that was missing. An address that is no memory ends the guest. */
int kvm_mmu_page_fault(struct kvm_vcpu *vcpu, gpa_t gpa)
{
	struct kvm *kvm = vcpu->kvm;
	gfn_t gfn = gpa_to_gfn(gpa);
	hva_t hva = gfn_to_hva(kvm, gfn);
	bool large;

	if (kvm_is_error_hva(hva))
		return kvm_internal_error(vcpu, "access outside guest memory, guest-physical address", gpa);
	large = can_be_large(&kvm->memslot, gfn);
	if (large)
		hva = ALIGN_DOWN(hva, LARGE_PAGE_SIZE);
	*ept_entry(kvm, gpa, large ? PT_LEVEL_2M : PT_LEVEL_4K) =
		__pa((void *)hva) | VMX_EPT_RWX | VMX_EPT_WRITE_BACK | (large ? VMX_EPT_LARGE_PAGE : 0);
	/* The violation itself dropped what the processor had cached for this address (SDM 3C 29.4.3.1). */
	return 1;
}
