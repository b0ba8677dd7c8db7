/* SPDX-License-Identifier: MIT */
/* The part that a user-space VMM plays for KVM: it loads the guest, starts its vCPUs and sees them end. */
#ifndef VMM_H
#define VMM_H

#include <hyperstep/kvm_host.h>

/* boot_params.c: what the boot loader and the command line say. */
struct boot_params {
	unsigned int nr_vcpus;
	unsigned long memory;
	bool long_mode;
	bool hyperv;
	const void *program; /* module 0, the guest's ELF file */
	unsigned long program_size;
	char program_name[64];
};
void parse_boot_params(struct boot_params *params, hpa_t multiboot_info);

/* elf_loader.c: the guest-physical entry point. */
u64 load_guest_elf(struct kvm *kvm, const struct boot_params *params, gpa_t limit);

/* guest_setup.c: what a guest finds when it is entered, and where. */
struct guest_layout {
	gpa_t gdt;
	gpa_t tss;    /* one for each vCPU */
	gpa_t pml4;   /* long mode only */
	gpa_t stacks; /* one for each vCPU, from here up */
	gpa_t start;  /* first byte of all this; memory below is the guest's */
};
struct guest_layout guest_layout(const struct boot_params *params);
void setup_guest_tables(struct kvm *kvm, const struct boot_params *params, const struct guest_layout *layout);
void setup_guest_vcpu(struct kvm_vcpu *vcpu, const struct boot_params *params, const struct guest_layout *layout,
		      u64 entry);

#endif
