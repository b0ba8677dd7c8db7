/*
 * A hypercall from 32-bit protected mode ("mode": "protected"): operands in EBX, ECX, EDX and ESI, the answer in EAX.
 * The negative answer is 32 bits wide too: the host does not touch the upper half of RAX with it.
 */
#include <kvm_para.h>
#include <hyperstep/guest.h>

#define NOBODYS_NUMBER 0x1234

	.code32
	.text
	.globl	_start
_start:
	movl	$KVM_HC_HYPERSTEP_HELLO, %eax
	vmcall
	cmpl	$KVM_HYPERSTEP_HELLO_ANSWER, %eax
	jne	failed

	movl	$NOBODYS_NUMBER, %eax
	movl	$-1, %ebx
	vmcall
	cmpl	$-KVM_ENOSYS, %eax	/* in the Hypercalls view: 0xfffffc18 */
	jne	failed

	movl	$message, %esi
	call	print
	cli
	hlt

#include "../console.S"

	.section .rodata
message:
	.asciz	"Hypercalls from protected mode are 32 bits wide.\n"
