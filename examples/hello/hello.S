/* The smallest hypercall: a number in RAX, VMCALL, and the host's answer in RAX. */
#include <kvm_para.h>
#include <hyperstep/guest.h>

	.text
	.globl	_start
_start:
	leaq	greeting(%rip), %rsi
	call	print

	movl	$KVM_HC_HYPERSTEP_HELLO, %eax	/* the number; this hypercall has no operands */
	vmcall				/* a VM exit: step into it, and you are in the host */
	cmpq	$KVM_HYPERSTEP_HELLO_ANSWER, %rax
	jne	failed

	leaq	answered(%rip), %rsi
	call	print
	cli
	hlt				/* nothing can end this: the guest is over, with status 0 */

#include "../console.S"

	.section .rodata
greeting:
	.asciz	"Hello from the guest.\n"
answered:
	.asciz	"The host answered 0x55AA.\n"
