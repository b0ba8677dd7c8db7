// SPDX-License-Identifier: MIT
/*
 * The state that a guest is started in. Long mode: identity paging of guest memory by 2-MByte supervisor pages.
 * Protected mode: flat segments, no paging. Both: CPL 0, interrupts off, a stack, a GDT with user segments, a TSS, an
 * IDT with limit 0; EDI = number of the vCPU, ESI = how many there are.
 */
#include "kernel/kernel.h"
#include "kernel/processor.h"
#include "vmm.h"
#include "vmx/vmx.h"

#define GUEST_STACK_SIZE 0x10000UL
#define LARGE_PAGE (2UL << 20)

#define GUEST_CS 0x08
#define GUEST_DS 0x10
#define GUEST_GDT_TSS 5 /* index of the first TSS descriptor, two entries for each vCPU */

#define DESCRIPTOR_CODE64 0x00af9b000000ffffULL
#define DESCRIPTOR_CODE32 0x00cf9b000000ffffULL
#define DESCRIPTOR_DATA 0x00cf93000000ffffULL
#define DESCRIPTOR_USER_CODE64 0x00affb000000ffffULL
#define DESCRIPTOR_USER_CODE32 0x00cffb000000ffffULL
#define DESCRIPTOR_USER_DATA 0x00cff3000000ffffULL
#define DESCRIPTOR_BUSY_TSS (0x8bULL << 40)

/* The same in the VMCS's form (SDM 3C 25.4.1). */
#define AR_CODE64 0xa09b
#define AR_CODE32 0xc09b
#define AR_DATA 0xc093
#define AR_BUSY_TSS 0x008b

#define TSS_SIZE 0x68 /* in 64-bit mode; a 32-bit TSS is as long */
#define TSS_IO_MAP_BASE 0x66

#define PTE_PRESENT_WRITABLE 0x3ULL
#define PTE_LARGE 0x80ULL
#define TABLE_ENTRIES 512UL

static unsigned long page_table_pages(const struct boot_params *params)
{
	unsigned long directories = ALIGN_UP(params->memory, 1UL << 30) >> 30;

	return params->long_mode ? 2 + directories : 0;
}

/* From the top of guest memory down: page tables, descriptors, stacks. */
struct guest_layout guest_layout(const struct boot_params *params)
{
	struct guest_layout layout;

	layout.pml4 = params->memory - page_table_pages(params) * PAGE_SIZE;
	layout.gdt = layout.pml4 - PAGE_SIZE;
	layout.tss = layout.gdt - ALIGN_UP(params->nr_vcpus * TSS_SIZE, PAGE_SIZE);
	layout.stacks = layout.tss - params->nr_vcpus * GUEST_STACK_SIZE;
	layout.start = layout.stacks;
	return layout;
}

static void *guest_memory(struct kvm *kvm, gpa_t gpa)
{
	return (u8 *)gfn_to_hva(kvm, gpa_to_gfn(gpa)) + (gpa & ~PAGE_MASK);
}

static void write_page_tables(struct kvm *kvm, const struct boot_params *params, gpa_t pml4)
{
	unsigned long pages = page_table_pages(params);
	u64 *root = memset(guest_memory(kvm, pml4), 0, pages * PAGE_SIZE);
	u64 *pdpt = root + TABLE_ENTRIES;
	u64 *directories = pdpt + TABLE_ENTRIES;

	root[0] = (pml4 + PAGE_SIZE) | PTE_PRESENT_WRITABLE;
	for (unsigned long i = 0; i < pages - 2; i++)
		pdpt[i] = (pml4 + (2 + i) * PAGE_SIZE) | PTE_PRESENT_WRITABLE;
	for (unsigned long i = 0; i * LARGE_PAGE < params->memory; i++)
		directories[i] = i * LARGE_PAGE | PTE_LARGE | PTE_PRESENT_WRITABLE;
}

