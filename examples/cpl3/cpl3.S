/*
 * Hypercalls are the kernel's. A user program may execute VMCALL, and it exits to the host, but the host sees CPL 3 and
 * answers -KVM_EPERM. The program returns to CPL 0 by SYSCALL, with the answer in RBX.
 */
#include <kvm_para.h>
#include <hyperstep/guest.h>

#define USER_DATA 0x1b			/* the GDT that guests start with: user data, RPL 3 */
#define USER_CODE 0x23
#define KERNEL_CODE 0x08

#define PTE_USER 4
#define MSR_STAR 0xc0000081
#define MSR_LSTAR 0xc0000082
#define MSR_SYSCALL_MASK 0xc0000084

	.text
	.globl	_start
_start:
	/* Guests start with identity paging for the supervisor alone: open the first 2 MBytes to the user. */
	movq	%cr3, %rax
	orq	$PTE_USER, (%rax)	/* PML4E */
	movq	(%rax), %rax
	andq	$-4096, %rax
	orq	$PTE_USER, (%rax)	/* PDPTE */
	movq	(%rax), %rax
	andq	$-4096, %rax
	orq	$PTE_USER, (%rax)	/* PDE of a 2-MByte page */
	movq	%cr3, %rax
	movq	%rax, %cr3		/* forget the old translations */

	/* Where SYSCALL goes: code segment, address, and the flags that it clears. */
	movl	$MSR_STAR, %ecx
	xorl	%eax, %eax
	movl	$KERNEL_CODE, %edx
	wrmsr
	movl	$MSR_LSTAR, %ecx
	leaq	kernel(%rip), %rax
	xorl	%edx, %edx
	wrmsr
	movl	$MSR_SYSCALL_MASK, %ecx
	movl	$0x200, %eax
	wrmsr

	/* To CPL 3 by the frame that IRETQ takes: SS, RSP, RFLAGS, CS, RIP. */
	pushq	$USER_DATA
	leaq	user_stack_end(%rip), %rax
	pushq	%rax
	pushq	$2
	pushq	$USER_CODE
	leaq	user(%rip), %rax
	pushq	%rax
	iretq

user:
	movl	$KVM_HC_HYPERSTEP_HELLO, %eax
	vmcall				/* from CPL 3 */
	movq	%rax, %rbx
	syscall

kernel:
	cmpq	$-KVM_EPERM, %rbx
	jne	failed
	leaq	message(%rip), %rsi
	call	print
	cli
	hlt

#include "../console.S"

	.section .rodata
message:
	.asciz	"A hypercall from CPL 3 gave -KVM_EPERM.\n"

	.bss
	.balign	16
user_stack:
	.skip	4096
user_stack_end:
