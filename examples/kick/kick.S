/*
 * Two vCPUs. vCPU 1 halts; vCPU 0 wakes it by KVM_HC_KICK_CPU and halts itself, until vCPU 1 kicks it back. There is no
 * interrupt in this: the host marks the vCPU as to be woken, and its thread goes on.
 */
#include <kvm_para.h>
#include <hyperstep/guest.h>

	.text
	.globl	_start
_start:
	testl	%edi, %edi		/* EDI: the number of this vCPU */
	jnz	vcpu1

vcpu0:
	cmpl	$0, vcpu1_halts(%rip)
	jne	kick1
	pause
	jmp	vcpu0
kick1:
	leaq	kicks(%rip), %rsi
	call	print
	movl	$KVM_HC_KICK_CPU, %eax
	xorl	%ebx, %ebx		/* flags: none are defined */
	movl	$1, %ecx		/* the APIC id of vCPU 1 */
	vmcall
	testq	%rax, %rax
	jnz	failed
	cli
	hlt				/* until vCPU 1 kicks */
	cmpl	$1, vcpu1_woke(%rip)
	jne	failed
	leaq	kicked_back(%rip), %rsi
	call	print
	cli
	hlt

vcpu1:
	movl	$1, vcpu1_halts(%rip)
	cli
	hlt				/* a kick that comes before this HLT is not lost: it ends at once */
	movl	$1, vcpu1_woke(%rip)
	leaq	woken(%rip), %rsi
	call	print
	movl	$KVM_HC_KICK_CPU, %eax
	xorl	%ebx, %ebx
	xorl	%ecx, %ecx		/* the APIC id of vCPU 0 */
	vmcall
	cli
	hlt

#include "../console.S"

	.section .rodata
kicks:
	.asciz	"vCPU 0 kicks vCPU 1.\n"
woken:
	.asciz	"vCPU 1 is awake, and kicks vCPU 0.\n"
kicked_back:
	.asciz	"vCPU 0 is awake.\n"

	.bss
	.balign	4
vcpu1_halts:
	.skip	4
vcpu1_woke:
	.skip	4
