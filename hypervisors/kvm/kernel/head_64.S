/* SPDX-License-Identifier: MIT */
/*
 * From the boot loader to start_kernel(): multiboot enters in 32-bit protected mode without paging, EAX = 0x2BADB002,
 * EBX = the boot information. Page tables and descriptors are data, so there is only state to switch on.
 */
#include "linkage.h"
#include "segment.h"

#define MULTIBOOT_HEADER_MAGIC 0x1BADB002
#define MULTIBOOT_PAGE_ALIGN 1
#define MULTIBOOT_MEMORY_INFO 2
#define MULTIBOOT_FLAGS (MULTIBOOT_PAGE_ALIGN | MULTIBOOT_MEMORY_INFO)

#define KERNEL_MAP 0xffffffff80000000
#define PHYS(symbol) ((symbol) - KERNEL_MAP)

#define CR4_PAE 0x20
#define CR4_PGE 0x80
#define MSR_EFER 0xc0000080
#define EFER_LME 0x100
#define CR0_PE_MP_ET_NE_WP_PG 0x80010033

#define PAGE_TABLE 0x63        /* present, writable, accessed, dirty */
#define PAGE_LARGE 0xe3        /* the same, a 2-MByte page */
#define PAGE_LARGE_NOCACHE 0xfb

	.section .boot.multiboot, "a"
	.balign 4
	.long MULTIBOOT_HEADER_MAGIC
	.long MULTIBOOT_FLAGS
	.long -(MULTIBOOT_HEADER_MAGIC + MULTIBOOT_FLAGS)

	.section .boot, "awx"
	.code32
SYM_FUNC_START(startup_32)
	.cfi_undefined eip
	cli
	cld
	/* The arguments of start_kernel(magic, boot information). */
	movl	%eax, %edi
	movl	%ebx, %esi

	movl	%cr4, %eax
	orl	$(CR4_PAE | CR4_PGE), %eax
	movl	%eax, %cr4
	movl	$PHYS(init_top_pgt), %eax
	movl	%eax, %cr3
	movl	$MSR_EFER, %ecx
	rdmsr
	orl	$EFER_LME, %eax
	wrmsr
	movl	$CR0_PE_MP_ET_NE_WP_PG, %eax
	movl	%eax, %cr0

	lgdt	boot_gdt_descriptor
	ljmp	$__KERNEL_CS, $startup_64
SYM_FUNC_END(startup_32)

	.code64
SYM_FUNC_START(startup_64)
	.cfi_undefined rip
	/* Still at a physical address: on to where the kernel is linked. */
	movabsq	$secondary_startup_64, %rax
	jmp	*%rax
SYM_FUNC_END(startup_64)

	.balign 8
boot_gdt_descriptor:
	.word	gdt_table_end - gdt_table - 1
	.long	PHYS(gdt_table)

	.text
SYM_FUNC_START(secondary_startup_64)
	.cfi_undefined rip
	lgdt	gdt_descriptor
	movl	$__KERNEL_DS, %eax
	movl	%eax, %ds
	movl	%eax, %es
	movl	%eax, %ss
	xorl	%eax, %eax
	movl	%eax, %fs
	movl	%eax, %gs
	leaq	init_stack_end(%rip), %rsp
	xorl	%ebp, %ebp
	call	start_kernel
	ud2
SYM_FUNC_END(secondary_startup_64)

	.data
	.balign 16
	.globl	gdt_table
gdt_table:
	.quad	0
	.quad	0
	.quad	0x00af9b000000ffff	/* __KERNEL_CS: 64-bit code */
	.quad	0x00cf93000000ffff	/* __KERNEL_DS */
	.quad	0, 0, 0, 0
	.quad	0, 0			/* __KERNEL_TSS, filled in by cpu_init() */
gdt_table_end:

	.globl	gdt_descriptor
gdt_descriptor:
	.word	gdt_table_end - gdt_table - 1
	.quad	gdt_table

/*
 * The first 4 GiB of physical memory, which is all there can be, at three places: identity (until paging_init() drops
 * it), the direct map at 0xffff888000000000, and the kernel's own map of the first GiB at 0xffffffff80000000.
 */
	.balign 4096
	.globl	init_top_pgt
init_top_pgt:
	.quad	PHYS(level3_direct_pgt) + PAGE_TABLE
	.fill	272, 8, 0
	.quad	PHYS(level3_direct_pgt) + PAGE_TABLE
	.fill	511 - 274, 8, 0
	.quad	PHYS(level3_kernel_pgt) + PAGE_TABLE

level3_direct_pgt:
	.quad	PHYS(level2_pgt) + PAGE_TABLE
	.quad	PHYS(level2_pgt) + 0x1000 + PAGE_TABLE
	.quad	PHYS(level2_pgt) + 0x2000 + PAGE_TABLE
	.quad	PHYS(level2_pgt) + 0x3000 + PAGE_TABLE
	.fill	508, 8, 0

level3_kernel_pgt:
	.fill	510, 8, 0
	.quad	PHYS(level2_pgt) + PAGE_TABLE
	.quad	0

level2_pgt:
	.set	page, 0
	.rept	2048
	.if	page == 0xfee00000
	.quad	page + PAGE_LARGE_NOCACHE	/* the local APIC */
	.else
	.quad	page + PAGE_LARGE
	.endif
	.set	page, page + 0x200000
	.endr

	.bss
	.balign 16
init_stack:
	.skip	16384
	.globl	init_stack_end
init_stack_end:
