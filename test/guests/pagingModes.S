/*
 * From protected mode through every way of paging, as a kernel that boots does: PAE, off, 4-level in compatibility and 64-bit
 * mode, off, 4-MByte pages. A hypercall in each; VMMCALL where the host walks the guest's tables to rewrite it.
 */
#include <kvm_para.h>
#include <hyperstep/guest.h>
	.code32
	.text
	.globl	_start
_start:
	/* PAE paging: one directory of 2-MByte pages. */
	movl	$pd, %edi
	movl	$0x83, %eax
	movl	$512, %ecx
1:	movl	%eax, (%edi)
	movl	$0, 4(%edi)
	addl	$0x200000, %eax
	addl	$8, %edi
	loop	1b
	movl	$pd, %eax
	orl	$1, %eax
	movl	%eax, pdpt
	movl	$pdpt, %eax
	movl	%eax, %cr3
	movl	%cr4, %eax
	orl	$0x20, %eax
	movl	%eax, %cr4
	movl	%cr0, %eax
	btsl	$31, %eax
	movl	%eax, %cr0
	movl	$KVM_HC_HYPERSTEP_HELLO, %eax
	vmcall
	cmpl	$0x55aa, %eax
	jne	failed
	movl	$KVM_HC_HYPERSTEP_HELLO, %eax
	vmmcall
	cmpl	$0x55aa, %eax
	jne	failed
	/* Off, and on again with LME. */
	movl	%cr0, %eax
	btrl	$31, %eax
	movl	%eax, %cr0
	movl	$pd, %eax
	orl	$3, %eax
	movl	%eax, pdpt
	movl	$pdpt, %eax
	orl	$3, %eax
	movl	%eax, pml4
	movl	$pml4, %eax
	movl	%eax, %cr3
	movl	$0xc0000080, %ecx
	rdmsr
	orl	$0x100, %eax
	wrmsr
	movl	%cr0, %eax
	btsl	$31, %eax
	movl	%eax, %cr0
	movl	$KVM_HC_HYPERSTEP_HELLO, %eax
	vmcall
	lgdt	gdt_descriptor
	ljmp	$8, $long
	.code64
long:
	movabsq	$0x100000064, %rax
	vmcall
	cmpq	$-KVM_ENOSYS, %rax
	jne	failed
	/* Compatibility mode, from where paging and LME can go off. */
	pushq	$0x18
	leaq	compat(%rip), %rax
	pushq	%rax
	lretq
	.code32
compat:
	movl	%cr0, %eax
	btrl	$31, %eax
	movl	%eax, %cr0
	movl	$0xc0000080, %ecx
	rdmsr
	andl	$~0x100, %eax
	wrmsr
	movl	$KVM_HC_HYPERSTEP_HELLO, %eax
	vmcall
	/* 32-bit paging by one 4-MByte page. */
	movl	$0x83, pml4
	movl	$0, pml4+4
	movl	%cr4, %eax
	andl	$~0x20, %eax
	orl	$0x10, %eax
	movl	%eax, %cr4
	movl	%cr0, %eax
	btsl	$31, %eax
	movl	%eax, %cr0
	movl	$KVM_HC_HYPERSTEP_HELLO, %eax
	vmmcall
	smsw	%eax
	andl	$~8, %eax
	lmsw	%ax
	movl	$ok, %esi
	movw	$0x3f8, %dx
	movl	$3, %ecx
	rep outsb
	cli
	hlt
failed:
	movb	$1, %al
	outb	%al, $DEBUG_EXIT
	hlt
	.data
ok: .ascii "ok\n"
	.balign 8
gdt: .quad 0, 0x00af9b000000ffff, 0x00cf93000000ffff, 0x00cf9b000000ffff
gdt_descriptor: .word 31
	.long gdt, 0
	.bss
	.balign 4096
pml4: .skip 4096
pdpt: .skip 4096
pd: .skip 4096
