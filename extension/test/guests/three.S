# Three hypercalls, and some of all the colours.
#include <hyperstep/hypercall.h>
	.set	KVM_HC_VAPIC_POLL_IRQ, 1

	.macro hypercall number
	mov	$\number, %eax
	vmcall
	.endm

	.section .text, "ax", @progbits
	.globl	_start
	.type	_start, @function
_start:	hypercall KVM_HC_VAPIC_POLL_IRQ
	mov	$0x63, %rax		/* unknown */
	lea	message(%rip), %rbx
1:	vmcall				// the third
	rep movsb
	lock cmpxchg %rcx, 8(%rbx, %rsi, 4)
	jne	1b
	outb	%al, $0xf4
	hlt

message: .asciz	"hello\n"
	.balign	8
	.quad	-1, 'a, message