static void write_descriptors(struct kvm *kvm, const struct boot_params *params, const struct guest_layout *layout)
{
	u64 *gdt = memset(guest_memory(kvm, layout->gdt), 0, PAGE_SIZE);

	gdt[1] = params->long_mode ? DESCRIPTOR_CODE64 : DESCRIPTOR_CODE32;
	gdt[2] = DESCRIPTOR_DATA;
	gdt[3] = DESCRIPTOR_USER_DATA;
	gdt[4] = params->long_mode ? DESCRIPTOR_USER_CODE64 : DESCRIPTOR_USER_CODE32;
	for (unsigned int id = 0; id < params->nr_vcpus; id++) {
		u64 base = layout->tss + id * TSS_SIZE;
		u8 *tss = memset(guest_memory(kvm, base), 0, TSS_SIZE);

		*(u16 *)(tss + TSS_IO_MAP_BASE) = TSS_SIZE;
		gdt[GUEST_GDT_TSS + 2 * id] =
			(TSS_SIZE - 1) | ((base & 0xffffff) << 16) | DESCRIPTOR_BUSY_TSS | (((base >> 24) & 0xff) << 56);
		gdt[GUEST_GDT_TSS + 2 * id + 1] = base >> 32;
	}
}

void setup_guest_tables(struct kvm *kvm, const struct boot_params *params, const struct guest_layout *layout)
{
	if (params->long_mode)
		write_page_tables(kvm, params, layout->pml4);
	write_descriptors(kvm, params, layout);
}

static void setup_segments(struct kvm_vcpu *vcpu, bool long_mode, const struct guest_layout *layout)
{
	static const enum kvm_segment_register data_segments[] = {
		VCPU_SREG_DS, VCPU_SREG_ES, VCPU_SREG_SS, VCPU_SREG_FS, VCPU_SREG_GS,
	};
	unsigned int id = (unsigned int)vcpu->vcpu_id;
	struct kvm_segment segment = {
		.selector = GUEST_CS,
		.limit = 0xffffffff,
		.access_rights = long_mode ? AR_CODE64 : AR_CODE32,
	};

	vmx_set_segment(vcpu, VCPU_SREG_CS, &segment);
	segment.selector = GUEST_DS;
	segment.access_rights = AR_DATA;
	for (unsigned int i = 0; i < ARRAY_SIZE(data_segments); i++)
		vmx_set_segment(vcpu, data_segments[i], &segment);
	segment = (struct kvm_segment){
		.selector = (u16)((GUEST_GDT_TSS + 2 * id) * 8),
		.base = layout->tss + id * TSS_SIZE,
		.limit = TSS_SIZE - 1,
		.access_rights = AR_BUSY_TSS,
	};
	vmx_set_segment(vcpu, VCPU_SREG_TR, &segment);
	segment = (struct kvm_segment){ .access_rights = VMX_AR_UNUSABLE };
	vmx_set_segment(vcpu, VCPU_SREG_LDTR, &segment);
	vmx_set_descriptor_table(vcpu, GUEST_GDTR_BASE, GUEST_GDTR_LIMIT, layout->gdt, PAGE_SIZE - 1);
	vmx_set_descriptor_table(vcpu, GUEST_IDTR_BASE, GUEST_IDTR_LIMIT, 0, 0);
}

void setup_guest_vcpu(struct kvm_vcpu *vcpu, const struct boot_params *params, const struct guest_layout *layout,
		      u64 entry)
{
	unsigned int id = (unsigned int)vcpu->vcpu_id;
	gpa_t stack_top = layout->stacks + (id + 1) * GUEST_STACK_SIZE;

	vmx_vcpu_load(vcpu);
	setup_segments(vcpu, params->long_mode, layout);
	if (params->long_mode) {
		vmx_set_cr3(vcpu, layout->pml4);
		vmx_set_cr4(vcpu, X86_CR4_PAE);
		vmx_set_efer(vcpu, EFER_SCE | EFER_LME | EFER_LMA | (kvm_guest_efer_bits() & EFER_NX));
		vmx_set_cr0(vcpu, X86_CR0_PG | X86_CR0_WP | X86_CR0_NE | X86_CR0_ET | X86_CR0_PE);
	} else {
		vmx_set_cr4(vcpu, 0);
		vmx_set_efer(vcpu, 0);
		vmx_set_cr0(vcpu, X86_CR0_NE | X86_CR0_ET | X86_CR0_PE);
	}
	/* As at a function's entry: the slot of a return address below a 16-byte boundary. */
	kvm_rsp_write(vcpu, stack_top - (params->long_mode ? 8 : 4));
	kvm_rip_write(vcpu, entry);
	kvm_rdi_write(vcpu, id);
	kvm_rsi_write(vcpu, params->nr_vcpus);
}
