/*
 * Bulk data goes through memory: the guest passes the number of a page frame of its own, and the handler (handlers.c)
 * reads the page through gfn_to_hva(). A frame that the guest has not got is answered by -KVM_EFAULT.
 */
#include <kvm_para.h>
#include <hyperstep/guest.h>

#define HC_SUM_BYTES 40
#define NO_FRAME 0xfffff

	.text
	.globl	_start
_start:
	movl	$HC_SUM_BYTES, %eax
	leaq	buffer(%rip), %rbx
	shrq	$12, %rbx		/* guest-virtual is guest-physical here: the frame number */
	movl	$buffer_end - buffer, %ecx
	vmcall
	cmpq	$1 + 2 + 3 + 4 + 5, %rax
	jne	failed

	movl	$HC_SUM_BYTES, %eax
	movl	$NO_FRAME, %ebx
	movl	$1, %ecx
	vmcall
	cmpq	$-KVM_EFAULT, %rax
	jne	failed

	leaq	message(%rip), %rsi
	call	print
	cli
	hlt

#include "../console.S"

	.section .rodata
message:
	.asciz	"The host read the buffer.\n"

	.data
	.balign	4096
buffer:
	.byte	1, 2, 3, 4, 5
buffer_end:
