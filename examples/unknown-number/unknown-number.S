/* A number that nobody answers gives -KVM_ENOSYS (-1000), and nothing else changes. */
#include <kvm_para.h>
#include <hyperstep/guest.h>

#define NOBODYS_NUMBER 0x1234

	.text
	.globl	_start
_start:
	movl	$NOBODYS_NUMBER, %eax
	movl	$0xb, %ebx
	movl	$0xc, %ecx
	movl	$0xd, %edx
	movl	$0x5, %esi
	vmcall
	cmpq	$-KVM_ENOSYS, %rax
	jne	failed
	cmpl	$0xb, %ebx		/* the operands are as they were */
	jne	failed
	cmpl	$0x5, %esi
	jne	failed

	leaq	message(%rip), %rsi
	call	print
	cli
	hlt

#include "../console.S"

	.section .rodata
message:
	.asciz	"Hypercall 0x1234 gave -KVM_ENOSYS.\n"
