// SPDX-License-Identifier: MIT
/* The guest's own page tables, walked by the host (SDM 3A 4.3 - 4.5). */
#include "kernel/kernel.h"
#include "kernel/processor.h"
#include "kvm.h"
#include "vmx/vmx.h"

#define PT_PRESENT (1ULL << 0)
#define PT_WRITABLE (1ULL << 1)
#define PT_USER (1ULL << 2)
#define PT_ACCESSED (1ULL << 5)
#define PT_DIRTY (1ULL << 6)
#define PT_PAGE_SIZE (1ULL << 7)
#define PT_NX (1ULL << 63)
#define PT_ADDRESS 0x000ffffffffff000ULL

struct paging_mode {
	int levels;
	int entry_size;
	int index_bits;
};

static struct paging_mode paging_mode(struct kvm_vcpu *vcpu)
{
	if (is_long_mode(vcpu))
		return (struct paging_mode){ .levels = 4, .entry_size = 8, .index_bits = 9 };
	if (vcpu->arch.cr4 & X86_CR4_PAE)
		return (struct paging_mode){ .levels = 3, .entry_size = 8, .index_bits = 9 };
	return (struct paging_mode){ .levels = 2, .entry_size = 4, .index_bits = 10 };
}

static bool may_be_large(struct kvm_vcpu *vcpu, int level)
{
	if (level == 2)
		return is_long_mode(vcpu) || (vcpu->arch.cr4 & (X86_CR4_PAE | X86_CR4_PSE));
	return level == 3 && is_long_mode(vcpu);
}

static int page_fault(struct x86_exception *fault, gva_t gva, u32 error_code)
{
	fault->address = gva;
	fault->error_code = error_code;
	return 1;
}

/* SDM 3A 4.6.1, with the rights of all levels combined. Accesses on behalf of the guest honour CR0.WP. */
static bool access_allowed(struct kvm_vcpu *vcpu, u64 rights, u32 access)
{
	if ((access & PFERR_USER_MASK) && !(rights & PT_USER))
		return false;
	if ((access & PFERR_WRITE_MASK) && !(rights & PT_WRITABLE) &&
	    ((access & PFERR_USER_MASK) || (vcpu->arch.cr0 & X86_CR0_WP)))
		return false;
	return !((access & PFERR_FETCH_MASK) && (rights & PT_NX));
}

/*
 * The guest-physical address of a guest-virtual one: 0, or 1 with the page fault that the access is. access: PFERR_*
 * bits of a write, a user access, a fetch. Sets accessed and dirty bits as the processor does.
 */
int kvm_mmu_gva_to_gpa(struct kvm_vcpu *vcpu, gva_t gva, u32 access, gpa_t *gpa, struct x86_exception *fault)
{
	struct paging_mode mode = paging_mode(vcpu);
	bool has_nx = vcpu->arch.efer & EFER_NX;
	u64 rights = PT_USER | PT_WRITABLE;
	gpa_t table = vmx_get_cr3(vcpu) & (mode.levels == 3 ? 0xffffffe0ULL : PT_ADDRESS);

	if (!has_nx)
		access &= ~PFERR_FETCH_MASK;
	if (!is_paging(vcpu)) {
		*gpa = (u32)gva;
		return 0;
	}
	for (int level = mode.levels;; level--) {
		int shift = PAGE_SHIFT + mode.index_bits * (level - 1);
		gpa_t at = table + ((gva >> shift) & ((1U << mode.index_bits) - 1)) * (unsigned int)mode.entry_size;
		bool pdpte = mode.levels == 3 && level == 3; /* no rights, no accessed bit */
		u64 entry = 0, used;
		bool leaf;

		if (pdpte)
			at = table + ((gva >> 30) & 3) * 8;
		if (kvm_read_guest(vcpu->kvm, at, &entry, (unsigned long)mode.entry_size) || !(entry & PT_PRESENT))
			return page_fault(fault, gva, access);
		if (!has_nx && (entry & PT_NX) && mode.entry_size == 8)
			return page_fault(fault, gva, access | PFERR_PRESENT_MASK | PFERR_RSVD_MASK);
		if (!pdpte)
			rights = (rights & entry & (PT_USER | PT_WRITABLE)) | ((rights | entry) & PT_NX);
		leaf = level == 1 || ((entry & PT_PAGE_SIZE) && may_be_large(vcpu, level));
		if (leaf && !access_allowed(vcpu, rights, access))
			return page_fault(fault, gva, access | PFERR_PRESENT_MASK);
		used = entry | PT_ACCESSED | (leaf && (access & PFERR_WRITE_MASK) ? PT_DIRTY : 0);
		if (!pdpte && used != entry)
			kvm_write_guest(vcpu->kvm, at, &used, (unsigned long)mode.entry_size);
		if (leaf) {
			u64 offset_mask = (1ULL << shift) - 1;

			*gpa = (entry & PT_ADDRESS & ~offset_mask) | (gva & offset_mask);
			return 0;
		}
		table = entry & PT_ADDRESS;
	}
}

static int copy_guest_virt(struct kvm_vcpu *vcpu, gva_t addr, void *data, unsigned long len, bool write)
{
	struct x86_exception fault;
	u8 *bytes = data;

	while (len) {
		unsigned long chunk = PAGE_SIZE - (addr & ~PAGE_MASK);
		gpa_t gpa;
		int r;

		if (chunk > len)
			chunk = len;
		if (kvm_mmu_gva_to_gpa(vcpu, addr, write ? PFERR_WRITE_MASK : 0, &gpa, &fault))
			return -EFAULT;
		r = write ? kvm_write_guest(vcpu->kvm, gpa, bytes, chunk) : kvm_read_guest(vcpu->kvm, gpa, bytes, chunk);
		if (r)
			return r;
		bytes += chunk;
		addr += chunk;
		len -= chunk;
	}
	return 0;
}

int kvm_read_guest_virt(struct kvm_vcpu *vcpu, gva_t addr, void *data, unsigned long len)
{
	return copy_guest_virt(vcpu, addr, data, len, false);
}

int kvm_write_guest_virt(struct kvm_vcpu *vcpu, gva_t addr, const void *data, unsigned long len)
{
	return copy_guest_virt(vcpu, addr, (void *)data, len, true);
}
