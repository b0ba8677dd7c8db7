/*
 * VMMCALL is the hypercall of AMD processors. Here, on VMX, it is an invalid opcode; the host traps the #UD, rewrites
 * the instruction to VMCALL in guest memory, and lets the guest execute it again. Look at the bytes at `call_host`.
 */
#include <kvm_para.h>
#include <hyperstep/guest.h>

	.text
	.globl	_start
_start:
	movl	$2, %ebx		/* the first time by way of #UD, the second time directly */
again:
	movl	$KVM_HC_HYPERSTEP_HELLO, %eax
call_host:
	vmmcall				/* 0f 01 d9, soon 0f 01 c1 */
	cmpq	$KVM_HYPERSTEP_HELLO_ANSWER, %rax
	jne	failed
	decl	%ebx
	jnz	again

	cmpb	$0xc1, call_host+2(%rip)
	jne	failed
	leaq	message(%rip), %rsi
	call	print
	cli
	hlt

#include "../console.S"

	.section .rodata
message:
	.asciz	"VMMCALL was rewritten to VMCALL.\n"
