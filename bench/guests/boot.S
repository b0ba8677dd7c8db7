/* SPDX-License-Identifier: MIT */
/* From a multiboot loader to main(): flat 32-bit protected mode, or 64-bit mode with 4 GiB identity-mapped. */

#define MULTIBOOT_MAGIC 0x1badb002
#define MULTIBOOT_FLAGS 0x00010000	/* the addresses below are valid: the file is a flat binary */

#define CODE_SELECTOR 0x08
#define DATA_SELECTOR 0x10
#define LONG_SELECTOR 0x18

	.section .boot, "ax"
	.code32
	.globl	_start
header:
	.long	MULTIBOOT_MAGIC, MULTIBOOT_FLAGS, -(MULTIBOOT_MAGIC + MULTIBOOT_FLAGS)
	.long	header, image_start, image_end, bss_end, _start

_start:
	cli
	cld
	movb	$0xff, %al		/* no interrupt of a PC's own: mask both 8259s */
	outb	%al, $0x21
	outb	%al, $0xa1
	lgdt	gdt_pointer
	ljmp	$CODE_SELECTOR, $1f
1:	movl	$DATA_SELECTOR, %eax
	movl	%eax, %ds
	movl	%eax, %es
	movl	%eax, %ss
	movl	$stack_top, %esp
#ifdef __x86_64__
	/* PML4 -> PDPT -> four directories of 2-MiB pages (SDM 3A 4.5). */
	movl	$page_tables + 0x1000 + 3, page_tables
	movl	$page_tables + 0x2000 + 3, %eax
	movl	$page_tables + 0x1000, %edi
	movl	$4, %ecx
2:	movl	%eax, (%edi)
	addl	$0x1000, %eax
	addl	$8, %edi
	loop	2b
	movl	$0x83, %eax
	movl	$page_tables + 0x2000, %edi
	movl	$4 * 512, %ecx
3:	movl	%eax, (%edi)
	addl	$0x200000, %eax
	addl	$8, %edi
	loop	3b
	movl	$page_tables, %eax
	movl	%eax, %cr3
	movl	%cr4, %eax
	orl	$0x20, %eax		/* CR4.PAE */
	movl	%eax, %cr4
	movl	$0xc0000080, %ecx	/* IA32_EFER.LME */
	rdmsr
	orl	$0x100, %eax
	wrmsr
	movl	%cr0, %eax
	orl	$0x80000020, %eax	/* CR0.PG, CR0.NE */
	movl	%eax, %cr0
	ljmp	$LONG_SELECTOR, $4f
	.code64
4:	lidt	idt_pointer(%rip)
#else
	lidt	idt_pointer
#endif
	call	main
5:	hlt
	jmp	5b

	.section .data
	.balign	8
	.globl	gdt
gdt:	.quad	0
	.quad	0x00cf9b000000ffff	/* 32-bit code */
	.quad	0x00cf93000000ffff	/* data */
	.quad	0x00af9b000000ffff	/* 64-bit code */
	.globl	gdt_tss
gdt_tss:
	.quad	0, 0
	.globl	gdt_pointer
gdt_pointer:
	.word	gdt_pointer - gdt - 1
#ifdef __x86_64__
	.quad	gdt
#else
	.long	gdt
#endif
	.globl	idt_pointer
idt_pointer:
	.word	256 * GATE_SIZE - 1
#ifdef __x86_64__
	.set	GATE_SIZE, 16
	.quad	idt
#else
	.set	GATE_SIZE, 8
	.long	idt
#endif

	.section .bss
	.balign	0x1000
	.globl	page_tables
page_tables:
	.skip	6 * 0x1000
	.globl	idt
idt:	.skip	256 * GATE_SIZE
	.balign	16
	.skip	0x4000
stack_top:
